"""One principal's session: opaque bytes, pumped both ways between a gRPC stream and a socket.

Each way has a thread of its own (gRPC's for what goes to the principal) that holds one piece at a
time and waits for whoever is slow, so nothing piles up here. Either side ending ends the other.
`Bridge` asks `stalled`, and cuts off a side that takes nothing for too long.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import grpc

from colima.sinaloa import MAX_CHUNK_BYTES
from veracruz_utils.errors import VeracruzError


class BridgeSession:
    """The bytes of one session; owns the socket to the isolate."""

    def __init__(self, channel: socket.socket, cancel: Callable[[], object]) -> None:
        """Pump between `channel` and a stream, which `cancel` ends."""
        self._channel = channel
        self._cancel = cancel
        self._lock = threading.Lock()
        # Closed while the other thread uses it, its number could become another session's.
        self._users = 2
        self._upload_since: float | None = time.monotonic()  # silence counts until the first piece
        self._download_since: float | None = None
        self.cut_off: VeracruzError | None = None

    def upload(self, chunks: Iterator[bytes]) -> None:
        """Hand what the principal sends to the isolate, until either has no more of it."""
        try:
            for chunk in chunks:
                self._upload_since = time.monotonic()
                self._channel.sendall(chunk)
                self._upload_since = None
            self._channel.shutdown(socket.SHUT_WR)
        except (OSError, grpc.RpcError):
            self.hang_up()
        finally:
            self._upload_since = None
            self._release()

    def download(self) -> Iterator[bytes]:
        """What the isolate sends, until it or the principal has enough."""
        # One for the whole session: a new one for every few bytes costs more than to copy them.
        buffer = memoryview(bytearray(MAX_CHUNK_BYTES))
        try:
            while size := self._channel.recv_into(buffer):
                self._download_since = time.monotonic()
                yield bytes(buffer[:size])
                self._download_since = None
        except OSError:
            pass  # the isolate died with bytes unread
        finally:
            self.hang_up()
            self._release()

    def stalled(self, since: float) -> bool:
        """Whether, since then (monotonic), a side took nothing or the principal sent nothing."""
        return any(
            start is not None and start < since
            for start in (self._upload_since, self._download_since)
        )

    def cut(self, why: VeracruzError) -> None:
        """End the session from outside; both threads notice, and the principal is told why."""
        self.cut_off = why
        self.hang_up()
        if self._download_since is not None:  # gRPC has a piece that the principal does not take
            self._cancel()

    def hang_up(self) -> None:
        """Let the isolate see the end of the session, and both threads; idempotent."""
        with self._lock, contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        """Close the socket once neither thread uses it any more."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._channel.close()
