"""Six kernels through our engine, against the same modules through bare wasmtime.

They are C sources in the folder `kernels`, built when this begins. Ours runs them as an isolate
does: no time limit is compiled in. The bare engine runs twice: with wasmtime's own settings, and
with our engine's. The ratio to the first is the goal's, that to the second the price of our code
alone, and the ratio of the two the price of the settings. Ours also runs with canonical NaNs, as
under a policy that says `deterministic`; its ratio to ours without them is the price of that. All
four must come to the same checksum, and so must the two strategies.
"""

import gc
import struct
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from bare_host import BareRun
from measuring import Figure, Measure, at_most, in_turns, processor_seconds, run
from wasmtime import Config, Engine, Module

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import EngineSettings, make_engine
from platform_services import LinuxRandomSource
from sdk.toolchains.sources import source_folder
from sdk.toolchains.zig import compile_c
from veracruz_utils.policy import Strategy

_LIMITS: Final = EngineLimits(run_seconds=None)

_Host: TypeAlias = Callable[[list[bytes]], bytes]
"""Runs a kernel on inputs; its result."""


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A source in the folder, and what takes either strategy some 50 ms."""

    name: str
    compiled_size: int
    interpreted_size: int

    def size(self, strategy: Strategy) -> int:
        """The size for a strategy."""
        return self.compiled_size if strategy is Strategy.JIT else self.interpreted_size


_KERNELS: Final = (
    _Kernel("gemm", 300, 64),
    _Kernel("sort", 100_000, 15_000),
    _Kernel("hash", 100_000, 4_000),
    _Kernel("string", 4_000_000, 200_000),
    _Kernel("branchy", 5_000_000, 600_000),
    _Kernel("memory", 1_000_000, 120_000),
)


def measure(rounds: int) -> list[Figure]:
    """Run six kernels on our engine and on bare wasmtime, compiled and interpreted."""
    figures: list[Figure] = []
    for kernel in _KERNELS:
        code = _build(kernel.name)
        _require_one_semantics(kernel, code)
        for strategy in (Strategy.JIT, Strategy.INTERPRETATION):
            figures += _compare(kernel, code, strategy, rounds=rounds)
    return figures


def _build(name: str) -> bytes:
    library, kernels = source_folder("c"), Path(__file__).with_name("kernels")
    sources = [library / "veracruz.c", kernels / "main.c", kernels / f"{name}.c"]
    return compile_c(sources, include=library / "include")


def _require_one_semantics(kernel: _Kernel, code: bytes) -> None:
    """The same checksum under both strategies."""
    given = _inputs(kernel.interpreted_size)
    found = {_ours(code, strategy)(given) for strategy in Strategy}
    assert len(found) == 1, f"{kernel.name}: {found}"


def _compare(kernel: _Kernel, code: bytes, strategy: Strategy, *, rounds: int) -> Sequence[Figure]:
    inputs = _inputs(kernel.size(strategy))
    hosts = [
        _ours(code, strategy),
        _bare(code, _bare_engine(strategy)),
        _bare(code, make_engine(EngineSettings(strategy))),
        _ours(code, strategy, canonical_nans=True),
    ]
    checksums = {host(inputs) for host in hosts}
    assert len(checksums) == 1, f"{kernel.name}: {checksums}"
    measures = [_timed(host, inputs) for host in hosts]
    ours, bare, alike, canonical = in_turns(measures, rounds=rounds)
    what = f"{kernel.name}, {strategy.value}"
    goal = at_most(1.03) if strategy is Strategy.JIT else None
    return [
        Figure(what, "bare wasmtime", _ratios(ours, bare), goal),
        Figure(what, "wasmtime with our settings", _ratios(ours, alike)),
        Figure(f"{what}: wasmtime with our settings", "bare wasmtime", _ratios(alike, bare)),
        Figure(f"{what}: canonical NaNs", "without", _ratios(canonical, ours)),
    ]


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _inputs(size: int) -> list[bytes]:
    return [struct.pack("<I", size)]


def _timed(host: _Host, inputs: list[bytes]) -> Measure:
    # On a busy machine a thread may wait, and ours runs guests in one of its own.
    def once() -> float:
        gc.collect()  # what an earlier measurement left is not part of this one
        return processor_seconds(lambda: host(inputs))

    return once


def _ours(code: bytes, strategy: Strategy, *, canonical_nans: bool = False) -> _Host:
    program = Program.load(code, strategy=strategy, limits=_LIMITS, canonical_nans=canonical_nans)
    random_source = LinuxRandomSource()

    def once(inputs: list[bytes]) -> bytes:
        outcome = program.run(RunInputs(inputs), random=random_source)
        assert outcome.return_code == 0
        assert outcome.output is not None
        return outcome.output

    return once


def _bare_engine(strategy: Strategy) -> Engine:
    config = Config()
    if strategy is Strategy.INTERPRETATION:
        config.target = "pulley64"
    return Engine(config)


def _bare(code: bytes, engine: Engine) -> _Host:
    module = Module(engine, code)

    def once(inputs: list[bytes]) -> bytes:
        with closing(BareRun(engine, module, inputs)) as bare:  # as ours is at the end of a run
            assert bare.main() == 0
        return bare.output

    return once


if __name__ == "__main__":
    run("kernels", measure, rounds=15)
