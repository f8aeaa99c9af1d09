"""Records that no honest TLS library writes: KeyUpdates without end, plaintext byte by byte.

Of a client's side of TLS 1.3 with AES-256-GCM and SHA-384, once its handshake is over and before it
has sent anything else (RFC 8446 §4.6.3, §5.2, §7.1).
"""

import socket
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

from baja import HandshakeCompleted
from baja.client import ClientEndpoint

_HANDSHAKE, _DATA = 22, 23
_LABEL = b"CLIENT_TRAFFIC_SECRET_0"


class RecordWriter:
    """Writes the client's records by hand."""

    def __init__(self, secret: bytes) -> None:
        self._use(secret)

    def data(self, plaintext: bytes) -> bytes:
        """A record of application data."""
        return self._record(plaintext, _DATA)

    def key_update(self, *, requested: bool) -> bytes:
        """A KeyUpdate, after which the next keys are used."""
        record = self._record(bytes([24, 0, 0, 1, requested]), _HANDSHAKE)
        self._use(_expand(self._secret, b"traffic upd", 48))
        return record

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._key = AESGCM(_expand(secret, b"key", 32))
        self._iv = int.from_bytes(_expand(secret, b"iv", 12))
        self._sequence = 0

    def _record(self, content: bytes, kind: int) -> bytes:
        header = struct.pack("!BHH", _DATA, 0x303, len(content) + 17)
        nonce = (self._iv ^ self._sequence).to_bytes(12)
        self._sequence += 1
        return header + self._key.encrypt(nonce, content + bytes([kind]), header)


def shake_hands(channel: socket.socket, endpoint: ClientEndpoint) -> RecordWriter:
    """A session on `channel`, for whatever records."""
    secrets: dict[bytes, bytes] = {}

    def note(_: object, line: bytes) -> None:
        label, _, secret = line.split()
        secrets[label] = bytes.fromhex(secret.decode())

    # Past the check that the context is not in use yet: OpenSSL itself asks it at each secret.
    SSL.Context.set_keylog_callback.__wrapped__(endpoint._tls.get_context(), note)
    endpoint.start()
    done = False
    while not done:
        channel.sendall(endpoint.data_to_send())
        done = any(
            isinstance(event, HandshakeCompleted)
            for event in endpoint.receive_data(channel.recv(1 << 16))
        )
    channel.sendall(endpoint.data_to_send())
    return RecordWriter(secrets[_LABEL])


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    name = b"tls13 " + label
    info = struct.pack("!HB", size, len(name)) + name + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)
