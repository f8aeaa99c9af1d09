"""A large program is compiled by several threads, which nothing of the code tells."""

import json
import subprocess
import sys

PROBE = """
import json, os
from hashlib import sha256
from wasmtime import wat2wasm
from execution_engine import strategy
from execution_engine.compiled_program import CompiledProgram
from execution_engine.limits import EngineLimits
from veracruz_utils.policy import Strategy

strategy.warm_up()
functions = "".join(
    f"(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {number})))"
    for number in range(200)
)
START = '(module (memory (export "memory") 20) (func (export "main") (result i32) (i32.const 0))'
seen = []

class Kept:
    def find(self, program, settings):
        return None

    def keep(self, program, settings, code):
        seen.append(sha256(code).hexdigest())

def threads(size, threads):
    code = bytes(wat2wasm(f'{START} {functions} (data (i32.const 0) "{"x" * size}"))'))
    limits = EngineLimits(run_seconds=None)
    for one in Strategy:
        CompiledProgram.load(
            code, strategy=one, limits=limits, cache=Kept(), threads=threads
        ).close()
    return len(os.listdir("/proc/self/task"))

counts = [threads(2**20, False), threads(2**10, True), threads(2**20, True)]
print(json.dumps([counts, seen[:2] == seen[-2:]]))
"""


def test_a_large_program_is_compiled_by_a_few_threads_to_the_same_code():
    ran = subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True)
    assert json.loads(ran.stdout) == [[1, 1, 3], True]
