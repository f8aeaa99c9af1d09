"""A session's bytes over bare TCP to Sinaloa's port for bulk: no thread, and no copy but TLS's."""

import contextlib
import select
import socket
import time
from threading import Lock
from typing import Final

from colima import WireError, decode, encode
from colima.framing import frame, read_frame
from colima.sinaloa import (
    BULK_VERSION,
    MAX_ANSWER_BYTES,
    MAX_CHUNK_BYTES,
    BulkAnswer,
    BulkStatus,
    OpenBulk,
)
from jalisco.errors import BridgeBusyError, NoBulkPortError, SessionError, SessionLostError
from veracruz_shells.grpc_setup import warm_allocator
from veracruz_shells.tcp import settle
from veracruz_shells.traces import traceparent
from veracruz_utils.address import Address

_RECEIVE_BYTES: Final = 1024 * 1024
_ERRORS: Final = {
    BulkStatus.BUSY: BridgeBusyError,
    BulkStatus.ENDING: SessionLostError,
    BulkStatus.REFUSED: SessionError,
}


class BulkTransport:
    """A session's bytes over one TCP connection, from `open` on."""

    def __init__(self, address: Address, *, policy: bytes, send_timeout_s: float = 60.0) -> None:
        """Nothing is connected yet.

        Args:
            address: the bridge's for bulk.
            policy: the digest of whose policy, 32 bytes.
            send_timeout_s: how long `send` waits for a part of what it sends to be taken.
        """
        warm_allocator(MAX_CHUNK_BYTES)
        self._address = address
        self._policy = policy
        self._peer = f"sinaloa at {address}"
        self._send_timeout_s = send_timeout_s
        self._buffer = memoryview(bytearray(_RECEIVE_BYTES))
        self._connection: socket.socket | None = None
        self._changing = Lock()
        self._aborted = False

    def open(self, timeout_s: float) -> None:
        """Have the bridge open a session, within so many seconds.

        Raises:
            NoBulkPortError: nobody is there, or somebody who does not speak this.
            SessionError: the bridge takes no session, or none of this policy.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._connect(timeout_s)
            settle(self._connected)
            opening = OpenBulk(BULK_VERSION, self._policy, traceparent() or "")
            self._connected.sendall(frame(encode(opening)))
        except OSError as error:
            self.close()
            raise NoBulkPortError(
                f"{self._peer} cannot be reached ({_reason(error)}): have the delegate run "
                "'sinaloa serve' with --bulk-listen, or use gRPC"
            ) from error
        try:
            self._require_opened(deadline)
            self._connected.settimeout(0)
        except BaseException:
            self.close()
            raise

    @property
    def peer(self) -> str:
        """'sinaloa at' its address."""
        return self._peer

    def send(self, data: bytes) -> None:
        """Hand over `data`; see `Transport.send`."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._connected.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, self._send_timeout_s)
            except OSError as error:
                raise self._lost(error) from error

    def receive(self, timeout_s: float) -> memoryview:
        """The next bytes of the isolate; see `Transport.receive`."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                received = self._connected.recv_into(self._buffer)
                break
            except BlockingIOError:
                self._wait(select.POLLIN, deadline - time.monotonic())
            except OSError as error:
                raise self._lost(error) from error
        if not received and self._aborted:
            raise SessionLostError(f"the session with {self._peer} was ended")
        return self._buffer[:received]

    def close(self) -> None:
        """See `Transport.close`: what was handed over, the system sends."""
        with self._changing:
            if self._connection is not None:
                self._connection.close()

    def abort(self) -> None:
        """See `Transport.abort`."""
        with self._changing, contextlib.suppress(OSError):
            self._aborted = True
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)

    @property
    def _connected(self) -> socket.socket:
        assert self._connection is not None
        return self._connection

    def _connect(self, timeout_s: float) -> None:
        """Connect to the first of the addresses that answers."""
        places = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM)
        for left, (family, kind, protocol, _, place) in enumerate(places, 1 - len(places)):
            with self._changing:
                if self._aborted:
                    raise ConnectionAbortedError("it was ended")
                self._connection = socket.socket(family, kind, protocol)
            try:
                self._connection.settimeout(timeout_s)
                self._connection.connect(place)
            except OSError:
                self.close()
                if not left:
                    raise
            else:
                return

    def _require_opened(self, deadline: float) -> None:
        answer = self._answer(deadline)
        if answer.status is not BulkStatus.OPENED:
            raise _ERRORS[answer.status](f"{self._peer} takes no session: {answer.reason[:200]!r}")

    def _answer(self, deadline: float) -> BulkAnswer:
        try:
            payload = read_frame(lambda most: self._part(most, deadline), limit=MAX_ANSWER_BYTES)
            if payload is not None:
                return decode(BulkAnswer, payload)
        except WireError as error:
            raise NoBulkPortError(
                f"{self._peer} is another service ({error}): correct the address"
            ) from error
        except OSError as error:
            raise NoBulkPortError(
                f"{self._peer} opened no session ({_reason(error)}): see that it runs, or use gRPC"
            ) from error
        raise NoBulkPortError(f"{self._peer} opened no session: it is busy, or another service")

    def _part(self, most: int, deadline: float) -> bytes:
        self._connected.settimeout(max(0.001, deadline - time.monotonic()))
        return self._connected.recv(most)

    def _wait(self, event: int, timeout_s: float) -> None:
        """Wait for it; TimeoutError when it does not come.

        Only where it is not there yet: a socket with a timeout would ask the system each time.
        """
        waiting = select.poll()
        waiting.register(self._connected, event)
        if not waiting.poll(max(0.0, timeout_s) * 1000):
            raise TimeoutError

    def _lost(self, error: OSError) -> SessionLostError:
        return SessionLostError(
            f"{self._peer} went away in the middle of the session ({_reason(error)}): "
            "see that it runs, then start again"
        )


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error)).lower()
