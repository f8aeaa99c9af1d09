"""A session's bytes over Sinaloa's gRPC stream.

`SinaloaTransport` has two threads besides the caller's: gRPC's own, which takes chunks from
`_outbound`, and a reader, which fills `_inbound`. Both pipes are bounded, so a slow bridge slows
the caller and a slow caller slows the bridge. The call ending, for whatever reason, closes both
pipes, and that ends both threads.
"""

from collections.abc import Iterator
from threading import Thread
from typing import Final, cast

from colima.sinaloa import MAX_CHUNK_BYTES, POLICY_KEY, SERVICE
from jalisco._pipe import Pipe
from jalisco.errors import BridgeBusyError, SessionError, SessionLostError
from veracruz_shells.call_errors import error_of_call
from veracruz_shells.channels import BRIDGE_REMEDY, open_channel, traced_metadata
from veracruz_shells.grpc_setup import grpc

_METHOD: Final = f"/{SERVICE}/Session"
_CHUNKS_IN_FLIGHT: Final = 8
_MAX_MESSAGE_BYTES: Final = MAX_CHUNK_BYTES + 1024


def _failure(peer: str, error: grpc.RpcError, *, answered: bool) -> SessionError:
    """What a gRPC status means to a principal, and what can be done."""
    call = cast("grpc.Call", error)  # what a stream raises is both
    code = call.code()
    status = f"{code.name} {(call.details() or '')[:120]!r}"
    match code:
        # In the middle of a stream gRPC says the same of a message that is too large.
        case grpc.StatusCode.RESOURCE_EXHAUSTED if not answered:
            return BridgeBusyError(f"{peer} takes no further session ({status}): try again later")
        case grpc.StatusCode.UNIMPLEMENTED:
            return SessionError(f"{peer} is another service ({status}): correct the address")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return SessionLostError(f"the session with {peer} was open longer than is allowed")
        case grpc.StatusCode.UNAVAILABLE if not answered:
            return SessionLostError(str(error_of_call(error, peer=peer, remedy=BRIDGE_REMEDY)))
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return SessionLostError(
                f"{peer} went away in the middle of the session ({status}): "
                "see that it runs, then start again"
            )
        case _:
            return SessionError(f"{peer} ended the session ({status})")


def open_session_channel(address: str) -> grpc.Channel:
    """A channel for a session, and for questions before it.

    Raises:
        VeracruzError: `address` is not "host:port".
    """
    return open_channel(address, max_message_bytes=_MAX_MESSAGE_BYTES)


class SinaloaTransport:
    """A session's bytes over one gRPC stream to Sinaloa; connects at once, reports at first use.

    Args:
        address: "host:port".
        policy: the digest of whose policy, in hexadecimal, which a bridge of many needs to know.
        channel: of `open_session_channel` to the same address, which becomes this one's to close.
        send_timeout_s: how long `send` waits for the bridge to take a chunk.
        session_timeout_s: how long the stream may live in all.
        close_timeout_s: how long `close` waits for the bridge to end its side.

    Raises:
        VeracruzError: `address` is not "host:port".
    """

    def __init__(
        self,
        address: str,
        *,
        policy: str | None = None,
        channel: grpc.Channel | None = None,
        send_timeout_s: float = 60.0,
        session_timeout_s: float = 6 * 3600.0,
        close_timeout_s: float = 2.0,
    ) -> None:
        self._peer = f"sinaloa at {address}"
        self._send_timeout_s = send_timeout_s
        self._close_timeout_s = close_timeout_s
        self._outbound = Pipe(_CHUNKS_IN_FLIGHT)
        self._inbound = Pipe(_CHUNKS_IN_FLIGHT)
        self._failure: SessionError | None = None
        self._channel = channel or open_session_channel(address)
        session: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(_METHOD)
        named = () if policy is None else ((POLICY_KEY, policy),)
        self._call = session(
            self._requests(), timeout=session_timeout_s, metadata=(*named, *traced_metadata())
        )
        self._reader = Thread(target=self._read, name=self._peer, daemon=True)
        self._reader.start()

    @property
    def peer(self) -> str:
        """'sinaloa at' its address."""
        return self._peer

    def send(self, data: bytes) -> None:
        """Hand over `data` in chunks the bridge accepts; see `Transport.send`."""
        view = memoryview(data)
        for start in range(0, len(data), MAX_CHUNK_BYTES):
            whole = len(data) <= MAX_CHUNK_BYTES
            chunk = data if whole else bytes(view[start : start + MAX_CHUNK_BYTES])
            if not self._outbound.put(chunk, self._send_timeout_s):
                raise self._failure or SessionLostError(
                    f"{self._peer} ended the session: start again"
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
        # After the wait: cancelling drops what gRPC has taken and not sent yet.
        self._call.cancel()
        self._reader.join(self._close_timeout_s)
        self._channel.close()

    def abort(self) -> None:
        """Let go at once, from any thread; who sends or receives is told that it is lost."""
        self._call.cancel()
        self._outbound.close()
        self._inbound.close()

    def _requests(self) -> Iterator[bytes]:
        while (chunk := self._outbound.get()) is not None:
            yield chunk

    def _read(self) -> None:
        """The reader thread: from the call to `_inbound`, until either ends."""
        answered = False
        try:
            for chunk in self._call:
                answered = True
                if chunk:
                    self._inbound.put(chunk)
        except grpc.RpcError as error:
            self._failure = _failure(self._peer, error, answered=answered)
        finally:
            self._inbound.close()
            self._outbound.close()
