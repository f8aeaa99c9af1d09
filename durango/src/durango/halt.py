"""Ending from one thread what goes on in another: attesting, connecting, a session."""

from collections.abc import Callable
from threading import Event, Lock

from durango.errors import HaltedError


class Halt:
    """Given to `attest` or `Principal.connect`, it ends them and the session, from any thread.

    What waits for the network then stops waiting, and raises `HaltedError`. The connection is cut
    without a goodbye; the computation goes on.
    """

    def __init__(self) -> None:
        self._engaged = Event()
        self._lock = Lock()
        self._stop: Callable[[], object] | None = None

    @property
    def engaged(self) -> bool:
        """Whether it was engaged, which is for good."""
        return self._engaged.is_set()

    def engage(self) -> None:
        """End what goes on; idempotent, and waits for nothing."""
        with self._lock:
            self._engaged.set()
            stop = self._stop
        if stop is not None:
            stop()

    def watch(self, stop: Callable[[], object]) -> None:
        """Have `stop`, and no earlier one, called when it is engaged, or now if it is already.

        Args:
            stop: may be called from any thread, more than once, and waits for nothing.
        """
        with self._lock:
            self._stop = stop
            engaged = self._engaged.is_set()
        if engaged:
            stop()

    def wait(self, seconds: float) -> None:
        """Sleep so long.

        Raises:
            HaltedError: it was engaged.
        """
        self._engaged.wait(seconds)
        self.check()

    def check(self) -> None:
        """Raise if it was engaged.

        Raises:
            HaltedError: it was.
        """
        if self._engaged.is_set():
            raise HaltedError("this was ended from elsewhere: connect again to go on")
