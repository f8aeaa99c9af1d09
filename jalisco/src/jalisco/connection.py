"""A session with the isolate behind a transport: frames and content, inside TLS."""

from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Final, Self

from baja import HandshakeCompleted, PeerClosed, PeerError, PlaintextReceived, TlsError, TlsFault
from baja.client import ClientEndpoint
from colima.errors import WireError
from colima.framing import MAX_REQUEST_BYTES, FrameDecoder, frame
from jalisco.errors import (
    IsolateRefusedError,
    IsolateSilentError,
    SessionError,
    SessionLostError,
    WrongIsolateError,
)
from jalisco.transport import Transport

PIECE_BYTES: Final = 63 * 16 * 1024
"""Of content; with TLS around it, it is just less than one chunk of the bridge."""


class Connection:
    """An open session; made by `Connection.open`. For one thread at a time."""

    def __init__(self, transport: Transport, endpoint: ClientEndpoint) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._frames = FrameDecoder()
        self._frame_limit = MAX_REQUEST_BYTES
        self._established = False
        self._peer_closed = False

    @classmethod
    def open(cls, transport: Transport, endpoint: ClientEndpoint, *, timeout_s: float) -> Self:
        """Shake hands with the isolate; when that fails, the transport is closed.

        With TLS 1.3 the isolate judges our certificate only when our side is done: a refusal may
        be reported by any call up to the first `receive_frame`.

        Raises:
            SessionError: nobody there, not the attested isolate, or it refuses us.
        """
        connection = cls(transport, endpoint)
        try:
            connection._shake_hands(timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    def send_frame(self, payload: bytes) -> None:
        """Send one frame.

        Raises:
            SessionError: the session is lost, or was refused.
        """
        self._send(frame(payload))

    def send_content(self, content: bytes | memoryview) -> None:
        """Send raw content that a frame announced; the whole of it or a part, in order.

        Raises:
            SessionError: the session is lost, or was refused. An answer that came before can
                still be taken with `receive_frame`.
        """
        self._send(content)

    def receive_frame(self, *, timeout_s: float, limit: int = MAX_REQUEST_BYTES) -> bytes:
        """The payload of the next frame, which is all there within `timeout_s`.

        Raises:
            SessionError: no frame came, or one longer than `limit` bytes, or the isolate refused
                our certificate.
        """
        self._limit_frames(limit)
        deadline = monotonic() + timeout_s
        while (payload := self._next_frame()) is None:
            for data in self._receive(deadline, f"answer within {timeout_s:g} s"):
                self._frames.feed(data)
        return payload

    def receive_content(self, size: int, *, timeout_s: float) -> Iterator[bytes]:
        """The `size` bytes of raw content a frame announced, in pieces; take all of them.

        Args:
            size: in bytes.
            timeout_s: how long each piece may take.

        Raises:
            SessionError: the content did not come in full.
        """
        missing = size
        while missing:
            pieces = [self._frames.take(missing)] if len(self._frames) else []
            if not pieces:
                deadline = monotonic() + timeout_s
                pieces = self._receive(deadline, f"go on sending within {timeout_s:g} s")
            for piece in pieces:
                if len(piece) <= missing:
                    missing -= len(piece)
                    yield piece
                    continue
                # The next frame may have come in the same record; it must not be taken for content.
                self._frames.feed(memoryview(piece)[missing:])
                part = piece[:missing]
                missing -= len(part)
                if part:
                    yield part

    def close(self) -> None:
        """Say goodbye if anybody listens, and let the transport go; idempotent."""
        self._endpoint.close()
        with suppress(SessionError, TimeoutError):
            if self._endpoint.pending_output:
                self._transport.send(self._endpoint.data_to_send())
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _shake_hands(self, timeout_s: float) -> None:
        self._endpoint.start()
        self._flush()
        deadline = monotonic() + timeout_s
        while not self._established:
            for data in self._receive(deadline, f"finish the TLS handshake within {timeout_s:g} s"):
                self._frames.feed(data)

    def _limit_frames(self, limit: int) -> None:
        """Carry what is buffered over to a decoder of this limit."""
        if limit == self._frame_limit:
            return
        buffered = self._frames.take(len(self._frames))
        self._frames = FrameDecoder(limit)
        self._frames.feed(buffered)
        self._frame_limit = limit

    def _next_frame(self) -> bytes | None:
        try:
            return self._frames.next_frame()
        except WireError as error:
            raise SessionError(f"the isolate's answer is not a frame: {error}") from error

    def _send(self, plaintext: bytes | memoryview) -> None:
        view = memoryview(plaintext)
        for start in range(0, len(view), PIECE_BYTES):
            try:
                self._endpoint.send(view[start : start + PIECE_BYTES])
            except TlsError as error:
                raise self._unusable(error) from error
            self._flush()

    def _flush(self) -> None:
        """Hand what TLS wants to send to the transport."""
        data = self._endpoint.data_to_send()
        if not data:
            return
        try:
            self._transport.send(data)
        except TimeoutError as error:
            raise IsolateSilentError(
                f"{self._transport.peer} takes no more bytes: it or the isolate is stuck"
            ) from error
        except SessionError:
            self._take_pending_input()
            raise

    def _take_pending_input(self) -> None:
        """Take in what came before the transport went; an alert says more than its end."""
        while not self._peer_closed:
            try:
                data = self._transport.receive(0)
            except (SessionError, TimeoutError):
                return
            for plaintext in self._take_in(data):
                self._frames.feed(plaintext)
        raise self._closed()

    def _receive(self, deadline: float, duty: str) -> list[bytes]:
        """Plaintext from the next bytes of the transport; `duty` is what the isolate owes us."""
        if self._peer_closed:
            raise self._closed()
        try:
            data = self._transport.receive(max(0.0, deadline - monotonic()))
        except TimeoutError as error:
            raise IsolateSilentError(
                f"the isolate behind {self._transport.peer} did not {duty}: "
                "see that it runs, or allow more time"
            ) from error
        plaintexts = self._take_in(data)
        # TLS itself may owe an answer: a step of the handshake, a new key, a closing alert.
        self._flush()
        return plaintexts

    def _closed(self) -> SessionLostError:
        peer = self._transport.peer
        return SessionLostError(f"the isolate behind {peer} closed the session: start again")

    def _take_in(self, data: bytes | memoryview) -> list[bytes]:
        """What the isolate's bytes say, in plaintext; empty `data` is their end."""
        try:
            if not data:
                # Raises without a closing alert: whoever cuts an answer must not pass for its end.
                self._endpoint.receive_end()
                self._peer_closed = True
            events = self._endpoint.receive_data(data)
        except PeerError as error:
            raise self._explanation(error) from error
        except TlsError as error:
            raise self._unusable(error) from error
        plaintexts = []
        for event in events:
            match event:
                case PlaintextReceived(received):
                    plaintexts.append(received)
                case HandshakeCompleted():
                    self._established = True
                case PeerClosed():
                    self._peer_closed = True
        return plaintexts

    @staticmethod
    def _unusable(error: TlsError) -> SessionError:
        return SessionError(f"the session cannot be used any more: {error}")

    def _explanation(self, error: PeerError) -> SessionError:
        """What a fault of TLS means to a principal, and what can be done."""
        peer = self._transport.peer
        match error.fault:
            case TlsFault.REFUSED_OUR_CERTIFICATE:
                return IsolateRefusedError(
                    f"the isolate refused certificate {self._endpoint.certificate_digest}: "
                    "it is not in the policy, expired, or not the policy's key"
                )
            case TlsFault.UNKNOWN_CERTIFICATE | TlsFault.WRONG_KEY:
                return WrongIsolateError(
                    f"what answers behind {peer} has certificate {error.certificate_digest}, "
                    f"the attested one is {self._endpoint.server_certificate_digest}: attest again"
                )
            case TlsFault.TRUNCATED:
                return SessionLostError(
                    f"the session behind {peer} ended without a closing alert: "
                    "see that the isolate runs, then start again"
                )
            case TlsFault.WRONG_VERSION | TlsFault.WRONG_SUITE:
                return SessionError(
                    f"the isolate behind {peer} does not speak the policy's TLS ({error}): "
                    "see that both sides hold the same policy"
                )
            case _:
                return SessionError(f"the session behind {peer} failed: {error}")
