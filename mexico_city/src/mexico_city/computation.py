"""One computation: what the policy allows, what is in, and what comes next.

Every method either does what was asked or raises `DeniedError` and has changed nothing. The
role is checked first, then the state, then the particulars. There is no input or output here: what
the guest has to do comes back as a value (`Job`), and what it answered goes in by `program_loaded`,
`run_finished` and so on.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from colima.runtime import (
    ComputationState,
    ContentKind,
    Failure,
    FailureReport,
    Filling,
    InputPlace,
    RefusalReason,
    TrapFrame,
    Upload,
    Withdraw,
)
from mexico_city.attempts import UNTOLD, Attempts, RunFailure, RunResult
from mexico_city.consents import Consents
from mexico_city.content import Content, content_of
from mexico_city.disclosure import Disclosure
from mexico_city.errors import DeniedError
from mexico_city.inputs import Inputs, Package, Slot
from mexico_city.lifecycle import NEXT, LifecycleEvent
from mexico_city.room import require_role, require_room
from mexico_city.votes import Votes
from platform_services import PlatformError, RandomSource
from platform_services.seeded import SEED_BYTES
from psa_attestation.receipts.receipt import commit
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    DATA_SENDERS,
    PROGRAM_SENDERS,
    RESULT_READERS,
    STREAM_SENDERS,
    Agreement,
    Policy,
    PolicyIdentity,
)
from veracruz_utils.secret import Secret

_SENDS: Final = {
    ContentKind.PROGRAM: (ComputationState.INITIAL, PROGRAM_SENDERS),
    ContentKind.DATA: (ComputationState.DATA_SOURCES_LOADING, DATA_SENDERS),
    ContentKind.STREAM: (ComputationState.STREAM_SOURCES_LOADING, STREAM_SENDERS),
}
_ENDS: Final = {
    # Data may be withdrawn while it comes; then it is there before they are once more.
    ContentKind.STREAM: {ComputationState.DATA_SOURCES_LOADING},
}
"""When else an upload of a kind that is under way may end."""
_SALT_BYTES: Final = 32
_CHANGES: Final = {
    ContentKind.DATA: {
        ComputationState.DATA_SOURCES_LOADING,
        ComputationState.STREAM_SOURCES_LOADING,
        ComputationState.READY_TO_EXECUTE,
    },
    # Streams may be there before the data are once more.
    ContentKind.STREAM: {
        ComputationState.DATA_SOURCES_LOADING,
        ComputationState.STREAM_SOURCES_LOADING,
        ComputationState.READY_TO_EXECUTE,
    },
}
"""When inputs of a kind that are in may be replaced or withdrawn."""


@dataclass(frozen=True, slots=True)
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
        self.state = ComputationState.INITIAL
        self.round = 1
        self.running = False
        self.attempts = Attempts(conduct.attempts)
        self.consents = Consents(policy)
        self.disclosure = Disclosure(policy, random)
        self.outcome: RunResult | None = None
        self.program_digest: Digest | None = None
        self.round_votes = Votes(policy, conduct.next_round, "another round")
        self.shutdown_votes = Votes(policy, Agreement(len(readers), readers), "the end")
        self._random = random
        self._host_time = host_time
        self._message = ""
        self._keeper_lost = False
        self._previous: Content | None = None
        self._program: Slot | None = None
        self._program_since = 0
        self._data = Inputs(policy.data_provision_order)
        self._streams = Inputs(policy.streaming_order)
        self._taken: dict[int, set[int]] = {}

    # What principals send.

    def reserve(self, identity: PolicyIdentity, upload: Upload) -> Slot:
        """A place for what `identity` is about to send.

        Raises:
            DeniedError: wrong role, too early or too late, without the consents that the policy
                asks for, too much, or not expected.
        """
        state, roles = _SENDS[upload.kind]
        require_role(identity, roles)
        slot = Slot(upload.kind, identity.client_id, upload.package_id, upload.size)
        if upload.kind is ContentKind.PROGRAM:
            self._require_state(state)
            self._reserve_program(identity, upload, slot)
            return slot
        inputs = self._inputs(upload.kind)
        if inputs.find(identity.client_id, upload.package_id) is None or not upload.replace:
            if not self._is_duplicate(slot):
                self._require_state(state)
        else:
            self._require_changeable(upload.kind)
            slot = dataclasses.replace(slot, replaces=True)
        self.consents.require()
        # What others have only announced counts: it is going to be here beside this. What is in
        # the place itself does not: the program is never given both.
        require_room(self.policy, identity, upload, self._size_beside(slot))
        inputs.reserve(slot, identity.label)
        return slot

    def withdraw(self, identity: PolicyIdentity, request: Withdraw) -> None:
        """Forget an own input; its place is empty again.

        Raises:
            DeniedError: wrong role, too late, or it is not in.
        """
        if request.kind is ContentKind.PROGRAM:
            raise DeniedError(
                RefusalReason.NOT_EXPECTED, found="the program", expected="an input to withdraw"
            )
        require_role(identity, _SENDS[request.kind][1])
        self._require_changeable(request.kind)
        if not self._inputs(request.kind).remove(identity.client_id, request.package_id):
            kind = request.kind.name.lower()
            raise DeniedError(
                RefusalReason.NOT_EXPECTED,
                found=f"{kind} package {request.package_id} of {identity.label} is not in",
                expected="one that is in",
            )
        self.attempts.stale = True
        data = request.kind is ContentKind.DATA
        self._apply(LifecycleEvent.DATA_WITHDRAWN if data else LifecycleEvent.STREAM_WITHDRAWN)

    def release(self, slot: Slot) -> None:
        """The upload is not coming, or was refused at its end."""
        if slot.kind is ContentKind.PROGRAM:
            if self._program is slot:
                self._program = None
        else:
            self._inputs(slot.kind).release(slot)

    def hold(self, slot: Slot) -> None:
        """Keep a place again that was released a moment ago."""
        if slot.kind is ContentKind.PROGRAM:
            self._program = slot
        else:
            self._inputs(slot.kind).hold(slot)

    def holds(self, slot: Slot) -> bool:
        """Whether a place is kept for this upload."""
        if slot.kind is ContentKind.PROGRAM:
            return self._program is slot and self.state is ComputationState.INITIAL
        return self._inputs(slot.kind).holds(slot)

    def require_wanted(self, slot: Slot) -> None:
        """Refuse to go on with an upload that would be refused by now if it were announced.

        Raises:
            DeniedError: it is too late, or a consent was taken back.
        """
        self._require_time(slot)
        if slot.kind is not ContentKind.PROGRAM:
            self.consents.require()

    @property
    def gone_on(self) -> DeniedError:
        """Why an upload is not taken any more whose place is not kept."""
        return DeniedError(
            RefusalReason.WRONG_STATE,
            found=f"{self._where()}, round {self.round}"[:160],
            expected="an upload that was announced in this round",
        )

    def find(self, identity: PolicyIdentity, upload: Upload) -> Package | None:
        """The input that is in and is just what `identity` announces, by its digest."""
        if upload.kind is ContentKind.PROGRAM:
            return None
        package = self._inputs(upload.kind).find(identity.client_id, upload.package_id)
        if package is None or package.content.digest.value != upload.digest:
            return None
        return package

    def has_program(self, identity: PolicyIdentity, upload: Upload) -> bool:
        """Whether the program that `identity` announces, by digest, is in, and is its to send."""
        return (
            upload.kind is ContentKind.PROGRAM
            and bool(PROGRAM_SENDERS & identity.roles)
            and self.state is not ComputationState.ERROR
            and self.program_digest is not None
            and self.program_digest.value == upload.digest
        )

    def provide(self, slot: Slot, content: Content) -> Package:
        """An input is in.

        Raises:
            DeniedError: the computation failed or went on in the meantime, its place is not kept
                any more, or there is no salt to be had; the slot is given back.
        """
        try:
            self._require_time(slot)
            if not self.holds(slot):
                raise self.gone_on
            salt = self._draw(_SALT_BYTES, "a commitment")
        except DeniedError:
            self.release(slot)
            raise
        since = max(0, int(self._host_time()))
        package = Package(slot, content, Secret(salt), commit(salt, content.digest.value), since)
        self._inputs(slot.kind).fill(package)
        self.attempts.stale = True
        self._settle()
        return package

    def check_program(self, slot: Slot, content: Content) -> None:
        """The program has arrived: it is the policy's, or it is refused and the slot given back.

        Raises:
            DeniedError: its digest is not the policy's, or the computation failed in the meantime.
        """
        # The file is sealed: nobody can change it between this check and the guest's use of it.
        try:
            self._require_program(content.digest)
        except DeniedError:
            self.release(slot)
            raise
        self._require_state(ComputationState.INITIAL)

    def program_loaded(self) -> None:
        """A guest has compiled the program."""
        self.program_digest = self.policy.program_digest
        self._program_since = max(0, int(self._host_time()))
        self._apply(LifecycleEvent.PROGRAM_LOADED)
        self._settle()

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
        if self.state is ComputationState.FINISHED_EXECUTING:
            self._require_share(identity)
            return self.outcome
        failure = self.attempts.failure
        if (
            self.state is ComputationState.ERROR
            and failure is not None
            and isinstance(failure.answer, RunResult)
        ):
            return failure.answer
        self._require_state(ComputationState.READY_TO_EXECUTE, told=True)
        self._require_share(identity)
        if self.running:
            return None
        if failure is not None and not (retry or self.attempts.stale):
            if isinstance(failure.answer, DeniedError):
                raise failure.answer.with_traceback(None)  # or it would grow by each
            return failure.answer
        if failure is not None and retry:
            self._require_nothing_better()
        return self._begin_run()

    def handed_over(self, identity: PolicyIdentity) -> None:
        """This reader gets the result of this round; once more is no other result."""
        if self._rationed:
            self._taken.setdefault(identity.client_id, set()).add(self.round)

    def may_have(self, identity: PolicyIdentity, turn: int) -> bool:
        """Whether this reader has had the result of a round, or may have it."""
        had = self._taken.get(identity.client_id, ())
        left = len(had) < self.policy.conduct.results_per_reader
        return not self._rationed or turn in had or (left and turn == self.round)

    def run_finished(self, outcome: RunResult, message: str = "") -> None:
        """Record a run that returned; its message is kept under `debug` alone.

        An error code is a failure like others, but for a policy of 2021.
        """
        told = message if self.policy.debug else ""
        self.running = False
        if outcome.return_code and self.policy.conduct.repairs:
            if outcome.output is not None:
                outcome.output.close()
            failed = RunResult(outcome.return_code, None, outcome.receipt)
            self._run_failed(RunFailure.by_code(failed, told, debug=self.policy.debug))
            return
        self._message = told
        self.outcome = outcome
        self._apply(LifecycleEvent.RUN_FINISHED)

    def run_failed(
        self, reason: RefusalReason, code: str, frames: Sequence[TrapFrame] = (), message: str = ""
    ) -> DeniedError:
        """Record a run that ended early; where, and its message, are kept under `debug` alone.

        Under privacy nothing of it is kept but that it failed.
        """
        self.running = False
        if self.disclosure.private:
            self._run_failed(RunFailure.untold())
            return DeniedError(RefusalReason.WITHHELD, found=UNTOLD)
        told = (tuple(frames), message) if self.policy.debug else ((), "")
        self._run_failed(RunFailure.of(reason, code, *told))
        return DeniedError(reason, found=code)

    def keeper_lost(self, code: str) -> DeniedError:
        """There will be no other guest; a finished round keeps its result."""
        self.running = False
        self._keeper_lost = True
        failure = RunFailure.of(RefusalReason.GUEST_LOST, code)
        if self.state is ComputationState.FINISHED_EXECUTING:
            return DeniedError(RefusalReason.GUEST_LOST, found=code)
        return self._end(LifecycleEvent.KEEPER_LOST, failure)

    def failure_report(self, identity: PolicyIdentity) -> FailureReport:
        """How the last run failed, for the program's provider; with `debug`, how it ended.

        Raises:
            DeniedError: not the program's provider, or nothing to report.
        """
        require_role(identity, PROGRAM_SENDERS)
        if self.policy.debug and self.state is ComputationState.FINISHED_EXECUTING:
            assert self.outcome is not None
            code = self.outcome.return_code
            return FailureReport(f"returned: {code}" if code else "", (), self._message)
        if self.attempts.failure is None:
            self._require_state(ComputationState.ERROR)
        assert self.attempts.failure is not None
        return self.attempts.failure.report

    def next_round(self, identity: PolicyIdentity) -> bool:
        """Ask for another round, with this one's output as its previous result.

        False while others have to ask for it, too (`round_votes`).

        Raises:
            DeniedError: not a reader or none whose word counts, no finished round, none left, no
                guest to run another, or no privacy budget for its result.
        """
        require_role(identity, RESULT_READERS)
        self._require_state(ComputationState.FINISHED_EXECUTING, told=True)
        if self.round >= self.policy.conduct.rounds:
            raise DeniedError(
                RefusalReason.ROUNDS_USED,
                found=f"round {self.round} is over",
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

    # What every member is told.

    @property
    def failure(self) -> Failure:
        """How the last run failed."""
        last = self.attempts.failure
        return Failure.NONE if last is None else last.kind

    @property
    def places(self) -> tuple[InputPlace, ...]:
        """The program's place and those of the orders, and what is in them."""
        providers = [each for each in self.policy.identities if each.roles & PROGRAM_SENDERS]
        program = InputPlace(ContentKind.PROGRAM, 0, providers[0].client_id, Filling.MISSING)
        if self._program is not None:
            program = dataclasses.replace(
                program,
                client_id=self._program.client_id,
                filling=Filling.FILLED if self.program_digest else Filling.ARRIVING,
                size=self._program.size,
                since=self._program_since,
            )
        data = _places(ContentKind.DATA, self._data)
        return (program, *data, *_places(ContentKind.STREAM, self._streams))

    def close(self) -> None:
        """Drop every secret."""
        self._data.close()
        self._streams.close()
        if self._previous is not None:
            self._previous.close()
        if self.outcome is not None and self.outcome.output is not None:
            self.outcome.output.close()

    # Inside.

    def _reserve_program(self, identity: PolicyIdentity, upload: Upload, slot: Slot) -> None:
        require_room(self.policy, identity, upload, 0)
        if upload.digest:
            self._require_program(Digest(upload.digest))
        if self._program is not None:
            raise DeniedError(
                RefusalReason.BUSY, found="another upload of the program is under way"
            )
        self._program = slot

    def _require_nothing_better(self) -> None:
        """Refuse another run if waiting for an input to change promises more."""
        if self._data.replacing or self._streams.replacing:
            raise DeniedError(
                RefusalReason.BUSY,
                found="an input is being replaced",
                expected="another run when the new one is in",
            )
        repairable = any(
            self._inputs(kind).expected and self._changeable(kind)
            for kind in (ContentKind.DATA, ContentKind.STREAM)
        )
        if repairable and self.attempts.one_left and not self.attempts.stale:
            raise DeniedError(
                RefusalReason.ATTEMPTS_USED,
                found="one attempt is left in this round",
                expected="an input that has changed since the last",
            )

    def _begin_run(self) -> Job:
        self.consents.require()
        inputs, streams = self._data.in_order(), self._streams.in_order()
        self.disclosure.require_run(inputs, streams)
        seed = self._draw(SEED_BYTES, "a seed") if self.policy.conduct.deterministic else b""
        self.consents.bind()
        self.disclosure.pay()
        self.running = True
        self.attempts.begin()
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
        self._streams.close()
        # A word is about the round that its reader saw, and must not count in a later one.
        self.round_votes.clear()
        self.shutdown_votes.clear()
        self.attempts.next_round()
        self.round += 1
        self._apply(LifecycleEvent.ROUND_BEGUN)
        self._settle()

    def _draw(self, size: int, purpose: str) -> bytes:
        try:
            return self._random.fill(size)
        except PlatformError as error:
            raise DeniedError(
                RefusalReason.BUSY, found=f"no random bytes for {purpose}", expected="try again"
            ) from error

    def _inputs(self, kind: ContentKind) -> Inputs:
        return self._data if kind is ContentKind.DATA else self._streams

    def _size_beside(self, slot: Slot) -> int:
        """Bytes of inputs that are in or on their way in all places but this one."""
        return sum(
            inputs.size(beside=slot if kind is slot.kind else None)
            for kind, inputs in (
                (ContentKind.DATA, self._data),
                (ContentKind.STREAM, self._streams),
            )
        )

    def _is_duplicate(self, slot: Slot) -> bool:
        """Whether it is refused for being in, which says more than the state does."""
        there = self._inputs(slot.kind).find(slot.client_id, slot.package_id)
        return there is not None and self._changeable(slot.kind)

    def _changeable(self, kind: ContentKind) -> bool:
        """Whether inputs of this kind that are in have still been in no result."""
        used = kind is ContentKind.DATA and self.round > 1
        return self.state in _CHANGES[kind] and not self.running and not used

    def _require_time(self, slot: Slot) -> None:
        """Refuse what does not come in time for its place."""
        if slot.replaces:
            self._require_changeable(slot.kind)
        elif self.state not in _ENDS.get(slot.kind, ()):
            self._require_state(_SENDS[slot.kind][0])

    def _require_changeable(self, kind: ContentKind) -> None:
        if self._changeable(kind):
            return
        found = "a run is under way" if self.running else f"{self._where()}, round {self.round}"
        what = "data" if kind is ContentKind.DATA else "streams"
        raise DeniedError(
            RefusalReason.WRONG_STATE,
            found=found[:160],
            expected=f"{what} that are in no result yet, and no run under way",
        )

    def _require_share(self, identity: PolicyIdentity) -> None:
        if not self.may_have(identity, self.round):
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

    def _where(self, *, told: bool = False) -> str:
        """The state, and how the computation failed: its kind, or with `told` what readers are."""
        failure = self.attempts.failure
        if self.state is not ComputationState.ERROR or failure is None:
            return self.state.name
        return f"{self.state.name} ({failure.told if told else failure.in_public})"

    def _require_state(self, expected: ComputationState, *, told: bool = False) -> None:
        if self.state is not expected:
            raise DeniedError(
                RefusalReason.WRONG_STATE,
                found=self._where(told=told)[:160],
                expected=expected.name,
            )

    def _require_program(self, digest: Digest) -> None:
        if digest != self.policy.program_digest:
            raise DeniedError(
                RefusalReason.WRONG_PROGRAM,
                found=f"a program with digest {digest}",
                expected=str(self.policy.program_digest),
            )

    def _apply(self, event: LifecycleEvent) -> None:
        self.state = NEXT[self.state, event]

    def _settle(self) -> None:
        """Pass through the loading states that have nothing left to load."""
        if self.state is ComputationState.DATA_SOURCES_LOADING and self._data.complete:
            self._apply(LifecycleEvent.DATA_COMPLETE)
        if self.state is ComputationState.STREAM_SOURCES_LOADING and self._streams.complete:
            self._apply(LifecycleEvent.STREAMS_COMPLETE)

    def _run_failed(self, failure: RunFailure) -> None:
        if self.attempts.left:
            self.attempts.fail(failure)
            self._apply(LifecycleEvent.RUN_FAILED)
        else:
            self._end(LifecycleEvent.LAST_RUN_FAILED, failure)

    def _end(self, event: LifecycleEvent, failure: RunFailure) -> DeniedError:
        """Fail for good: what came in is of no more use."""
        if self.state is not ComputationState.ERROR:
            self.attempts.fail(failure)
            self._apply(event)
            self.close()
        answer = failure.answer
        return answer if isinstance(answer, DeniedError) else DeniedError(RefusalReason.GUEST_LOST)


def _places(kind: ContentKind, inputs: Inputs) -> list[InputPlace]:
    found = []
    for index, (client_id, there) in enumerate(inputs.places()):
        place = InputPlace(kind, index, client_id, Filling.MISSING)
        if isinstance(there, Package):
            place = InputPlace(
                kind,
                index,
                client_id,
                Filling.FILLED,
                there.slot.package_id,
                there.content.size,
                there.since,
            )
        elif there is not None:
            place = InputPlace(kind, index, client_id, Filling.ARRIVING, *there)
        found.append(place)
    return found
