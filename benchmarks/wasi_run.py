"""Programs in C that speak WASI, adapted and run by our engine (JIT), against `wasmtime run`'s way.

The reference runs the module that was not adapted on wasmtime with its own settings and its own
WASI, with files as standard input and output, as its command does. Both compile before the clock
starts.
"""

import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from measuring import MIB, Figure, Measure, at_most, in_pairs, processor_seconds, run
from wasmtime import Engine, ExitTrap, Linker, Module, Store, WasiConfig

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.adaptation import adapt
from veracruz_utils.policy import Strategy

_SOURCES = Path(__file__).with_name("wasi")
_SIZE = 64 * MIB
_ROW = b"row %07d,%09d\n"


def measure(rounds: int) -> list[Figure]:
    """Build the programs, and run each both ways."""
    rows = _SIZE // len(_ROW % (0, 0))
    table = b"".join(_ROW % (row, row * 7919 % 10**9) for row in range(rows))
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("input").write_bytes(table)
        for program, goal in (("csv_sum", at_most(1.2)), ("hash", at_most(1.2)), ("copy", None)):
            code = _built(folder, program)
            results: list[bytes] = []
            ours, theirs = _ours(code, table, results), _theirs(code, folder, results)
            paired = in_pairs(ours, theirs, rounds=rounds)
            assert len(set(results)) == 1, "the two gave different results"
            what = f"run of an adapted {program}, 64 MiB"
            figures.append(Figure(what, "wasmtime with its WASI", paired.time_ratios, goal))
    return figures


def _built(folder: Path, program: str) -> bytes:
    output = folder / f"{program}.wasm"
    command = ["cc", "-target", "wasm32-wasi", "-O2", "-s", "-o", str(output)]
    subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "ziglang", *command, str(_SOURCES / f"{program}.c")], check=True
    )
    return output.read_bytes()


def _ours(code: bytes, table: bytes, results: list[bytes]) -> Measure:
    limits = EngineLimits(run_seconds=None, memory_bytes=1024 * MIB)
    program = Program.load(adapt(code), strategy=Strategy.JIT, limits=limits)
    given, random_source = RunInputs([table]), LinuxRandomSource()
    taken: list[bytes] = []

    def once() -> None:
        taken[:] = [program.run(given, random=random_source).output or b""]

    def measured() -> float:
        took = processor_seconds(once)
        results.append(taken[0])
        return took

    return measured


def _theirs(code: bytes, folder: Path, results: list[bytes]) -> Measure:
    engine = Engine()
    module = Module(engine, code)
    output = folder / "output"

    def once() -> None:
        linker = Linker(engine)
        linker.define_wasi()
        with Store(engine) as store:
            config = WasiConfig()
            config.stdin_file, config.stdout_file = str(folder / "input"), str(output)
            store.set_wasi(config)
            exports = linker.instantiate(store, module).exports(store)
            with suppress(ExitTrap):  # what it wrote is compared
                exports["_start"](store)  # type: ignore[operator]

    def measured() -> float:
        took = processor_seconds(once)
        results.append(output.read_bytes())
        return took

    return measured


if __name__ == "__main__":
    run("wasi_run", measure, rounds=9)
