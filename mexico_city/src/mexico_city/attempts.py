"""The runs of a round: how many there were, how the last one failed, and who may know what of it.

After a run that failed everybody is told its kind, readers its answer, and the program's provider
how it failed; under `debug` that is also where, and what the program said. The same failure is
answered again until there is another run: a program must not be asked for more than it was.
Under privacy everybody is told that the run failed, and nobody how.
"""

from collections.abc import Sequence
from typing import Final

from colima.runtime import Failure, FailureReport, RefusalReason, TrapFrame
from mexico_city.content import Content
from mexico_city.errors import DeniedError
from veracruz_utils.frozen import frozen

_KINDS: Final = {
    RefusalReason.TRAPPED: Failure.TRAPPED,
    RefusalReason.LIMIT_REACHED: Failure.LIMIT_REACHED,
    RefusalReason.GUEST_LOST: Failure.GUEST_LOST,
    RefusalReason.WITHHELD: Failure.WITHHELD,
    RefusalReason.PROGRAM_REFUSED: Failure.PROGRAM_REFUSED,
}

UNTOLD: Final = "how a run failed is not told under privacy"


@frozen
class RunResult:
    """How a run ended in which the program returned; `output` is None when it wrote none."""

    return_code: int
    output: Content | None
    receipt: bytes


@frozen
class RunFailure:
    """How a run failed.

    Attributes:
        kind: what everybody is told.
        answer: what readers are told.
        told: the kind, and a code of the engine's that says more of it, in words, for readers.
        report: how, for the program's provider, and under `debug` where and what it said.
    """

    kind: Failure
    answer: RunResult | DeniedError
    told: str
    report: FailureReport

    @property
    def in_public(self) -> str:
        """The kind, in words for everybody; and what is wrong with a program that none can run."""
        if self.kind is Failure.PROGRAM_REFUSED:
            return self.told
        return self.kind.name.lower().replace("_", " ")

    @classmethod
    def of(
        cls, reason: RefusalReason, code: str, frames: Sequence[TrapFrame] = (), message: str = ""
    ) -> "RunFailure":
        """Of a run that was ended: the reason, and a code that says more of it."""
        what = reason.name.lower().replace("_", " ")
        refused = reason is RefusalReason.PROGRAM_REFUSED
        told = f"the program was refused: {code}" if refused else f"{what}: {code}"
        report = FailureReport(told, tuple(frames), message)
        return cls(_KINDS[reason], DeniedError(reason, found=code), told, report)

    @classmethod
    def untold(cls) -> "RunFailure":
        """Of any run that failed under privacy: how it did depends on the inputs."""
        return cls.of(RefusalReason.WITHHELD, UNTOLD)

    @classmethod
    def by_code(cls, result: RunResult, message: str = "", *, debug: bool) -> "RunFailure":
        """Of a program that returned an error code; which one its provider is told under `debug`.

        Without it the code would be 32 bits that a program could tell its author, each attempt.
        """
        told = "the program returned an error code"
        report = FailureReport(f"returned: {result.return_code}" if debug else told, (), message)
        return cls(Failure.ERROR_CODE, result, told, report)


class Attempts:
    """The runs of one round after another.

    Args:
        most: how many there may be in a round.

    Attributes:
        begun: how many of this round were begun.
        failure: how the last of them failed; None if it did not, or is under way.
        stale: an input has changed since.
    """

    def __init__(self, most: int) -> None:
        self.begun = 0
        self.failure: RunFailure | None = None
        self.stale = False
        self._most = most

    @property
    def left(self) -> bool:
        """Whether there may be another in this round."""
        return self.begun < self._most

    @property
    def one_left(self) -> bool:
        """Whether there may be just one more, after others in this round."""
        return 0 < self.begun == self._most - 1

    def begin(self) -> None:
        """Another run begins."""
        self.begun += 1
        self.failure = None
        self.stale = False

    def fail(self, failure: RunFailure) -> None:
        """The last run failed, or the program itself was refused."""
        self.failure = failure

    def next_round(self) -> None:
        """Count anew."""
        self.begun = 0
        self.failure = None
