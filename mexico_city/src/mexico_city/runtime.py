"""Decides requests: what changes the computation, what only asks, and what has to wait."""

import time
from functools import partial

from colima.runtime import (
    Accepted,
    Awaited,
    Consent,
    ContentKind,
    DigestIs,
    Done,
    GetFailureReport,
    GetPolicyDigest,
    GetProgramDigest,
    GetReceipt,
    GetResult,
    GetState,
    NextRound,
    ReceiptIs,
    RefusalReason,
    Request,
    Response,
    Revoke,
    Shutdown,
    StateIs,
    Upload,
    Withdraw,
)
from mexico_city.answers import Answers
from mexico_city.arrivals import Arrival, ArrivingUploads
from mexico_city.attempts import RunResult
from mexico_city.code_exchange import CodeExchange
from mexico_city.computation import Computation, Job
from mexico_city.content import Content
from mexico_city.dialogue import Dialogue
from mexico_city.errors import DeniedError
from mexico_city.guest_link import GuestLink
from mexico_city.guest_work import GuestWork
from mexico_city.receipts import ReceiptBook
from veracruz_utils.digest import Digest
from veracruz_utils.policy import PolicyIdentity


class Runtime:
    """One computation, the work of its guest process and the principals who wait for it.

    Attributes:
        computation: what principals may do, and what they did.
        work: what the guest process is doing for it.
        shut_down: whether every reader has asked for the end.
    """

    def __init__(
        self,
        computation: Computation,
        guest: GuestLink,
        code: CodeExchange,
        receipts: ReceiptBook,
    ) -> None:
        self.computation = computation
        self.shut_down = False
        self._answers = Answers(computation.handed_over)
        self.work = GuestWork(computation, guest, code, receipts, self._answers)
        self._arrivals = ArrivingUploads(computation.provision)
        self._receipts = receipts

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
        if self.work.is_loading(identity, upload):
            self.work.wait_for_loading(dialogue)
            return None
        return self._arrivals.announce(identity, upload, dialogue)

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
        self.work.load(dialogue, content)
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
        self._answers.left(dialogue)

    def _result(self, dialogue: Dialogue, *, retry: bool) -> None:
        """See to it that the outcome is handed over, at once or when the run has ended."""
        found = self.computation.request_result(dialogue.identity, retry=retry)
        if isinstance(found, RunResult):
            self._answers.add_result(dialogue, found)
            return
        self._answers.wait(dialogue)
        if isinstance(found, Job):
            self.work.start(found)

    def deliver(self) -> None:
        """Give the answers that became due; call after anything else here was called."""
        self._answers.deliver()

    def wipe(self) -> None:
        """Drop every secret, at once; nobody will be answered any more."""
        self.work.wipe()
        self._answers.close()
        self._arrivals.close()
        self.computation.close()

    @property
    def busy(self) -> bool:
        """Whether there is something to do at once: answers to `deliver`, or work to go on with."""
        return self._answers.due or self.work.busy
