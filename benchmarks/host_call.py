"""A host call of a guest, against the same call through wasmtime-py's `define_func`.

The guest reads an input of 64 bytes again and again. Both hosts copy it into linear memory; ours
also checks the range, and counts.
"""

from bare_host import BareRun
from measuring import Figure, at_most, in_pairs, run, seconds
from wasmtime import Module, wat2wasm

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import EngineSettings, make_engine
from platform_services import LinuxRandomSource
from veracruz_utils.policy import Strategy

_CALLS = 20_000
_INPUT = bytes(range(64))
_GUEST = f"""(module
  (import "env" "__veracruz_hcall_read_input" (func $read (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "main") (result i32) (local $left i32) (local $status i32)
    (local.set $left (i32.const {_CALLS}))
    (loop $again
      (local.set $status (i32.or (local.get $status)
        (call $read (i32.const 0) (i32.const 1024) (i32.const 64))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (local.get $status)))"""


def measure(rounds: int) -> list[Figure]:
    """Call the host from a guest, through our engine and through `define_func`."""
    code = bytes(wat2wasm(_GUEST))
    program = Program.load(code, strategy=Strategy.JIT, limits=EngineLimits(run_seconds=None))
    engine = make_engine(EngineSettings(Strategy.JIT))
    module = Module(engine, code)
    given, random_source = RunInputs([_INPUT]), LinuxRandomSource()

    def ours() -> None:
        assert program.run(given, random=random_source).return_code == 0

    def bare() -> None:
        assert BareRun(engine, module, [_INPUT]).main() == 0

    paired = in_pairs(lambda: seconds(ours), lambda: seconds(bare), rounds=rounds)
    return [
        Figure(
            "host call of a guest", "wasmtime-py's define_func", paired.time_ratios, at_most(0.25)
        ),
        Figure(
            "one of our host calls",
            "each",
            [each / _CALLS * 1e6 for each in paired.ours],
            unit="us",
        ),
    ]


if __name__ == "__main__":
    run("host_call", measure, rounds=15)
