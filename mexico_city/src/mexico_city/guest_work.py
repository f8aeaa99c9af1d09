"""The work of the guest process: the program is given to it, then runs, and what it says is judged.

A principal who provides the program is answered when a guest has compiled it, readers when a run
has ended. A guest that does what it should not, or overruns a limit, is ended.
"""

import os
import time
from collections.abc import Sequence

from colima import isolate
from colima.runtime import (
    ComputationState,
    ContentKind,
    Done,
    Failure,
    RefusalReason,
    TrapFrame,
    Upload,
)
from mexico_city.answers import Answers
from mexico_city.arrivals import TAKEN_OVER
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
from veracruz_utils.policy import PROGRAM_SENDERS, PolicyIdentity


class GuestWork:
    """What the guest process is doing for one computation, and what becomes of it."""

    def __init__(
        self,
        computation: Computation,
        guest: GuestLink,
        code: CodeExchange,
        receipts: ReceiptBook,
        answers: Answers,
    ) -> None:
        self.guest = guest
        self._computation = computation
        self._code = code
        self._receipts = receipts
        self._answers = answers
        self._loading: tuple[Dialogue, Content] | None = None
        self._program: Content | None = None
        self._next: Job | None = None
        self._job: tuple[Job, int] | None = None
        self._releasing: tuple[Job, isolate.Finished, Releasing] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is something to do at once, by `go_on`."""
        return self._releasing is not None or self._code.busy

    def take_prepared(self, descriptor: int) -> bool:
        """Take compiled code of a core, see `CodeExchange`."""
        return self._code.take_prepared(descriptor)

    def load(self, dialogue: Dialogue, program: Content) -> None:
        """Have a guest take the program, and then answer who provided it."""
        self._loading = (dialogue, program)
        self._load(program)

    def is_loading(self, identity: PolicyIdentity, upload: Upload) -> bool:
        """Whether this is the program that is being compiled, and its principal's to send."""
        if self._loading is None or not PROGRAM_SENDERS & identity.roles:
            return False
        announced = (upload.kind, upload.digest)
        return announced == (ContentKind.PROGRAM, self._loading[1].digest.value)

    def wait_for_loading(self, dialogue: Dialogue) -> None:
        """Have the answer to the program go to this session instead of the one that sent it."""
        assert self._loading is not None
        before, content = self._loading
        self._loading = (dialogue, content)
        before.end(TAKEN_OVER, at_once=True)

    def start(self, job: Job) -> None:
        """Run the program, in a guest that may have to be given it first."""
        self._next = job
        if self.guest.loaded:
            self._run()
        else:
            assert self._program is not None
            self._load(self._program)

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

    def wipe(self) -> None:
        """Drop every secret, at once."""
        self._drop_job(RefusalReason.EXPIRED)
        if self._loading is not None:
            _, content = self._end_loading()
            content.close()
        self._forget_program()

    # Inside.

    def _load(self, program: Content) -> None:
        """Have a guest take the program, a new one if the last is gone."""
        try:
            if not self.guest.alive:
                self.guest.renew()
            self.guest.load(program, code=self._code.for_guest(program), now=time.monotonic())
        except GuestLostError as lost:
            self._guest_lost(lost)
        except OSError:  # there is no file for its code
            self.guest.kill()
            self._guest_lost(GuestLostError("no-room"))

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
                self._computation.provision.program_loaded()
                self._answers.add(dialogue, Done())
            case isolate.Loaded(code_size) if self._next is not None:
                self._code.loading_ended(code_size)
                self._run()
            case isolate.LoadRefused(code) if self._loading is not None:
                self._give_up_loading(self._computation.program_refused(code))
            case isolate.LimitReached(code) if self._loading is not None or self._next is not None:
                self.guest.kill()
                self._guest_lost(GuestLostError(code, reason=RefusalReason.LIMIT_REACHED))
            case isolate.Finished() if self._job is not None:
                self._finished(answer)
            case isolate.Trapped(code, frames, message) if self._job is not None:
                self._failed(RefusalReason.TRAPPED, code, frames, message)
            case isolate.LimitReached(code, message) if self._job is not None:
                self._failed(RefusalReason.LIMIT_REACHED, code, (), message)
            case _:
                self._distrust_guest()

    def _finished(self, finished: isolate.Finished) -> None:
        assert self._job is not None
        (job, output), self._job = self._job, None
        limit = self._computation.policy.limits.output_bytes
        try:
            sealing = Sealing(output, size=finished.output_size, limit=limit)
        except RuntimeFailure:
            self._note_failure(job, RefusalReason.GUEST_LOST)
            self._distrust_guest()
            return
        release = self._computation.disclosure.release(
            sealing, succeeded=finished.return_code == 0, wrote=finished.wrote_output
        )
        self._releasing = (job, finished, release)

    def _conclude(self, job: Job, finished: isolate.Finished, content: Content) -> None:
        code = finished.return_code
        if code and self._computation.disclosure.private:
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
        self._computation.run_finished(outcome, finished.message)
        self._after_run()
        self._answers.add_results(outcome)

    def _withhold(self, job: Job, finished: isolate.Finished, withheld: WithheldError) -> None:
        """Its result must not be released: nobody gets anything of it."""
        reason = RefusalReason.WITHHELD
        if self._computation.disclosure.private:
            self._note_failure(job, reason)
        else:
            self._report_return(job, finished, RunEnd.WITHHELD, code=0, digest=None)
        message = finished.message
        refusal = self._computation.run_failed(reason, withheld.rule, (), message)
        self._after_run()
        self._answers.refuse_readers(refusal)

    def _report_return(
        self, job: Job, finished: isolate.Finished, end: RunEnd, *, code: int, digest: bytes | None
    ) -> bytes:
        """The receipt of a run in which the program came to its end."""
        disclosure = self._computation.disclosure
        report = EndedRun(
            end,
            return_code=code,
            output_digest=digest,
            run_ms=None if disclosure.private else finished.run_ms,
            fuel=None if disclosure.private else finished.fuel,
            privacy=disclosure.balance,
        )
        return self._receipts.write(job, self._computation.stage.round, report)

    def _failed(
        self, reason: RefusalReason, code: str, frames: Sequence[TrapFrame] = (), message: str = ""
    ) -> None:
        self._drop_job(reason)
        refusal = self._computation.run_failed(reason, code, frames, message)
        self._after_run()
        self._answers.refuse_readers(refusal)

    def _after_run(self) -> None:
        """Part with a guest whose run failed: it must keep nothing for the next attempt."""
        if self._computation.stage.failure is not Failure.NONE:
            self.guest.kill()
        if self._computation.stage.state is ComputationState.ERROR:
            self._forget_program()

    def _note_failure(self, job: Job, reason: RefusalReason) -> None:
        """Write the receipt of a run that ended early, or must not tell how it ended."""
        disclosure = self._computation.disclosure
        end = END_OF.get(reason, RunEnd.GUEST_LOST)
        if disclosure.private:
            end = RunEnd.WITHHELD
        report = EndedRun(end, privacy=disclosure.balance)
        self._receipts.write(job, self._computation.stage.round, report)

    def _distrust_guest(self) -> None:
        """End a guest that broke its side of the protocol: a program may have taken it over."""
        self.guest.kill()
        self._guest_lost(GuestLostError("protocol"))

    def _guest_lost(self, lost: GuestLostError) -> None:
        """There is no guest: the program that it was given, or the run, has failed."""
        running = self._computation.stage.running
        self._drop_job(lost.reason)
        if self._loading is not None:
            self._give_up_loading(self._computation.program_lost(lost.reason, lost.code))
        elif running:
            refusal = self._computation.run_failed(lost.reason, lost.code)
            self._after_run()
            self._answers.refuse_readers(refusal)
        if not self.guest.renewable:
            self._computation.keeper_lost(lost.code)
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
        self._answers.add(dialogue, refusal.answer)

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
