"""What came of a run, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from enum import Enum

from execution_engine.abi_text import return_code_name
from execution_engine.strategy import engine_version
from sdk.freestanding.messages import ModuleLoaded, Profiled, Returned, Stopped
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy, Strategy
from veracruz_utils.refused_inputs import refused_input_of


class RunEnding(Enum):
    """How a program ended, and the exit code that says so."""

    SUCCEEDED = ("succeeded", 0)
    ERROR_CODE = ("error-code", 5)
    TRAPPED = ("trapped", 6)
    LIMIT_REACHED = ("limit-reached", 7)
    REFUSED = ("refused", 8)
    LOST = ("lost", 9)
    FAILED = ("failed", 1)

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code


@frozen
class RoundReport:
    """One round that was begun.

    Attributes:
        number: 1 for the first.
        returned: what the engine measured; None unless the program returned.
        result: what it wrote; None if nothing, or if it did not return.
        stopped: why it did not return.
        profile: where it spent its time, if that was asked for.
        policy: whose names its inputs have, if somebody wrote one.
    """

    number: int
    returned: Returned | None = None
    result: bytes | None = None
    stopped: Stopped | None = None
    profile: Profiled | None = None
    policy: Policy | None = None

    @property
    def ending(self) -> RunEnding:
        """How it ended."""
        if self.stopped is not None:
            return RunEnding[self.stopped.ending]
        assert self.returned is not None
        return RunEnding.ERROR_CODE if self.returned.return_code else RunEnding.SUCCEEDED

    @property
    def meaning(self) -> str | None:
        """What its return code means, in a sentence; None if it is of no input."""
        refused = refused_input_of(self.returned.return_code) if self.returned else None
        return None if refused is None else refused.words(self.policy)

    @property
    def said(self) -> str:
        """What the program said to its author."""
        ended = self.stopped or self.returned
        return ended.said if ended else ""

    def as_json(self) -> dict[str, object]:
        """The round under stable names; what is not known is null."""
        returned, result, stopped = self.returned, self.result, self.stopped
        return {
            "round": self.number,
            "ending": self.ending.text,
            "return_code": returned.return_code if returned else None,
            "return_name": return_code_name(returned.return_code) if returned else None,
            "meaning": self.meaning,
            "result_bytes": None if result is None else len(result),
            "result_sha256": None if result is None else str(Digest.of(result)),
            "run_seconds": round(returned.seconds, 6) if returned else None,
            "memory_peak_bytes": returned.memory_peak if returned else None,
            "fuel": returned.fuel if returned else None,
            "host_calls": dict(returned.host_calls) if returned else None,
            "code": stopped.code if stopped else None,
            "error": stopped.message if stopped else None,
            "frames": list(stopped.frames) if stopped else [],
            "message": self.said or None,
            "profile": _profile_json(self.profile),
        }

    def lines(self) -> Iterator[str]:
        """How it ended and what the engine measured, for people."""
        if self.stopped is not None:
            yield self.stopped.message
            yield from (f"  {line}" for line in self.stopped.frames)
        if self.returned is not None:
            code = self.returned.return_code
            yield f"program returned {code} ({return_code_name(code)})"
            if self.meaning is not None:
                yield self.meaning
            yield from self._measured(self.returned)
        if self.said:
            yield "the program says:"
            yield from (f"  {line}" for line in self.said.rstrip().expandtabs(4).split("\n"))
        if self.profile is not None:
            yield from _profile_lines(self.profile)

    def _measured(self, returned: Returned) -> Iterator[str]:
        if self.result is None:
            yield "result     none written"
        else:
            yield f"result     {len(self.result)} bytes, SHA-256 {Digest.of(self.result)}"
        yield f"run        {returned.seconds:.3f} s"
        if returned.memory_peak is not None:
            yield f"memory     {returned.memory_peak} bytes at most"
        fuel = "not counted: --count-fuel counts it" if returned.fuel is None else returned.fuel
        yield f"fuel       {fuel}"
        yield f"host calls {_calls_text(returned.host_calls)}"


@frozen
class RunReport:
    """What a program came to.

    Attributes:
        program: SHA-256 of the module.
        program_bytes: size of the module.
        strategy: how it ran.
        canonical_nans: whether every NaN had the same bits, whatever the processor.
        policy: SHA-256 of the policy; None without one.
        loaded: how long loading it took; None if it was not loaded.
        refused: why it was not loaded.
        rounds: those that were begun: all that were asked for, if each but the last returned 0.
    """

    program: Digest
    program_bytes: int
    strategy: Strategy
    policy: Digest | None
    _: KW_ONLY
    canonical_nans: bool
    loaded: ModuleLoaded | None = None
    refused: Stopped | None = None
    rounds: Sequence[RoundReport] = ()

    @property
    def last(self) -> RoundReport:
        """The last round; that it was not begun, if the program was not loaded."""
        return self.rounds[-1] if self.rounds else RoundReport(0, stopped=self.refused)

    @property
    def ending(self) -> RunEnding:
        """How the last round ended, or loading."""
        return self.last.ending

    def as_json(self) -> dict[str, object]:
        """The report under stable names: the last round's, and what goes for all rounds."""
        loaded = self.loaded
        return {
            **self.last.as_json(),
            "exit_code": self.ending.exit_code,
            "program_sha256": str(self.program),
            "program_bytes": self.program_bytes,
            "policy_sha256": None if self.policy is None else str(self.policy),
            "strategy": self.strategy,
            "engine": engine_version(),
            "canonical_nans": self.canonical_nans,
            "check_seconds": round(loaded.check_seconds, 6) if loaded else None,
            "compile_seconds": round(loaded.compile_seconds, 6) if loaded else None,
            "from_cache": loaded.from_cache if loaded else None,
            "rounds": [each.as_json() for each in self.rounds],
        }

    def lines(self, *, times: bool = True) -> Iterator[str]:
        """The report for people; without `times`, nothing that differs from run to run."""
        yield f"program    {self.program}, {self.program_bytes} bytes"
        if self.policy is not None:
            yield f"policy     {self.policy}"
        nans = "the same everywhere" if self.canonical_nans else "the processor's"
        yield f"engine     {engine_version()}, {self.strategy}, bits of NaNs {nans}"
        if self.loaded is not None and times:
            how = "read from the cache" if self.loaded.from_cache else "compiled"
            yield (
                f"loading    checked in {self.loaded.check_seconds:.3f} s, "
                f"{how} in {self.loaded.compile_seconds:.3f} s"
            )
        for each in self.rounds or [self.last]:
            if len(self.rounds) > 1:
                yield f"round {each.number}"
            yield from (line for line in each.lines() if times or not line.startswith("run  "))


def _calls_text(calls: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in calls.items() if count) or "none"


def _profile_json(profile: Profiled | None) -> dict[str, object] | None:
    if profile is None:
        return None
    functions = [
        {"function": name, "self": itself, "total": total}
        for name, itself, total in profile.hottest
    ]
    return {"samples": profile.samples, "functions": functions}


def _profile_lines(profile: Profiled) -> Iterator[str]:
    if not profile.samples:
        yield "profile    the run ended before the first sample, after about 1 ms"
        return
    yield f"profile    {profile.samples} samples"
    yield "             self    total  function"
    for name, itself, total in profile.hottest:
        shares = (f"{100 * count / profile.samples:7.1f}%" for count in (itself, total))
        yield "         " + " ".join(shares) + f"  {name}"
