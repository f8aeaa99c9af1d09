"""One TLS session as a value in memory: bytes in, events and bytes out.

Theory of operation. OpenSSL runs between two memory buffers. Bytes of the peer go in by slices,
so that neither buffer grows with the caller's chunk; whatever OpenSSL wants to send is moved to
our own queue at once. Four phases, only ever forward:

    HANDSHAKE ──▶ OPEN ──▶ PEER_CLOSED        any phase ──▶ FAILED (PeerError, final)

Plaintext leaves this module in OPEN alone, and OPEN is entered by `_admit` alone, which looks at
the peer's certificate, version, suite and protocol a second time, whatever OpenSSL concluded.
"""

from contextlib import suppress
from enum import Enum, auto
from typing import Final

from OpenSSL import SSL

from baja._openssl import fault_of
from baja.context import PROTOCOL, NoCommonProtocolError, PeerCheck, der_of
from baja.errors import LocalError, PeerError, TlsFault
from baja.events import Event, HandshakeCompleted, PeerClosed, PlaintextReceived
from veracruz_utils.policy import CipherSuite

MAX_HANDSHAKE_BYTES: Final = 32 * 1024
"""Bytes a peer may send until its handshake is complete; honest ones need about 4 KiB."""

_SLICE_BYTES: Final = 256 * 1024  # of the peer, fed to OpenSSL at once
_HANDSHAKE_SLICE_BYTES: Final = 4 * 1024
_RECORD_BYTES: Final = 16 * 1024  # plaintext of the largest record, and the most one read returns
_SEND_BYTES: Final = 64 * _RECORD_BYTES  # plaintext given to OpenSSL at once
_OUTPUT_BYTES: Final = 16 * 1024  # what OpenSSL has to say of its own, or more by more reads
_SEALING_BYTES: Final = 64  # what a record adds to its plaintext, at most


class Phase(Enum):
    """How far a session is."""

    HANDSHAKE = auto()
    OPEN = auto()
    PEER_CLOSED = auto()
    FAILED = auto()


class Endpoint:
    """The core both roles share. Not thread-safe; one instance per connection."""

    def __init__(self, tls: SSL.Connection, suite: CipherSuite, check: PeerCheck) -> None:
        tls.set_app_data(check)
        self._tls = tls
        self._suite = suite
        self._check = check
        self._phase = Phase.HANDSHAKE
        self._closing = False
        self._handshake_bytes = 0
        self._output: list[bytes] = []
        self._pending_output = 0

    @property
    def phase(self) -> Phase:
        """How far the session is."""
        return self._phase

    @property
    def pending_output(self) -> int:
        """Bytes waiting in `data_to_send`."""
        return self._pending_output

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """What the peer's next bytes amount to, however the stream was cut.

        Bytes after the peer's close are ignored, as TLS asks.

        Raises:
            PeerError: the session is over; an alert may wait in `data_to_send`. Plaintext that
                came in the same call is lost.
            LocalError: the session had failed before.
        """
        self._refuse_if_failed()
        events: list[Event] = []
        rest = memoryview(data)
        while rest and self._phase is not Phase.PEER_CLOSED:
            taken = self._tls.bio_write(rest[: self._slice_bytes()])
            rest = rest[taken:]
            self._advance(taken, events)
        return events

    def start(self) -> None:
        """Say the first word, if it is ours: a client's hello; calling again does nothing."""
        if self._phase is Phase.HANDSHAKE:
            self._advance(0, [])

    def receive_end(self) -> None:
        """Say that the transport brings no more bytes.

        Raises:
            PeerError: the peer had not closed the session, so its stream may have been cut short.
        """
        if self._phase is Phase.HANDSHAKE or self._phase is Phase.OPEN:
            raise self._failure(TlsFault.TRUNCATED)

    def send(self, plaintext: bytes | bytearray | memoryview) -> None:
        """Encrypt `plaintext`, of any size, into `data_to_send`.

        Raises:
            LocalError: before the handshake is complete, after `close` or after a failure.
        """
        self._refuse_if_failed()
        if self._phase is Phase.HANDSHAKE or self._closing:
            raise LocalError(f"nothing can be sent while the session is {self._state()}")
        rest = memoryview(plaintext)
        while rest:
            piece = rest[:_SEND_BYTES]
            try:
                self._tls.sendall(piece)
            except SSL.Error as error:
                raise LocalError("TLS did not take what was to be sent") from error
            self._collect_output(_sealed_bytes(len(piece)))
            rest = rest[len(piece) :]

    def data_to_send(self) -> bytes:
        """All bytes the peer must get next; empty when there are none. They are handed out once."""
        output = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output = []
        self._pending_output = 0
        return output

    def close(self) -> None:
        """Tell the peer that nothing follows; its own bytes are still received. Idempotent."""
        if self._closing or self._phase is Phase.FAILED:
            return
        self._closing = True
        if self._phase is not Phase.HANDSHAKE:  # OpenSSL has no way to leave a handshake politely
            self._shut_down()

    def _state(self) -> str:
        return "closing" if self._closing else self._phase.name.lower().replace("_", " ")

    def _refuse_if_failed(self) -> None:
        if self._phase is Phase.FAILED:
            raise LocalError("the session has failed and cannot be used any more")

    def _slice_bytes(self) -> int:
        """How much OpenSSL gets next; during the handshake never beyond what is allowed in all."""
        if self._phase is not Phase.HANDSHAKE:
            return _SLICE_BYTES
        return min(_HANDSHAKE_SLICE_BYTES, MAX_HANDSHAKE_BYTES - self._handshake_bytes)

    def _advance(self, fed: int, events: list[Event]) -> None:
        """Let OpenSSL work on what it was fed."""
        try:
            if self._phase is Phase.HANDSHAKE:
                self._handshake_bytes += fed
                self._handshake()
                events.append(self._admit())
            # At once: data may be behind the end of the handshake, and no more bytes need come.
            self._read(events)
        except SSL.WantReadError:
            self._collect_output()
        except NoCommonProtocolError:
            raise self._failure(TlsFault.WRONG_PROTOCOL) from None
        except SSL.Error as error:
            raise self._openssl_failure(error) from error
        # Never more than that: `_slice_bytes` feeds no byte beyond it.
        if self._phase is Phase.HANDSHAKE and self._handshake_bytes == MAX_HANDSHAKE_BYTES:
            raise self._failure(TlsFault.HANDSHAKE_TOO_LONG)

    def _handshake(self) -> None:
        self._tls.do_handshake()
        self._collect_output()

    def _admit(self) -> HandshakeCompleted:
        """Judge the finished handshake afresh; the only way into OPEN."""
        shown = self._tls.get_peer_certificate()
        certificate = b"" if shown is None else der_of(shown)
        # (1) The callback judged a certificate in this very session: nothing was resumed.
        # (2) It was this one, and it is still the pinned one.
        if self._check.fault is not None or self._check.certificate != certificate:
            raise self._dismissal(self._check.fault or TlsFault.UNKNOWN_CERTIFICATE)
        fault = self._check.judge(certificate)
        if fault is not None:
            raise self._dismissal(fault)
        # (3) OpenSSL lets a session without ALPN pass.
        if self._tls.get_alpn_proto_negotiated() != PROTOCOL:
            raise self._dismissal(TlsFault.WRONG_PROTOCOL)
        # (4) Exactly the policy's suite, which exists in exactly one version.
        if self._tls.get_cipher_name() != self._suite.openssl_name:
            raise self._dismissal(TlsFault.WRONG_SUITE)
        self._phase = Phase.OPEN
        return HandshakeCompleted(certificate, self._suite.version, self._suite)

    def _read(self, events: list[Event]) -> None:
        """Read until OpenSSL wants more bytes (WantReadError) or the peer has closed."""
        pieces: list[bytes] = []
        try:
            while True:
                pieces.append(self._tls.recv(_RECORD_BYTES))
        except SSL.ZeroReturnError:
            self._phase = Phase.PEER_CLOSED
        finally:
            if pieces:
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                events.append(PlaintextReceived(data))
        events.append(PeerClosed())
        self._collect_output()

    def _collect_output(self, at_once: int = _OUTPUT_BYTES) -> None:
        """Move what OpenSSL wants to send into our queue, in pieces of this many bytes."""
        more = True
        while more:
            try:
                piece = self._tls.bio_read(at_once)
            except SSL.WantReadError:
                return
            self._output.append(piece)
            self._pending_output += len(piece)
            more = len(piece) == at_once

    def _shut_down(self) -> None:
        with suppress(SSL.Error):  # the peer's half of the closing may be malformed; ours is said
            self._tls.shutdown()
        self._collect_output()

    def _openssl_failure(self, error: SSL.Error) -> PeerError:
        fault, alert = fault_of(error)
        if fault is TlsFault.UNKNOWN_CERTIFICATE and self._check.fault is not None:
            return self._failure(self._check.fault)
        return self._failure(fault, alert)

    def _dismissal(self, fault: TlsFault) -> PeerError:
        """A failure OpenSSL does not know of: close, since it will not send an alert."""
        self._shut_down()
        return self._failure(fault)

    def _failure(self, fault: TlsFault, alert: str | None = None) -> PeerError:
        self._phase = Phase.FAILED
        self._collect_output()
        judged = fault in _ABOUT_CERTIFICATE
        return PeerError(
            fault, alert=alert, certificate_digest=self._check.digest if judged else None
        )


def _sealed_bytes(size: int) -> int:
    """More than `size` bytes of plaintext become as records."""
    return size + _SEALING_BYTES * (size // _RECORD_BYTES + 1) + 1


_ABOUT_CERTIFICATE: Final = frozenset(
    {
        TlsFault.UNKNOWN_CERTIFICATE,
        TlsFault.EXPIRED_CERTIFICATE,
        TlsFault.PREMATURE_CERTIFICATE,
        TlsFault.WRONG_KEY,
    }
)
