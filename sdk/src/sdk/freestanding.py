"""Runs a program outside any isolate, on the same engine, and reports all that can be known of it.

This is for the author of a program and for data nobody has to protect: an isolate would never tell
where a program trapped, or with what numbers.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial

from execution_engine import (
    EngineLimits,
    LimitError,
    ModuleRefusedError,
    Outcome,
    Program,
    RunInputs,
    TrapError,
    engine_version,
)
from execution_engine.abi import return_code_name
from platform_services import LinuxRandomSource, RandomSource
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy


class Ending(Enum):
    """How a run ended, and the exit code that says so."""

    SUCCEEDED = ("succeeded", 0)
    ERROR_CODE = ("error-code", 5)
    TRAPPED = ("trapped", 6)
    LIMIT_REACHED = ("limit-reached", 7)
    REFUSED = ("refused", 8)

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to.

    Attributes:
        ending: how it ended.
        program: SHA-256 of the module.
        program_bytes: size of the module.
        strategy: how it ran.
        load_seconds: time to check and compile the module; None if it was refused.
        outcome: what the engine measured; None unless the program returned.
        error: the engine's message; None if the program returned.
        trace: of a program that trapped: the numbers it is to blame for, and its calls, innermost
            first.
    """

    ending: Ending
    program: Digest
    program_bytes: int
    strategy: Strategy
    load_seconds: float | None = None
    outcome: Outcome | None = None
    error: str | None = None
    trace: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The report under stable names; what is not known is null."""
        outcome = self.outcome
        output = outcome.output if outcome else None
        return {
            "ending": self.ending.text,
            "return_code": outcome.return_code if outcome else None,
            "return_name": return_code_name(outcome.return_code) if outcome else None,
            "result_bytes": None if output is None else len(output),
            "result_sha256": None if output is None else Digest.of(output),
            "program_sha256": self.program,
            "program_bytes": self.program_bytes,
            "strategy": self.strategy,
            "engine": engine_version(),
            "load_seconds": None if self.load_seconds is None else round(self.load_seconds, 6),
            "run_seconds": round(outcome.seconds, 6) if outcome else None,
            "host_calls": dict(outcome.host_calls) if outcome else None,
            "memory_peak_bytes": outcome.memory_peak if outcome else None,
            "fuel": outcome.fuel if outcome else None,
            "error": self.error,
            "trace": list(self.trace),
        }

    def lines(self) -> Iterator[str]:
        """The report for people."""
        yield self._ending_line()
        yield from (f"  {line}" for line in self.trace)
        yield f"program    {self.program}, {self.program_bytes} bytes"
        took = "" if self.load_seconds is None else f", loaded in {self.load_seconds:.3f} s"
        yield f"engine     {engine_version()}, {self.strategy}{took}"
        if self.outcome:
            yield from _outcome_lines(self.outcome)

    def _ending_line(self) -> str:
        if self.outcome is None:
            return self.error or self.ending.text
        code = self.outcome.return_code
        return f"program returned {code} ({return_code_name(code)})"


def run_freestanding(
    code: bytes,
    inputs: RunInputs,
    *,
    strategy: Strategy,
    limits: EngineLimits,
    random: RandomSource | None = None,
) -> Report:
    """Runs one round of a program; however it ends, there is a report.

    Args:
        code: the module.
        inputs: what the program may read.
        strategy: how it runs.
        limits: how much it may use.
        random: by default the random numbers of this machine.
    """
    about = partial(Report, program=Digest.of(code), program_bytes=len(code), strategy=strategy)
    started = time.perf_counter()
    try:
        program = Program.load(code, strategy=strategy, limits=limits)
    except ModuleRefusedError as error:
        return about(Ending.REFUSED, error=str(error))
    loaded = partial(about, load_seconds=time.perf_counter() - started)
    with program:
        try:
            outcome = program.run(inputs, random=random or LinuxRandomSource())
        except TrapError as error:
            return loaded(Ending.TRAPPED, error=str(error), trace=tuple(_trace(error)))
        except LimitError as error:
            return loaded(Ending.LIMIT_REACHED, error=str(error))
    ending = Ending.SUCCEEDED if outcome.return_code == 0 else Ending.ERROR_CODE
    return loaded(ending, outcome=outcome)


def _trace(error: TrapError) -> Iterator[str]:
    if error.debug:
        yield error.debug
    for frame in error.frames:
        name = "" if frame.name is None else f" {frame.name}"
        offset = "" if frame.offset is None else f", byte {frame.offset:#x} of the module"
        yield f"in function {frame.function}{name}{offset}"


def _outcome_lines(outcome: Outcome) -> Iterator[str]:
    if outcome.output is None:
        yield "result     none written"
    else:
        yield f"result     {len(outcome.output)} bytes, SHA-256 {Digest.of(outcome.output)}"
    yield f"run        {outcome.seconds:.3f} s, {outcome.memory_peak} bytes of memory at most"
    if outcome.fuel is not None:
        yield f"fuel       {outcome.fuel}"
    calls = ", ".join(f"{name} {count}" for name, count in outcome.host_calls.items() if count)
    yield f"host calls {calls or 'none'}"
