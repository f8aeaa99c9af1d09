"""A program that was compiled before, against compiling it.

Loading checks the module in either case; from a cache, its entry is authenticated and mapped. The
small program is an example; the large one is generated, for a cache is there for its like. How long
a fresh instance of a loaded program takes, from its store to the end of it, is told besides.
"""

import tempfile
from pathlib import Path
from typing import Final

from measuring import Figure, Measure, in_turns, run, seconds
from wasmtime import wat2wasm

from execution_engine.code_cache import CodeCache
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.examples import programs
from veracruz_utils.policy import Strategy

_LIMITS: Final = EngineLimits(run_seconds=None)
_FUNCTIONS: Final = 2_000
_TERMS: Final = 12


def measure(rounds: int) -> list[Figure]:
    """Load programs from caches in memory and in a folder, and compile them."""
    guests = [
        ("a small program", programs.load("string-edit-distance")),
        ("a large program", _large_program()),
    ]
    return [
        figure
        for name, code in guests
        for strategy in (Strategy.JIT, Strategy.INTERPRETATION)
        for figure in _compare(f"{name}, {strategy.value}", code, strategy, rounds=rounds)
    ]


def _compare(name: str, code: bytes, strategy: Strategy, *, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        memory, files = CodeCache.in_memory(), CodeCache.in_directory(Path(folder, "cache"))
        measures = [
            _loading(code, strategy, None),
            _loading(code, strategy, memory),
            _loading(code, strategy, files),
            _instantiating(code, strategy),
        ]
        compiled, *others = in_turns(measures, rounds=rounds)
    whats = ("from memory", "from a folder", "already loaded: an instance of it")
    return [
        Figure(
            f"{name} {what}",
            "compiling",
            [one / whole for one, whole in zip(taken, compiled, strict=True)],
        )
        for what, taken in zip(whats, others, strict=True)
    ]


def _loading(code: bytes, strategy: Strategy, cache: CodeCache | None) -> Measure:
    """Load a program, from the second time on from its cache."""
    known = False

    def once() -> None:
        nonlocal known
        with Program.load(code, strategy=strategy, limits=_LIMITS, cache=cache) as program:
            assert program.compiled is not known
        known = cache is not None

    return lambda: seconds(once)


def _instantiating(code: bytes, strategy: Strategy) -> Measure:
    """Run a program that has no inputs and says so at once."""
    program = Program.load(code, strategy=strategy, limits=_LIMITS)
    random_source = LinuxRandomSource()
    return lambda: seconds(lambda: program.run(RunInputs(), random=random_source))


def _large_program() -> bytes:
    """Some hundreds of KiB of functions that do not matter."""
    functions = "".join(map(_function, range(_FUNCTIONS)))
    main = '(func (export "main") (result i32) (i32.const 0))'
    return bytes(wat2wasm(f'(module (memory (export "memory") 1) {functions} {main})'))


def _function(number: int) -> str:
    terms = "".join(_term(at, number * _TERMS + at) for at in range(_TERMS))
    return f"(func (param $x i64) (param $p i32) (result i64) {terms} (local.get $x))"


def _term(at: int, factor: int) -> str:
    return f"""
      (local.set $x (i64.mul (i64.const {factor})
        (i64.xor (local.get $x) (i64.load offset={8 * at} (local.get $p)))))
      (if (i64.lt_s (local.get $x) (i64.const {at}))
        (then (local.set $p (i32.const {at}))))"""


if __name__ == "__main__":
    run("cached_program", measure, rounds=7)
