"""What a listening process needs from the system: a reason when it cannot, signals when it can."""

import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

_BACKLOG: Final = 128
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_STOP: Final = 0  # no signal's number


def why_not_bound(address: Address) -> str:
    """Why `address` cannot be listened on, such as "address already in use"."""
    try:
        family, *_, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # gRPC says only that it failed: the system is asked once more for its reason.
            probe.bind(place)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "the address is not available"


def listen(address: Address) -> socket.socket:
    """A socket that listens for TCP connections; port 0 takes a free one.

    Raises:
        VeracruzError: the address cannot be listened on.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, place = found[0]
        return socket.create_server(place[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise cannot_listen(address, (error.strerror or str(error)).lower()) from error


def cannot_listen(address: Address, why: str) -> VeracruzError:
    """What to say when it cannot."""
    return VeracruzError(
        f"cannot listen on {address}: {why}: choose another address, or end what listens there"
    )


def allow_open_files() -> None:
    """Let this process, and what it starts, have as many open files as it may at all.

    The soft limit is 1024 by custom. Each client is one of them before it has said a word; and the
    limit bounds the descriptors that all processes of a user may have in flight as well.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """What a signal does: nothing, but that it is no default."""


class StopRequests:
    """SIGTERM, SIGINT and calls of `stop`, for the main thread to wait for.

    Python runs the handler of a signal when its main thread comes to it, which a main thread that
    is just going to wait for a lock or a queue does not. So what it waits for here is the byte that
    the interpreter writes the moment that a signal comes.
    """

    def __init__(self) -> None:
        self._heard, self._bell = socket.socketpair()
        self._bell.settimeout(0)

    def stop(self) -> None:
        """Ask for the end; callable from any thread, any number of times."""
        with contextlib.suppress(OSError):  # there are enough in it already, or it is over
            self._bell.send(bytes([_STOP]))

    @contextmanager
    def signals(self, *, hangup: bool = False) -> Iterator[None]:
        """Have signals wait here instead of doing what they do; for the main thread.

        Args:
            hangup: also SIGHUP.
        """
        heard = (*_SIGNALS, signal.SIGHUP) if hangup else _SIGNALS
        before = {number: signal.signal(number, _ignore) for number in heard}
        bell = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(bell)
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self, on_hangup: Callable[[], None] | None = None) -> signal.Signals | None:
        """The signal that came, or None for `stop`; `on_hangup` is called for each SIGHUP."""
        while True:
            (number,) = self._heard.recv(1)
            if number in _SIGNALS:
                return signal.Signals(number)
            if number == _STOP:
                return None
            if number == signal.SIGHUP and on_hangup is not None:
                on_hangup()

    def close(self) -> None:
        """Nobody waits any more; idempotent."""
        self._heard.close()
        self._bell.close()
