"""Runs a case by both strategies, and tells what is wrong with what the program did."""

from typing import Final

from execution_engine.abi_text import RETURN_CODES
from execution_engine.code_cache import CodeCache
from execution_engine.errors import EngineError, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.examples import same
from sdk.projects.cases import CaseRound, Datum, ProjectCase
from sdk.projects.showing import difference, shown
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Strategy
from veracruz_utils.refused_inputs import refused_input_of

RUN_SECONDS: Final = 60.0
_DIFFER: Final = (
    "the two strategies gave different results: does the result depend on random numbers?"
)


@frozen
class RoundSeen:
    """What a program did in a round.

    Attributes:
        code: what it returned; None if it did not.
        output: what it wrote; None for nothing.
        error: why it did not return.
    """

    code: int | None
    output: bytes | None = None
    error: str = ""


@frozen
class CaseSeen:
    """What a program did in a case.

    Attributes:
        faults: what is wrong, in lines; each names its strategy.
        rounds: what it did in each round, up to one from which it did not return; none if the
            strategies do not agree.
    """

    faults: tuple[str, ...]
    rounds: tuple[RoundSeen, ...]


def run_case(
    module: bytes, case: ProjectCase, *, cache: CodeCache, seconds: float = RUN_SECONDS
) -> CaseSeen:
    """Run a case by each strategy; the module is compiled once for all cases with a cache.

    A round may run for so many seconds.
    """
    faults: list[str] = []
    did: list[tuple[RoundSeen, ...]] = []
    for strategy in Strategy:
        try:
            seen = _run(module, case, strategy, cache, seconds)
        except EngineError as error:  # the module is refused, by every strategy
            return CaseSeen((f"{strategy.name}: {error}",), ())
        faults += [
            f"{strategy.name}: round {number}: {line}"
            for number, (due, done) in enumerate(zip(case.rounds, seen, strict=False), 1)
            for line in _faults(due, done, case.tolerance)
        ]
        did.append(seen)
    agreed = did[0] == did[1]
    if not faults and not agreed:
        faults.append(_DIFFER)
    return CaseSeen(tuple(faults), did[0] if agreed else ())


def _run(
    module: bytes, case: ProjectCase, strategy: Strategy, cache: CodeCache, seconds: float
) -> tuple[RoundSeen, ...]:
    limits = EngineLimits(run_seconds=seconds)
    rounds: list[RoundSeen] = []
    previous: bytes | None = None
    # A case says what comes out everywhere.
    with Program.load(
        module, strategy=strategy, limits=limits, canonical_nans=True, cache=cache
    ) as program:
        for each in case.rounds:
            inputs = RunInputs(
                inputs=[datum.data for datum in case.inputs],
                streams=[datum.data for datum in each.streams],
                previous_result=previous,
            )
            try:
                outcome = program.run(inputs, random=LinuxRandomSource())
            except EngineError as error:
                more = error.debug if isinstance(error, TrapError) else ""
                told = f"{error}: {more}" if more else str(error)
                return (*rounds, RoundSeen(None, error=told))
            rounds.append(RoundSeen(outcome.return_code, outcome.output))
            previous = outcome.output or b""
    return tuple(rounds)


def _faults(due: CaseRound, done: RoundSeen, tolerance: float) -> list[str]:
    if done.code is None:
        return [done.error]
    if done.code != due.code:
        return [f"code {_meaning(done.code)}, expected {_meaning(due.code)}"]
    expected, output = due.result, done.output
    if expected is None:
        return [] if output is None else [f"a result of {len(output)} bytes, expected none"]
    if output is None:
        return ["no result", f"expected {shown(expected)}"]
    return [] if is_right(expected, output, tolerance) else difference(expected, output)


def is_right(expected: Datum, output: bytes, tolerance: float) -> bool:
    """Whether a result is the expected one, floats within the tolerance and sets in any order."""
    if output == expected.data or expected.kind is None:
        return output == expected.data
    try:
        found = pinecone.decode(expected.kind, output)
        right = pinecone.decode(expected.kind, expected.data)
    except PineconeError:
        return False
    return same(expected.kind, found, right, tolerance=tolerance)


def _meaning(code: int) -> str:
    """A return code, with what it says of an input, or its name by the convention of programs."""
    refused = refused_input_of(code)
    said = RETURN_CODES.get(code) if refused is None else refused.words()
    return str(code) if code == 0 or said is None else f"{code} ({said})"
