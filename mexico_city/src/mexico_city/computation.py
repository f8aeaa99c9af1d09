"""One computation: what the policy allows, what is in, and what comes next.

Every method either does what was asked or raises `DeniedError` and has changed nothing. The
role is checked first, then the state, then the particulars. There is no input or output here: what
the guest has to do comes back as a value (`Job`), and what it answered goes in by `run_finished`
and so on. What principals provide is `provision`'s.
"""

import time
from collections.abc import Callable, Sequence

from colima.runtime import ComputationState, FailureReport, RefusalReason, TrapFrame
from mexico_city.attempts import UNTOLD, RunFailure, RunResult
from mexico_city.consents import Consents
from mexico_city.content import Content, content_of
from mexico_city.disclosure import Disclosure
from mexico_city.errors import DeniedError
from mexico_city.inputs import Package
from mexico_city.lifecycle import LifecycleEvent
from mexico_city.provision import Provision
from mexico_city.randomness import draw
from mexico_city.room import require_role
from mexico_city.stage import ComputationStage
from mexico_city.votes import Votes
from platform_services import RandomSource
from platform_services.seeded import SEED_BYTES
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import (
    PROGRAM_SENDERS,
    RESULT_READERS,
    Agreement,
    Policy,
    PolicyIdentity,
)


@frozen
class Job:
    """One run: what the guest needs for it.

    Attributes:
        inputs: what the program reads, in its order.
        streams: the same of this round's stream items.
        previous: the result of the round before; None in the first.
        seed: of the program's random numbers, if the policy says `deterministic`; else empty.
    """

    inputs: Sequence[Package]
    streams: Sequence[Package]
    previous: Content | None
    seed: bytes = b""


class Computation:
    """The state of one computation under one policy.

    Args:
        policy: what the principals agreed on.
        random: for salts, seeds and noise.
        host_time: the host's clock, for people: nothing is decided by it.

    Attributes:
        stage: its state, its round and the runs of that.
        provision: the program and the inputs.
        consents: who has agreed to the policy.
        disclosure: what of a result may leave.
        outcome: of this round, once there is one.
        round_votes: who asked for another round.
        shutdown_votes: who asked for the end.
    """

    def __init__(
        self,
        policy: Policy,
        random: RandomSource,
        host_time: Callable[[], float] = time.time,
    ) -> None:
        conduct = policy.conduct
        readers = policy.result_readers
        self.policy = policy
        self.stage = ComputationStage(conduct.attempts)
        self.consents = Consents(policy)
        self.provision = Provision(policy, self.stage, self.consents, random, host_time)
        self.disclosure = Disclosure(policy, random)
        self.outcome: RunResult | None = None
        self.round_votes = Votes(policy, conduct.next_round, "another round")
        self.shutdown_votes = Votes(policy, Agreement(len(readers), readers), "the end")
        self._random = random
        self._message = ""
        self._keeper_lost = False
        self._previous: Content | None = None
        self._taken: dict[int, set[int]] = {}

    # What became of the program.

    def program_refused(self, code: str) -> DeniedError:
        """The guest will not run this program, and the policy allows no other."""
        failure = RunFailure.of(RefusalReason.PROGRAM_REFUSED, code)
        return self._end(LifecycleEvent.PROGRAM_REFUSED, failure)

    def program_lost(self, reason: RefusalReason, code: str) -> DeniedError:
        """The guest ended over this program, and the policy allows no other."""
        return self._end(LifecycleEvent.PROGRAM_REFUSED, RunFailure.of(reason, code))

    # What readers ask.

    def request_result(
        self, identity: PolicyIdentity, *, retry: bool = False
    ) -> RunResult | Job | None:
        """The outcome if there is one, a job if the program has to run, None while it runs.

        After a run that failed the outcome is the same until an input has changed, or with `retry`.

        Raises:
            DeniedError: not a reader, not everything is in, this reader has had its share, the last
                run failed, a consent was taken back, its result could not be released, or a `retry`
                would spend what is needed for an input that is being changed.
        """
        require_role(identity, RESULT_READERS)
        if self.stage.state is ComputationState.FINISHED_EXECUTING:
            self._require_share(identity)
            return self.outcome
        failure = self.stage.attempts.failure
        if (
            self.stage.state is ComputationState.ERROR
            and failure is not None
            and isinstance(failure.answer, RunResult)
        ):
            return failure.answer
        self.stage.require(ComputationState.READY_TO_EXECUTE, told=True)
        self._require_share(identity)
        if self.stage.running:
            return None
        if failure is not None and not (retry or self.stage.attempts.stale):
            if isinstance(failure.answer, DeniedError):
                raise failure.answer.with_traceback(None)  # or it would grow by each
            return failure.answer
        if failure is not None and retry:
            self.provision.require_nothing_better()
        return self._begin_run()

    def handed_over(self, identity: PolicyIdentity) -> None:
        """This reader gets the result of this round; once more is no other result."""
        if self._rationed:
            self._taken.setdefault(identity.client_id, set()).add(self.stage.round)

    def may_have(self, identity: PolicyIdentity, turn: int) -> bool:
        """Whether this reader has had the result of a round, or may have it."""
        had = self._taken.get(identity.client_id, ())
        left = len(had) < self.policy.conduct.results_per_reader
        return not self._rationed or turn in had or (left and turn == self.stage.round)

    def run_finished(self, outcome: RunResult, message: str = "") -> None:
        """Record a run that returned; its message is kept under `debug` alone.

        An error code is a failure like others, but for a policy of 2021.
        """
        told = message if self.policy.debug else ""
        self.stage.running = False
        if outcome.return_code and self.policy.conduct.repairs:
            if outcome.output is not None:
                outcome.output.close()
            failed = RunResult(outcome.return_code, None, outcome.receipt)
            self._run_failed(RunFailure.by_code(failed, told, debug=self.policy.debug))
            return
        self._message = told
        self.outcome = outcome
        self.stage.apply(LifecycleEvent.RUN_FINISHED)

    def run_failed(
        self, reason: RefusalReason, code: str, frames: Sequence[TrapFrame] = (), message: str = ""
    ) -> DeniedError:
        """Record a run that ended early; where, and its message, are kept under `debug` alone.

        Under privacy nothing of it is kept but that it failed.
        """
        self.stage.running = False
        if self.disclosure.private:
            self._run_failed(RunFailure.untold())
            return DeniedError(RefusalReason.WITHHELD, found=UNTOLD)
        told = (tuple(frames), message) if self.policy.debug else ((), "")
        self._run_failed(RunFailure.of(reason, code, *told))
        return DeniedError(reason, found=code)

    def keeper_lost(self, code: str) -> DeniedError:
        """There will be no other guest; a finished round keeps its result."""
        self.stage.running = False
        self._keeper_lost = True
        failure = RunFailure.of(RefusalReason.GUEST_LOST, code)
        if self.stage.state is ComputationState.FINISHED_EXECUTING:
            return DeniedError(RefusalReason.GUEST_LOST, found=code)
        return self._end(LifecycleEvent.KEEPER_LOST, failure)

    def failure_report(self, identity: PolicyIdentity) -> FailureReport:
        """How the last run failed, for the program's provider; with `debug`, how it ended.

        Raises:
            DeniedError: not the program's provider, or nothing to report.
        """
        require_role(identity, PROGRAM_SENDERS)
        if self.policy.debug and self.stage.state is ComputationState.FINISHED_EXECUTING:
            assert self.outcome is not None
            code = self.outcome.return_code
            return FailureReport(f"returned: {code}" if code else "", (), self._message)
        if self.stage.attempts.failure is None:
            self.stage.require(ComputationState.ERROR)
        assert self.stage.attempts.failure is not None
        return self.stage.attempts.failure.report

    def next_round(self, identity: PolicyIdentity) -> bool:
        """Ask for another round, with this one's output as its previous result.

        False while others have to ask for it, too (`round_votes`).

        Raises:
            DeniedError: not a reader or none whose word counts, no finished round, none left, no
                guest to run another, or no privacy budget for its result.
        """
        require_role(identity, RESULT_READERS)
        self.stage.require(ComputationState.FINISHED_EXECUTING, told=True)
        if self.stage.round >= self.policy.conduct.rounds:
            raise DeniedError(
                RefusalReason.ROUNDS_USED,
                found=f"round {self.stage.round} is over",
                expected=f"rounds <= {self.policy.conduct.rounds}",
            )
        if self._keeper_lost:
            raise DeniedError(RefusalReason.GUEST_LOST, found="no guest process for another round")
        self.disclosure.require_budget()  # or this result would be given up for nothing
        self.round_votes.give(identity)
        if self.round_votes.met:
            self._begin_round()
            return True
        return False

    def shutdown(self, identity: PolicyIdentity) -> bool:
        """Count this reader's request; whether every reader has now asked.

        Raises:
            DeniedError: not a reader.
        """
        require_role(identity, RESULT_READERS)
        self.shutdown_votes.give(identity)
        return self.shutdown_votes.met

    def close(self) -> None:
        """Drop every secret."""
        self.provision.close()
        if self._previous is not None:
            self._previous.close()
        if self.outcome is not None and self.outcome.output is not None:
            self.outcome.output.close()

    # Inside.

    def _begin_run(self) -> Job:
        self.consents.require()
        inputs, streams = self.provision.data.in_order(), self.provision.streams.in_order()
        self.disclosure.require_run(inputs, streams)
        deterministic = self.policy.conduct.deterministic
        seed = draw(self._random, SEED_BYTES, "a seed") if deterministic else b""
        self.consents.bind()
        self.disclosure.pay()
        self.stage.running = True
        self.stage.attempts.begin()
        self._message = ""  # that of an earlier round says nothing of this one
        return Job(inputs, streams, self._previous, seed)

    def _begin_round(self) -> None:
        assert self.outcome is not None
        # Empty, not absent: a program tells its first round by there being no previous result.
        previous = self.outcome.output or content_of(b"")
        if self._previous is not None:
            self._previous.close()
        self._previous = previous
        self.outcome = None
        self.provision.streams.close()
        # A word is about the round that its reader saw, and must not count in a later one.
        self.round_votes.clear()
        self.shutdown_votes.clear()
        self.stage.attempts.next_round()
        self.stage.round += 1
        self.stage.apply(LifecycleEvent.ROUND_BEGUN)
        self.provision.settle()

    def _require_share(self, identity: PolicyIdentity) -> None:
        if not self.may_have(identity, self.stage.round):
            most = self.policy.conduct.results_per_reader
            raise DeniedError(
                RefusalReason.RESULTS_USED,
                found=f"{identity.label} has had {most} results",
                expected=f"results_per_reader <= {most}",
            )

    @property
    def _rationed(self) -> bool:
        """Whether a reader may have the results of fewer rounds than there may be."""
        return self.policy.conduct.results_per_reader < self.policy.conduct.rounds

    def _run_failed(self, failure: RunFailure) -> None:
        if self.stage.attempts.left:
            self.stage.attempts.fail(failure)
            self.stage.apply(LifecycleEvent.RUN_FAILED)
        else:
            self._end(LifecycleEvent.LAST_RUN_FAILED, failure)

    def _end(self, event: LifecycleEvent, failure: RunFailure) -> DeniedError:
        """Fail for good: what came in is of no more use."""
        if self.stage.state is not ComputationState.ERROR:
            self.stage.attempts.fail(failure)
            self.stage.apply(event)
            self.close()
        answer = failure.answer
        return answer if isinstance(answer, DeniedError) else DeniedError(RefusalReason.GUEST_LOST)
