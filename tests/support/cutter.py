"""A way to a service that can be cut: at a byte, at will, or before it begins."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from support.patience import PATIENCE_S
from veracruz_utils.address import Address

_PIECE_BYTES = 1 << 16


class Cutter:
    """A TCP proxy on loopback.

    Attributes:
        address: where to connect.
        cuts: how many times something was cut.
        leads: where new connections go; None refuses them.
        plan: for each of the next connections, how many bytes it lets pass up and down before it is
            cut; None for any number. Those after the last pass everything.
        holds: whether, instead of a cut, nothing more passes until there is one.
        held: set when that has happened.
    """

    def __init__(self, target: Address) -> None:
        self.leads: Address | None = target
        self.plan: list[tuple[int | None, int | None]] = []
        self.cuts = 0
        self.holds = False
        self.held = threading.Event()
        self._cut = threading.Event()
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address("127.0.0.1", self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut(self) -> None:
        """Cut all connections that are open."""
        with self._lock:
            channels, self._open = self._open, []
            self.cuts += 1
            self._cut.set()
        for channel in channels:
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut them, and take no more."""
        self.leads = None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                try:
                    self._connect(ours)
                except OSError:
                    ours.close()

    def _connect(self, ours: socket.socket) -> None:
        if self.leads is None:
            raise ConnectionRefusedError
        theirs = socket.create_connection((self.leads.host, self.leads.port))
        up, down = self.plan.pop(0) if self.plan else (None, None)
        with self._lock:
            self._open += [ours, theirs]
        for one, other, limit in ((ours, theirs, up), (theirs, ours, down)):
            self._start(self._pump, one, other, limit)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pump(self, one: socket.socket, other: socket.socket, limit: int | None) -> None:
        passed = 0
        with one, suppress(OSError):
            while data := one.recv(_PIECE_BYTES):
                passed += len(data)
                if limit is not None and passed > limit:
                    self._stop()
                    break
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)

    def _stop(self) -> None:
        """Cut this connection, or hold it until all are cut."""
        if self.holds:
            self._cut.clear()
            self.held.set()
            self._cut.wait(PATIENCE_S)
            return
        with self._lock:
            self.cuts += 1


@contextmanager
def cutter(target: Address) -> Iterator[Cutter]:
    """A way to `target` that can be cut."""
    way = Cutter(target)
    try:
        yield way
    finally:
        way.close()
