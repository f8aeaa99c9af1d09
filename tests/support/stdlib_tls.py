"""An independent TLS end: the standard library's, with its own OpenSSL."""

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def write_pem(folder: Path, key, *certificates: bytes) -> Path:
    """Key and certificates (DER) in one file, as `load_cert_chain` wants them."""
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for certificate in certificates:
        parsed = x509.load_der_x509_certificate(certificate)
        text += parsed.public_bytes(serialization.Encoding.PEM)
    path = folder / f"{len(list(folder.iterdir()))}.pem"
    path.write_bytes(text)
    return path


def client_context(chain: Path | None, *, protocols=("veracruz/1",)) -> ssl.SSLContext:
    """A client that shows `chain` and believes any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if chain:
        context.load_cert_chain(chain)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def server_context(chain: Path, trusted: bytes, *, protocols=("veracruz/1",)) -> ssl.SSLContext:
    """A server that wants the client certificate `trusted` (DER)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


class StdlibEnd:
    """`ssl.SSLObject` between two memory buffers."""

    def __init__(self, context: ssl.SSLContext, *, server_side=False, session=None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, session=session
        )
        self.connected = False

    def advance(self, data: bytes = b"") -> bytes:
        """Take `data` in and return what to send; plaintext is left to `read`."""
        self._incoming.write(data)
        if not self.connected:
            try:
                self.tls.do_handshake()
                self.connected = True
            except ssl.SSLWantReadError:
                pass
        return self._outgoing.read()

    def read(self) -> bytes:
        """All plaintext there is."""
        pieces = []
        try:
            while piece := self.tls.read(65536):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def write(self, data: bytes) -> bytes:
        """`data` sealed."""
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view) :]
        return self._outgoing.read()


def shake_hands(theirs: StdlibEnd, ours) -> list:
    """Carry bytes until nobody speaks, beginning with whoever has something; our events."""
    events = []
    data = theirs.advance(ours.data_to_send())
    while data:
        events += ours.receive_data(data)
        data = theirs.advance(ours.data_to_send())
    return events
