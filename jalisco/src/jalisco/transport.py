"""Ways for the bytes of a session to an isolate; the one over Sinaloa's gRPC stream.

`SinaloaTransport` has two threads besides the caller's: gRPC's own, which takes chunks from
`_outbound`, and a reader, which fills `_inbound`. Both pipes are bounded, so a slow bridge slows
the caller and a slow caller slows the bridge. The call ending, for whatever reason, closes both
pipes, and that ends both threads.
"""

from collections.abc import Iterator
from threading import Thread
from typing import Final, Protocol

import grpc

from colima.sinaloa import MAX_CHUNK_BYTES, SERVICE
from jalisco._pipe import Pipe
from jalisco.errors import BridgeBusyError, SessionError, SessionLostError

_METHOD: Final = f"/{SERVICE}/Session"
_CHUNKS_IN_FLIGHT: Final = 8
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_CHUNK_BYTES + 1024),
    ("grpc.max_send_message_length", MAX_CHUNK_BYTES + 1024),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    # A connection of our own: none that failed earlier and is still backing off.
    ("grpc.use_local_subchannel_pool", 1),
)


class Transport(Protocol):
    """Carries bytes both ways, in order; may be cut, and is never trusted."""

    @property
    def peer(self) -> str:
        """Who is at the other end, for messages: 'sinaloa at 127.0.0.1:3000'."""

    def send(self, data: bytes) -> None:
        """Hand over `data`, waiting while the other end is slow.

        Raises:
            TimeoutError: the other end took nothing for too long.
            SessionError: there is no other end any more.
        """

    def receive(self, timeout_s: float) -> bytes:
        """The next bytes; b"" when none will follow.

        Raises:
            TimeoutError: nothing came for `timeout_s`.
            SessionError: the other end failed or cannot be reached.
        """

    def close(self) -> None:
        """Send what was handed over, then let go; idempotent."""


def _failure(address: str, code: grpc.StatusCode, details: str, *, answered: bool) -> SessionError:
    """What a gRPC status means to a principal, and what can be done."""
    told = f"{code.name} {details[:120]!r}"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return BridgeBusyError(
            f"sinaloa at {address} takes no further session now ({told}): try again later"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return SessionError(f"what answers at {address} is not sinaloa ({told}): check the address")
    if code is grpc.StatusCode.UNAVAILABLE and not answered:
        return SessionLostError(
            f"sinaloa at {address} cannot be reached: start it with 'sinaloa serve POLICY', "
            "or check the address"
        )
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return SessionLostError(
            f"sinaloa at {address} went away in the middle of the session: "
            "see that it runs, then start again"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return SessionLostError(
            f"the session with sinaloa at {address} was open longer than is allowed"
        )
    return SessionError(f"sinaloa at {address} ended the session ({told})")


class SinaloaTransport:
    """A session's bytes over one gRPC stream to Sinaloa; connects at once, reports at first use.

    Args:
        address: "host:port".
        send_timeout_s: how long `send` waits for the bridge to take a chunk.
        session_timeout_s: how long the stream may live in all.
        close_timeout_s: how long `close` waits for the bridge to end its side.
    """

    def __init__(
        self,
        address: str,
        *,
        send_timeout_s: float = 60.0,
        session_timeout_s: float = 6 * 3600.0,
        close_timeout_s: float = 2.0,
    ) -> None:
        self._address = address
        self._send_timeout_s = send_timeout_s
        self._close_timeout_s = close_timeout_s
        self._outbound = Pipe(_CHUNKS_IN_FLIGHT)
        self._inbound = Pipe(_CHUNKS_IN_FLIGHT)
        self._failure: SessionError | None = None
        self._answered = False
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        session: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(_METHOD)
        self._call = session(self._requests(), timeout=session_timeout_s)
        self._reader = Thread(target=self._read, name=f"sinaloa {address}", daemon=True)
        self._reader.start()

    @property
    def peer(self) -> str:
        """'sinaloa at' its address."""
        return f"sinaloa at {self._address}"

    def send(self, data: bytes) -> None:
        """Hand over `data` in chunks the bridge accepts; see `Transport.send`."""
        view = memoryview(data)
        for start in range(0, len(data), MAX_CHUNK_BYTES):
            whole = len(data) <= MAX_CHUNK_BYTES
            chunk = data if whole else bytes(view[start : start + MAX_CHUNK_BYTES])
            if not self._outbound.put(chunk, self._send_timeout_s):
                raise self._failure or SessionLostError(
                    f"sinaloa at {self._address} ended the session: start again"
                )

    def receive(self, timeout_s: float) -> bytes:
        """The next bytes of the isolate; see `Transport.receive`."""
        chunk = self._inbound.get(timeout_s)
        if chunk is not None:
            return chunk
        if self._failure is not None:
            raise self._failure
        return b""

    def close(self) -> None:
        """Send what was handed over, give the bridge a moment to end its side, then let go."""
        self._outbound.close()
        self._inbound.close()
        self._reader.join(self._close_timeout_s)
        self._call.cancel()
        self._reader.join()
        self._channel.close()

    def _requests(self) -> Iterator[bytes]:
        while (chunk := self._outbound.get()) is not None:
            yield chunk

    def _read(self) -> None:
        """The reader thread: from the call to `_inbound`, until either ends."""
        try:
            for chunk in self._call:
                self._answered = True
                if chunk:
                    self._inbound.put(chunk)
        except grpc.RpcError:
            code, details = self._call.code(), self._call.details() or ""
            self._failure = _failure(self._address, code, details, answered=self._answered)
        finally:
            self._inbound.close()
            self._outbound.close()
