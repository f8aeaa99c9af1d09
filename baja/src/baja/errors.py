"""What can go wrong in a TLS session, split by who must act.

    TlsError
    ├ LocalError    our caller misused us: wrong key for a certificate, sending before the handshake
    └ PeerError     the other side broke TLS or is not who it must be; `fault` says how

A session that raised `PeerError` is over. What it still wants to tell the peer (an alert) waits in
`data_to_send`. No message carries text chosen by the peer.
"""

from enum import StrEnum

from veracruz_utils.errors import VeracruzError


class TlsFault(StrEnum):
    """What a peer can do wrong, a closed list: names for programs and logs, texts for people."""

    MALFORMED = "peer sent bytes that are not valid TLS"
    HANDSHAKE_TOO_LONG = "peer did not finish its handshake in the bytes allowed for it"
    WRONG_VERSION = "peer does not speak the TLS version the policy asks for"
    WRONG_SUITE = "peer does not offer the ciphersuite the policy asks for"
    WRONG_PROTOCOL = "peer does not agree on the application protocol veracruz/1"
    NO_CERTIFICATE = "peer showed no certificate"
    UNKNOWN_CERTIFICATE = "peer showed a certificate that is not pinned"
    EXPIRED_CERTIFICATE = "peer showed a pinned certificate that has expired"
    PREMATURE_CERTIFICATE = "peer showed a pinned certificate that is not valid yet"
    WRONG_KEY = "peer does not hold the private key of the certificate it showed"
    BAD_RECORD = "peer sent a record that fails its integrity check"
    TRUNCATED = "peer's bytes ended without a closing alert"
    REFUSED_OUR_CERTIFICATE = "peer refused our certificate"
    ALERT = "peer ended the session with an alert"


class TlsError(VeracruzError):
    """A TLS session failed or was misused."""


class LocalError(TlsError):
    """Our caller asked for what cannot be."""


class PeerError(TlsError):
    """The peer broke the protocol or is not the one pinned.

    Attributes:
        fault: what it did.
        alert: the name of the TLS alert it sent, for faults it reported itself; else None.
        certificate_digest: SHA-256 in hexadecimal of the certificate it showed, for faults
            that are about it; else None.
    """

    def __init__(
        self, fault: TlsFault, *, alert: str | None = None, certificate_digest: str | None = None
    ) -> None:
        self.fault = fault
        self.alert = alert
        self.certificate_digest = certificate_digest
        text = fault.value
        if alert is not None:
            text += f" (alert: {alert})"
        if certificate_digest is not None:
            text += f" (certificate {certificate_digest})"
        super().__init__(text)
