"""The key to sign with now, over all its enrolments.

Theory of operation. Time and Tabasco's answers are events; `NEXT` says what follows. A key signs
while its enrolment is good or due, and never after its end. In the last tenth another enrolment is
due: one thread asks for it now and then, and all others go on with the old key, so that no token
waits for a Tabasco that is away. After the end all of them wait for the one that asks. A key that
Tabasco refuses (`enrolment_watch` finds out) has ended, whatever its time. What the table does not
list cannot happen.
"""

import logging
import threading
from collections.abc import Callable
from enum import Enum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from sonora.boot_clock import boot_time
from sonora.enrolment import OwnEnrolment
from sonora.metrics import ENROLMENTS
from veracruz_utils.errors import RefusedError, UnreachableError

_LOG: Final = logging.getLogger(__name__)
_RETRY_S: Final = 30.0
"""Between attempts at a renewal while the old enrolment is still good."""


class EnrolmentState(Enum):
    """Where the enrolment is in its life."""

    STARTING = "starting"
    GOOD = "good"
    DUE = "due"
    ENDED = "ended"


class EnrolmentEvent(Enum):
    """What happens to it."""

    ENROLLED = "tabasco enrolled a fresh key"
    FAILED = "tabasco refuses or cannot be reached"
    RENEWAL_DUE = "nine tenths of its time are over"
    TIME_OVER = "its time is over"
    REFUSED = "tabasco refuses its tokens"


# Every legal step; docs/reference/sonora.md draws this table.
NEXT: Final[dict[tuple[EnrolmentState, EnrolmentEvent], EnrolmentState]] = {
    (EnrolmentState.STARTING, EnrolmentEvent.ENROLLED): EnrolmentState.GOOD,
    (EnrolmentState.STARTING, EnrolmentEvent.FAILED): EnrolmentState.STARTING,
    (EnrolmentState.GOOD, EnrolmentEvent.RENEWAL_DUE): EnrolmentState.DUE,
    (EnrolmentState.DUE, EnrolmentEvent.ENROLLED): EnrolmentState.GOOD,
    (EnrolmentState.DUE, EnrolmentEvent.FAILED): EnrolmentState.DUE,
    (EnrolmentState.DUE, EnrolmentEvent.TIME_OVER): EnrolmentState.ENDED,
    (EnrolmentState.GOOD, EnrolmentEvent.REFUSED): EnrolmentState.ENDED,
    (EnrolmentState.DUE, EnrolmentEvent.REFUSED): EnrolmentState.ENDED,
    (EnrolmentState.ENDED, EnrolmentEvent.REFUSED): EnrolmentState.ENDED,
    (EnrolmentState.ENDED, EnrolmentEvent.ENROLLED): EnrolmentState.GOOD,
    (EnrolmentState.ENDED, EnrolmentEvent.FAILED): EnrolmentState.ENDED,
}


class EnrolledKey:
    """The key to sign with now; enrols again in good time.

    Safe to share between threads.

    Args:
        renew: enrols a fresh key.
        first: the same for the first time, perhaps with more patience.

    Raises:
        EnrolmentRefusedError, SonoraError, UnreachableError: there is no first enrolment.
    """

    def __init__(
        self, renew: Callable[[], OwnEnrolment], *, first: Callable[[], OwnEnrolment] | None = None
    ) -> None:
        self._renew = renew
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._state = EnrolmentState.STARTING
        self._next_attempt = 0.0
        self._current = self._enrol(first or renew)

    @property
    def state(self) -> EnrolmentState:
        """Where the enrolment is; looked at when a key is asked for."""
        return self._state

    @property
    def instance_id(self) -> bytes:
        """The Instance ID of the current key (33 bytes)."""
        return self._current.instance_id

    def key(self) -> ec.EllipticCurvePrivateKey:
        """The current key.

        Raises:
            EnrolmentRefusedError, UnreachableError: the enrolment ended, another was not to be had.
        """
        if self._after_time_passed() is EnrolmentState.ENDED:
            with self._renewing:
                # Once more with the lock: whoever had it may have enrolled again.
                if self._after_time_passed() is EnrolmentState.ENDED:
                    self._enrol(self._renew)
        elif self._may_ask_again() and self._renewing.acquire(blocking=False):
            try:
                self._try_to_renew()
            finally:
                self._renewing.release()
        with self._lock:
            return self._current.key

    def refused(self, instance_id: bytes) -> None:
        """Sign no more by the key of this instance, which Tabasco believes no more.

        If it is still the current one: another thread may have enrolled again meanwhile.
        """
        with self._lock:
            if self._current.instance_id == instance_id:
                self._apply(EnrolmentEvent.REFUSED)

    def _after_time_passed(self) -> EnrolmentState:
        with self._lock:
            # Not the calendar's: to set the machine's clock back must not prolong an enrolment.
            now = boot_time()
            if self._state is EnrolmentState.GOOD and now >= self._current.renew_at:
                self._apply(EnrolmentEvent.RENEWAL_DUE)
            if self._state is EnrolmentState.DUE and now >= self._current.expires_at:
                self._apply(EnrolmentEvent.TIME_OVER)
            return self._state

    def _may_ask_again(self) -> bool:
        with self._lock:
            return self._state is EnrolmentState.DUE and boot_time() >= self._next_attempt

    def _try_to_renew(self) -> None:
        if not self._may_ask_again():
            return  # another thread has just done it
        try:
            self._enrol(self._renew)
        except Exception as error:  # noqa: BLE001 - whatever it is, the old one is good for now
            _LOG.warning("not enrolled again, the old enrolment serves for now: %s", error)

    def _enrol(self, renew: Callable[[], OwnEnrolment]) -> OwnEnrolment:
        try:
            enrolment = renew()
        except Exception as error:
            ENROLMENTS.add(outcome=_outcome_of(error))
            with self._lock:
                self._apply(EnrolmentEvent.FAILED)
                self._next_attempt = boot_time() + _RETRY_S
            raise
        ENROLMENTS.add(outcome="enrolled")
        with self._lock:
            self._apply(EnrolmentEvent.ENROLLED)
            self._next_attempt = enrolment.renew_at
            self._current = enrolment
        return enrolment

    def _apply(self, event: EnrolmentEvent) -> None:
        self._state = NEXT[self._state, event]


def _outcome_of(error: Exception) -> str:
    match error:
        case RefusedError():
            return "refused"
        case UnreachableError():
            return "unreachable"
    return "failed"


def enrol_with_retry(renew: Callable[[], OwnEnrolment], *, patience_s: float) -> OwnEnrolment:
    """Enrol, trying again for so many seconds while Tabasco cannot be reached; 0 tries once.

    Pauses grow from half a second to 15, with chance in them, so that many attesters that lost one
    Tabasco do not come back to it all at once. A refusal is final.

    Raises:
        EnrolmentRefusedError, SonoraError: as `enrol`.
        UnreachableError: Tabasco did not answer all the while.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(UnreachableError),
        wait=wait_exponential_jitter(multiplier=0.5, max=15, jitter=1),
        stop=stop_after_delay(patience_s),
        before_sleep=_log_attempt,
        reraise=True,
    )
    return attempts(renew)


def _log_attempt(state: RetryCallState) -> None:
    _LOG.warning("tabasco cannot be reached, attempt %d: trying again", state.attempt_number)
