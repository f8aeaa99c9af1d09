"""Decides requests, gives the guest process its work and answers the principals who wait."""

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from colima import isolate
from colima.runtime import (
    Accepted,
    Awaited,
    ComputationState,
    Consent,
    ContentKind,
    DigestIs,
    Done,
    Failure,
    GetFailureReport,
    GetPolicyDigest,
    GetProgramDigest,
    GetReceipt,
    GetResult,
    GetState,
    NextRound,
    ProgramFailed,
    ReceiptIs,
    RefusalReason,
    Request,
    Response,
    ResultIs,
    Revoke,
    Shutdown,
    StateIs,
    TrapFrame,
    Upload,
    Withdraw,
)
from mexico_city.arrivals import TAKEN_OVER, Arrival, ArrivingUploads
from mexico_city.attempts import RunResult
from mexico_city.code_exchange import CodeExchange
from mexico_city.computation import Computation, Job
from mexico_city.content import Content, Sealing
from mexico_city.dialogue import Dialogue
from mexico_city.disclosure import Releasing, WithheldError
from mexico_city.errors import DeniedError, RuntimeFailure
from mexico_city.guest_link import GuestLink, GuestLostError
from mexico_city.receipts import END_OF, EndedRun, ReceiptBook
from psa_attestation.receipts.receipt import RunEnd
from veracruz_utils.digest import Digest
from veracruz_utils.policy import PROGRAM_SENDERS, PolicyIdentity

NO_COPY: Final = DeniedError(
    RefusalReason.BUSY, found="the isolate has too many open files", expected="try again"
)


class Runtime:
    """One computation, its guest process and the principals who wait for it."""

    def __init__(
        self,
        computation: Computation,
        guest: GuestLink,
        code: CodeExchange,
        receipts: ReceiptBook,
    ) -> None:
        self.computation = computation
        self.guest = guest
        self.shut_down = False
        self._arrivals = ArrivingUploads(computation.provision)
        self._code = code
        self._receipts = receipts
        self._loading: tuple[Dialogue, Content] | None = None
        self._program: Content | None = None
        self._next: Job | None = None
        self._job: tuple[Job, int] | None = None
        self._releasing: tuple[Job, isolate.Finished, Releasing] | None = None
        self._readers: list[Dialogue] = []
        self._answers: list[tuple[Dialogue, Response, Content | None]] = []

    # What principals ask; see `dialogue.RequestHandler`.

    def request(self, dialogue: Dialogue, request: Request) -> Response | Arrival | None:  # noqa: PLR0911 - one per request
        """Decide a request.

        Raises:
            DeniedError: it is refused and nothing has changed.
        """
        computation = self.computation
        match request:
            case Upload():
                return self._announced(dialogue, request)
            case Withdraw():
                computation.provision.withdraw(dialogue.identity, request)
                return Done()
            case GetResult():
                self._result(dialogue, retry=request.retry)
                return None
            case NextRound():
                if computation.next_round(dialogue.identity):
                    self._arrivals.round_begun()
                    return Done()
                return Awaited(computation.round_votes.awaited)
            case Shutdown():
                if computation.shutdown(dialogue.identity):
                    self.shut_down = True
                    return Done()
                return Awaited(computation.shutdown_votes.awaited)
            case Consent():
                computation.consents.give(dialogue.identity, request.signature)
                return Done()
            case Revoke():
                computation.consents.revoke(dialogue.identity)
                return Done()
            case _:
                return self._query(dialogue, request)

    def _query(self, dialogue: Dialogue, request: Request) -> Response:
        """The answer to what changes nothing.

        Raises:
            DeniedError: it is refused.
        """
        computation = self.computation
        match request:
            case GetState():
                return StateIs(
                    computation.stage.state,
                    computation.stage.round,
                    computation.stage.running,
                    attempt=computation.stage.attempts.begun,
                    failure=computation.stage.failure,
                    places=computation.provision.places,
                    shutdown_awaited=computation.shutdown_votes.awaited,
                    round_awaited=computation.round_votes.awaited,
                    consent_awaited=computation.consents.awaited,
                    receipts=self._receipts.count,
                )
            case GetPolicyDigest():
                return DigestIs(computation.policy.digest.value)
            case GetProgramDigest():
                if computation.provision.program_digest is None:
                    raise DeniedError(
                        RefusalReason.WRONG_STATE, found="no program yet", expected="a program"
                    )
                return DigestIs(computation.provision.program_digest.value)
            case GetFailureReport():
                return computation.failure_report(dialogue.identity)
            case GetReceipt():
                return ReceiptIs(self._receipt(request.number, dialogue.identity))
            case _:
                raise DeniedError(RefusalReason.BAD_REQUEST, found=type(request).__name__)

    def _receipt(self, number: int, member: PolicyIdentity) -> bytes:
        may_have = partial(self.computation.may_have, member)
        return self._receipts.receipt(number, member, may_have=may_have)

    def _announced(self, dialogue: Dialogue, upload: Upload) -> Response | Arrival | None:
        """Let an upload come, or say that it is in: its principal may have missed the answer."""
        identity = dialogue.identity
        package = self.computation.provision.find(identity, upload)
        if package is not None:
            return Accepted(package.salt.reveal(), package.commitment)
        if self.computation.provision.has_program(identity, upload):
            return Done()
        if self._is_loading(identity, upload):
            self._wait_for_loading(dialogue)
            return None
        return self._arrivals.announce(identity, upload, dialogue)

    def _is_loading(self, identity: PolicyIdentity, upload: Upload) -> bool:
        if self._loading is None or not PROGRAM_SENDERS & identity.roles:
            return False
        announced = (upload.kind, upload.digest)
        return announced == (ContentKind.PROGRAM, self._loading[1].digest.value)

    def _wait_for_loading(self, dialogue: Dialogue) -> None:
        """Have the answer to the program go to this session instead of the one that sent it."""
        assert self._loading is not None
        before, content = self._loading
        self._loading = (dialogue, content)
        before.end(TAKEN_OVER, at_once=True)

    def provided(self, dialogue: Dialogue, arrival: Arrival, content: Content) -> Response | None:
        """All of an upload is here.

        Raises:
            DeniedError: it is refused and nothing has changed.
        """
        self._arrivals.arrived(arrival)
        slot = arrival.slot
        if arrival.digest and content.digest.value != arrival.digest:
            self.computation.provision.release(slot)
            raise DeniedError(
                RefusalReason.WRONG_CONTENT,
                found=f"content with digest {content.digest}",
                expected=f"{Digest(arrival.digest)}, as announced",
            )
        if slot.kind is not ContentKind.PROGRAM:
            package = self.computation.provision.provide(slot, content)
            return Accepted(package.salt.reveal(), package.commitment)
        self.computation.provision.check_program(slot, content)
        self._loading = (dialogue, content)
        self._load(content)
        return None

    def abandoned(self, arrival: Arrival) -> None:
        """An upload cannot be finished."""
        self._arrivals.give_up(arrival)

    def broke_off(self, dialogue: Dialogue, arrival: Arrival) -> None:
        """An upload will not be finished in this session; perhaps in another."""
        self._arrivals.broke_off(arrival, dialogue, time.monotonic())

    def forget(self, now: float) -> None:
        """Drop what is of no more use; to be called now and again."""
        self._arrivals.forget(now)

    def left(self, dialogue: Dialogue) -> None:
        """A principal is gone; what it started goes on."""
        if dialogue in self._readers:
            self._readers.remove(dialogue)

    def _result(self, dialogue: Dialogue, *, retry: bool) -> None:
        """See to it that the outcome is handed over, at once or when the run has ended."""
        found = self.computation.request_result(dialogue.identity, retry=retry)
        if isinstance(found, RunResult):
            self._hand_over(dialogue, found)
            return
        self._readers.append(dialogue)
        if isinstance(found, Job):
            self._start(found)

    def deliver(self) -> None:
        """Give the answers that became due; call after anything else here was called.

        Answers wait for this moment because a dialogue must be done asking before it is answered.
        """
        answers, self._answers = self._answers, []
        for dialogue, response, content in answers:
            if not dialogue.over:
                _answer(dialogue, response, content)
            elif content is not None:
                content.close()

    def wipe(self) -> None:
        """Drop every secret, at once; nobody will be answered any more."""
        self._drop_job(RefusalReason.EXPIRED)
        answers, self._answers = self._answers, []
        for _, _, content in answers:
            if content is not None:
                content.close()
        self._arrivals.close()
        self._forget_program()
        self.computation.close()

    @property
    def busy(self) -> bool:
        """Whether there is something to do at once: to `deliver` answers, or to `go_on`."""
        return bool(self._answers) or self._releasing is not None or self._code.busy

    # What the guest does.

    def guest_readable(self) -> None:
        """The guest said something, or ended."""
        try:
            answer = self.guest.receive()
            if answer is not None:
                self._guest_answered(answer)
        except GuestLostError as lost:
            self._guest_lost(lost)

    def check_guest(self, now: float) -> None:
        """Kill a guest whose time is up; `now` in seconds of the monotonic clock."""
        try:
            self.guest.check_deadline(now)
        except GuestLostError as lost:
            self._guest_lost(lost)

    def _load(self, program: Content) -> None:
        """Have a guest take the program, a new one if the last is gone."""
        try:
            if not self.guest.alive:
                self.guest.renew()
            self.guest.load(program, code=self._code.for_guest, now=time.monotonic())
        except GuestLostError as lost:
            self._guest_lost(lost)
        except OSError:  # there is no file for its code
            self.guest.kill()
            self._guest_lost(GuestLostError("no-room"))

    def _start(self, job: Job) -> None:
        """Run the program, in a guest that may have to be given it first."""
        self._next = job
        if self.guest.loaded:
            self._run()
        else:
            assert self._program is not None
            self._load(self._program)

    def _run(self) -> None:
        assert self._next is not None
        try:
            output = self.guest.run(self._next, now=time.monotonic())
        except GuestLostError as lost:
            self._guest_lost(lost)
        else:
            self._job, self._next = (self._next, output), None

    def _guest_answered(self, answer: isolate.FromGuest) -> None:
        match answer:
            case isolate.Loaded(code_size) if self._loading is not None:
                dialogue, self._program = self._end_loading(code_size)
                self.computation.provision.program_loaded()
                self._answers.append((dialogue, Done(), None))
            case isolate.Loaded(code_size) if self._next is not None:
                self._code.loading_ended(code_size)
                self._run()
            case isolate.LoadRefused(code) if self._loading is not None:
                self._give_up_loading(self.computation.program_refused(code))
            case isolate.LimitReached(code) if self._loading is not None or self._next is not None:
                self.guest.kill()
                self._guest_lost(GuestLostError(code, reason=RefusalReason.LIMIT_REACHED))
            case isolate.Finished() if self._job is not None:
                self._finished(answer)
            case isolate.Trapped(code, frames, message) if self._job is not None:
                self._failed(RefusalReason.TRAPPED, code, frames, message)
            case isolate.LimitReached(code) if self._job is not None:
                self._failed(RefusalReason.LIMIT_REACHED, code)
            case _:
                self._distrust_guest()

    def _finished(self, finished: isolate.Finished) -> None:
        assert self._job is not None
        (job, output), self._job = self._job, None
        limit = self.computation.policy.limits.output_bytes
        try:
            sealing = Sealing(output, size=finished.output_size, limit=limit)
        except RuntimeFailure:
            self._note_failure(job, RefusalReason.GUEST_LOST)
            self._distrust_guest()
            return
        release = self.computation.disclosure.release(
            sealing, succeeded=finished.return_code == 0, wrote=finished.wrote_output
        )
        self._releasing = (job, finished, release)

    def go_on(self) -> None:
        """Do a part of what takes long, while `busy`: making of what the guest wrote a result."""
        self._code.go_on()
        if self._releasing is None:
            return
        job, finished, release = self._releasing
        try:
            content = release.step()
        except WithheldError as withheld:
            self._releasing = None
            self._withhold(job, finished, withheld)
            return
        if content is not None:
            self._releasing = None
            self._conclude(job, finished, content)

    def _conclude(self, job: Job, finished: isolate.Finished, content: Content) -> None:
        code = finished.return_code
        if code and self.computation.disclosure.private:
            content.close()
            self._withhold(job, finished, WithheldError("an error code"))
            return
        released = code == 0 and finished.wrote_output
        digest = content.digest.value if released else None
        end = RunEnd.FINISHED if code == 0 else RunEnd.ERROR_CODE
        receipt = self._report_return(job, finished, end, code=code, digest=digest)
        output: Content | None = content
        if not finished.wrote_output:
            content.close()
            output = None
        outcome = RunResult(code, output, receipt)
        self.computation.run_finished(outcome, finished.message)
        self._after_run()
        readers, self._readers = self._readers, []
        for reader in readers:
            self._hand_over(reader, outcome)

    def _withhold(self, job: Job, finished: isolate.Finished, withheld: WithheldError) -> None:
        """Its result must not be released: nobody gets anything of it."""
        reason = RefusalReason.WITHHELD
        if self.computation.disclosure.private:
            self._note_failure(job, reason)
        else:
            self._report_return(job, finished, RunEnd.WITHHELD, code=0, digest=None)
        message = finished.message
        refusal = self.computation.run_failed(reason, withheld.rule, (), message)
        self._after_run()
        self._refuse_readers(refusal)

    def _report_return(
        self, job: Job, finished: isolate.Finished, end: RunEnd, *, code: int, digest: bytes | None
    ) -> bytes:
        """The receipt of a run in which the program came to its end."""
        disclosure = self.computation.disclosure
        report = EndedRun(
            end,
            return_code=code,
            output_digest=digest,
            run_ms=None if disclosure.private else finished.run_ms,
            fuel=None if disclosure.private else finished.fuel,
            privacy=disclosure.balance,
        )
        return self._receipts.write(job, self.computation.stage.round, report)

    def _hand_over(self, reader: Dialogue, outcome: RunResult) -> None:
        """Answer a reader with the outcome of the round."""
        if outcome.return_code != 0:
            failed = ProgramFailed(outcome.return_code, outcome.receipt)
            self._answers.append((reader, failed, None))
            return
        try:
            output = outcome.output.duplicate() if outcome.output is not None else None
        except OSError:
            self._answers.append((reader, NO_COPY.answer, None))
            return
        self.computation.handed_over(reader.identity)
        result = ResultIs(output is not None, output.size if output else 0, outcome.receipt)
        self._answers.append((reader, result, output))

    def _failed(
        self, reason: RefusalReason, code: str, frames: Sequence[TrapFrame] = (), message: str = ""
    ) -> None:
        self._drop_job(reason)
        refusal = self.computation.run_failed(reason, code, frames, message)
        self._after_run()
        self._refuse_readers(refusal)

    def _after_run(self) -> None:
        """Part with a guest whose run failed: it must keep nothing for the next attempt."""
        if self.computation.stage.failure is not Failure.NONE:
            self.guest.kill()
        if self.computation.stage.state is ComputationState.ERROR:
            self._forget_program()

    def _note_failure(self, job: Job, reason: RefusalReason) -> None:
        """Write the receipt of a run that ended early, or must not tell how it ended."""
        disclosure = self.computation.disclosure
        end = END_OF.get(reason, RunEnd.GUEST_LOST)
        if disclosure.private:
            end = RunEnd.WITHHELD
        report = EndedRun(end, privacy=disclosure.balance)
        self._receipts.write(job, self.computation.stage.round, report)

    def _distrust_guest(self) -> None:
        """End a guest that broke its side of the protocol: a program may have taken it over."""
        self.guest.kill()
        self._guest_lost(GuestLostError("protocol"))

    def _guest_lost(self, lost: GuestLostError) -> None:
        """There is no guest: the program that it was given, or the run, has failed."""
        running = self.computation.stage.running
        self._drop_job(lost.reason)
        if self._loading is not None:
            self._give_up_loading(self.computation.program_lost(lost.reason, lost.code))
        elif running:
            refusal = self.computation.run_failed(lost.reason, lost.code)
            self._after_run()
            self._refuse_readers(refusal)
        if not self.guest.renewable:
            self.computation.keeper_lost(lost.code)
            self._forget_program()

    def _end_loading(self, code_size: int = 0) -> tuple[Dialogue, Content]:
        """The program is loaded or not; who provided it, and what it is."""
        assert self._loading is not None
        loading, self._loading = self._loading, None
        self._code.loading_ended(code_size)
        return loading

    def _give_up_loading(self, refusal: DeniedError) -> None:
        dialogue, content = self._end_loading()
        content.close()
        self._forget_program()
        self._answers.append((dialogue, refusal.answer, None))

    def _forget_program(self) -> None:
        """There will be no run any more."""
        self._code.close()
        if self._program is not None:
            self._program.close()

    def _drop_job(self, reason: RefusalReason) -> None:
        """Forget the run that is under way, if there is one; its receipt says why."""
        if self._next is not None:
            job, self._next = self._next, None
            self._note_failure(job, reason)
        if self._job is not None:
            (job, output), self._job = self._job, None
            os.close(output)
            self._note_failure(job, reason)
        if self._releasing is not None:
            (job, _, release), self._releasing = self._releasing, None
            release.close()
            self._note_failure(job, reason)

    def _refuse_readers(self, refusal: DeniedError) -> None:
        readers, self._readers = self._readers, []
        self._answers += [(reader, refusal.answer, None) for reader in readers]


def _answer(dialogue: Dialogue, response: Response, content: Content | None) -> None:
    """Answer one principal; what goes wrong with it must not keep the others from their answers."""
    try:
        dialogue.answer(response, content)
    except Exception:  # noqa: BLE001 - as in `front`: it ends that session alone
        dialogue.over = True
