"""Where a computation stands: its state, its round, and the runs of that round."""

from colima.runtime import ComputationState, Failure, RefusalReason
from mexico_city.attempts import Attempts
from mexico_city.errors import DeniedError
from mexico_city.lifecycle import NEXT, LifecycleEvent


class ComputationStage:
    """The state of a computation, which only `apply` changes.

    Args:
        attempts: how many runs there may be in a round.

    Attributes:
        state: by the table of `lifecycle`.
        round: the one that is under way or finished, from 1 on.
        running: whether a run is under way.
        attempts: the runs of this round.
    """

    def __init__(self, attempts: int) -> None:
        self.state = ComputationState.INITIAL
        self.round = 1
        self.running = False
        self.attempts = Attempts(attempts)

    @property
    def failure(self) -> Failure:
        """How the last run failed."""
        last = self.attempts.failure
        return Failure.NONE if last is None else last.kind

    def apply(self, event: LifecycleEvent) -> None:
        """Go on to the state that follows by the table."""
        self.state = NEXT[self.state, event]

    def where(self, *, told: bool = False) -> str:
        """The state, and how the computation failed: its kind, or with `told` what readers are."""
        failure = self.attempts.failure
        if self.state is not ComputationState.ERROR or failure is None:
            return self.state.name
        return f"{self.state.name} ({failure.told if told else failure.in_public})"

    def require(self, expected: ComputationState, *, told: bool = False) -> None:
        """Refuse what belongs into another state; with `told` to one who is told what readers are.

        Raises:
            DeniedError: the state is another one.
        """
        if self.state is not expected:
            raise DeniedError(
                RefusalReason.WRONG_STATE,
                found=self.where(told=told)[:160],
                expected=expected.name,
            )
