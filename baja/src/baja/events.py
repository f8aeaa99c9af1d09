"""What a session reports."""

from dataclasses import field

from veracruz_utils.frozen import frozen
from veracruz_utils.policy import CipherSuite, TlsVersion


@frozen
class HandshakeCompleted:
    """The peer proved to hold the key of a pinned certificate; always the first event.

    A TLS 1.3 client sees this before the server has judged the client: a refusal comes as an
    alert in place of the first answer.

    Attributes:
        peer_certificate: DER, byte for byte the pinned one.
        version: the policy's.
        ciphersuite: the policy's.
    """

    peer_certificate: bytes = field(repr=False)
    version: TlsVersion
    ciphersuite: CipherSuite


@frozen
class PlaintextReceived:
    """Authentic bytes of the peer, in order; `data` is never empty."""

    data: bytes = field(repr=False)


@frozen
class PeerClosed:
    """The peer said that nothing follows; always the last event."""


Event = HandshakeCompleted | PlaintextReceived | PeerClosed
