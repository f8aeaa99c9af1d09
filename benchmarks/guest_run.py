"""A guest through our engine (JIT), against the same module through bare wasmtime.

Both compile before the clock starts; then each round makes an instance and runs it to its return.
The bare engine runs twice: with wasmtime's own settings, which is the goal's reference, and with
our engine's, which tells the price of the settings from that of our code.
"""

import random
import struct
from collections.abc import Sequence

from bare_host import BareRun
from measuring import Figure, Measure, at_most, in_pairs, processor_seconds, run
from wasmtime import Engine, Module, wat2wasm

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import EngineSettings, make_engine
from platform_services import LinuxRandomSource
from sdk.examples import programs
from veracruz_utils.policy import Strategy

_SIDE = 256
_MATRIX_PRODUCT = f"""(module
  (memory (export "memory") 32)
  (func (export "main") (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $sum f64)
    (loop $rows (local.set $j (i32.const 0))
      (loop $columns (local.set $k (i32.const 0)) (local.set $sum (f64.const 0))
        (loop $terms
          (local.set $sum (f64.add (local.get $sum) (f64.mul
            (f64.load (i32.shl (i32.add (i32.mul (local.get $i) (i32.const {_SIDE}))
              (local.get $k)) (i32.const 3)))
            (f64.load offset={8 * _SIDE * _SIDE} (i32.shl (i32.add (i32.mul (local.get $k)
              (i32.const {_SIDE})) (local.get $j)) (i32.const 3))))))
          (br_if $terms (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1)))
            (i32.const {_SIDE}))))
        (f64.store offset={16 * _SIDE * _SIDE} (i32.shl (i32.add (i32.mul (local.get $i)
          (i32.const {_SIDE})) (local.get $j)) (i32.const 3)) (local.get $sum))
        (br_if $columns (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1)))
          (i32.const {_SIDE}))))
      (br_if $rows (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
        (i32.const {_SIDE}))))
    (i32.const 0)))"""


def _guests() -> list[tuple[str, bytes, list[bytes]]]:
    """Name, module and inputs of each guest; the same every time."""
    dice = random.Random(1)  # noqa: S311 - nothing is secret here
    texts = [bytes(dice.choices(b"acgt", k=2_000_000)) for _ in range(2)]
    count = 300_000
    numbers = struct.pack(f"<{2 * count}d", *(dice.random() for _ in range(2 * count)))
    points = _varint(count) + numbers
    return [
        ("string-edit-distance", programs.load("string-edit-distance"), texts),
        ("linear-regression", programs.load("linear-regression"), [points]),
        ("a matrix product", bytes(wat2wasm(_MATRIX_PRODUCT)), []),
    ]


def measure(rounds: int) -> list[Figure]:
    """Run programs on our engine and on bare wasmtime."""
    figures = []
    for name, code, inputs in _guests():
        for against, engine, goal in (
            ("bare wasmtime", Engine(), at_most(1.03)),
            ("wasmtime with our settings", make_engine(EngineSettings(Strategy.JIT)), None),
        ):
            paired = in_pairs(_ours(code, inputs), _bare(engine, code, inputs), rounds=rounds)
            figures.append(Figure(f"run of {name}", against, paired.time_ratios, goal))
    return figures


def _ours(code: bytes, inputs: Sequence[bytes]) -> Measure:
    program = Program.load(code, strategy=Strategy.JIT, limits=EngineLimits(run_seconds=None))
    given, random_source = RunInputs(inputs), LinuxRandomSource()

    def once() -> None:
        assert program.run(given, random=random_source).return_code == 0

    return lambda: processor_seconds(once)


def _bare(engine: Engine, code: bytes, inputs: Sequence[bytes]) -> Measure:
    module = Module(engine, code)

    def once() -> None:
        assert BareRun(engine, module, inputs).main() == 0

    return lambda: processor_seconds(once)


def _varint(number: int) -> bytes:
    """A count as the examples' encoding has it."""
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


if __name__ == "__main__":
    run("guest_run", measure, rounds=15)
