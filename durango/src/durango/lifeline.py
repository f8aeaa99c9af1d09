"""A connection that is opened again when it breaks, to the same attested isolate or to none.

A break is what happens to a connection: the bridge is gone or not back yet, the network was cut,
the isolate has closed a session that fell silent. For that there is patience. What the isolate
refuses, and a certificate that is not the attested one, are answers, and final.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from colima.runtime import RefusalReason
from durango.halt import Halt
from durango.refusals import RequestFailedError
from jalisco import BridgeBusyError, Connection, SessionError, SessionLostError
from veracruz_utils.errors import VeracruzError

Notice = Callable[[str], object]
"""Called with a line for people: a connection is lost, or there again."""

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_LEAST_TIMEOUT_S: Final = 1.0
_T = TypeVar("_T")


class Lifeline:
    """A connection to an isolate; for one thread at a time.

    Args:
        open_connection: makes one, within so many seconds.
        timeout_s: for that.
        patience_s: how long to try again after a break; 0 takes it as it is.
        notice: told of breaks.
        is_over: whether nobody is expected to come back any more.
        halt: ends it from another thread.

    Raises:
        SessionError: there is none to begin with.
    """

    def __init__(
        self,
        open_connection: Callable[[float], Connection],
        *,
        timeout_s: float,
        patience_s: float,
        notice: Notice,
        is_over: Callable[[], bool],
        halt: Halt,
    ) -> None:
        self._open = open_connection
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._notice = notice
        self._is_over = is_over
        self._halt = halt
        self._lost = False
        self._closed = False
        # Once: a wrong address, or a bridge that was never there, is worth no patience.
        self._connection: Connection | None = None
        self._act(lambda _: None, timeout_s)

    def once(self, act: Callable[[Connection], _T]) -> _T:
        """What `act` makes of the connection, whatever becomes of that."""
        return self._act(act, self._timeout_s)

    def persist(
        self, act: Callable[[Connection], _T], *, position: Callable[[], int] = lambda: 0
    ) -> _T:
        """What `act` makes of the connection; with a new one again, for each that breaks.

        Args:
            act: may be called several times, and goes on where it was.
            position: how far it has come; whenever that has grown, patience begins anew.

        Raises:
            SessionError: there was no connection for `patience_s`, or it leads elsewhere.
            VeracruzError: what `act` raises for another reason.
        """
        reached = -1
        deadline = wait_s = 0.0
        timeout_s = self._timeout_s
        while True:
            try:
                return self._act(act, timeout_s)
            except VeracruzError as error:
                if self._closed or not is_break(error):
                    raise
                self._let_go()
                now = time.monotonic()
                if position() > reached:
                    reached, deadline, wait_s = position(), now + self._patience_s, _FIRST_WAIT_S
                if now + wait_s > deadline or self._is_over():
                    raise
                self._tell_of_loss(error)
            self._halt.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            left_s = max(_LEAST_TIMEOUT_S, deadline - time.monotonic())
            timeout_s = min(self._timeout_s, left_s)

    def found(self, state: str = "") -> None:
        """The isolate has answered: tell of the state it is in, and of a break before it."""
        words = ["connected again"] if self._lost else []
        self._lost = False
        if words or state:
            self._notice(", ".join([*words, *([state] if state else [])]))

    def close(self) -> None:
        """End it for good; idempotent."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()

    def _act(self, act: Callable[[Connection], _T], timeout_s: float) -> _T:
        self._halt.check()
        try:
            return act(self._connected(timeout_s))
        except VeracruzError:
            self._halt.check()
            raise

    def _connected(self, timeout_s: float) -> Connection:
        if self._connection is None:
            if self._closed:
                raise SessionError("the session is closed")
            self._connection = self._open(timeout_s)
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _tell_of_loss(self, error: VeracruzError) -> None:
        if not self._lost:
            self._lost = True
            self._notice(f"connection lost, trying again for {self._patience_s:g} s ({error})")


def is_break(error: VeracruzError) -> bool:
    """Whether a connection broke, and another one may do what this one did not."""
    if isinstance(error, RequestFailedError):
        return error.answer.reason is RefusalReason.STALLED
    return isinstance(error, SessionLostError | BridgeBusyError)
