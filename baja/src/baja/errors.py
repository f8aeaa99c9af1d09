"""What can go wrong in a TLS session, split by who must act.

    TlsError
    ├ LocalError    our caller misused us: wrong key for a certificate, sending before the handshake
    └ PeerError     the other side broke TLS or is not who it must be; `fault` says how

A session that raised `PeerError` is over. What it still wants to tell the peer (an alert) waits in
`data_to_send`. No message carries text chosen by the peer.
"""

from enum import StrEnum
from typing import Final

from veracruz_utils.errors import VeracruzError


class TlsFault(StrEnum):
    """The closed list of what a peer can do wrong; the values are stable names for logs."""

    MALFORMED = "malformed"
    HANDSHAKE_TOO_LONG = "handshake-too-long"
    WRONG_VERSION = "wrong-version"
    WRONG_SUITE = "wrong-suite"
    WRONG_PROTOCOL = "wrong-protocol"
    NO_CERTIFICATE = "no-certificate"
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    EXPIRED_CERTIFICATE = "expired-certificate"
    PREMATURE_CERTIFICATE = "premature-certificate"
    WRONG_KEY = "wrong-key"
    BAD_RECORD = "bad-record"
    TRUNCATED = "truncated"
    REFUSED_OUR_CERTIFICATE = "refused-our-certificate"
    ALERT = "alert"


_TEXTS: Final = {
    TlsFault.MALFORMED: "peer sent bytes that are not valid TLS",
    TlsFault.HANDSHAKE_TOO_LONG: "peer did not finish its handshake in the bytes allowed for it",
    TlsFault.WRONG_VERSION: "peer does not speak the TLS version the policy asks for",
    TlsFault.WRONG_SUITE: "peer does not offer the ciphersuite the policy asks for",
    TlsFault.WRONG_PROTOCOL: "peer does not agree on the application protocol veracruz/1",
    TlsFault.NO_CERTIFICATE: "peer showed no certificate",
    TlsFault.UNKNOWN_CERTIFICATE: "peer showed a certificate that is not pinned",
    TlsFault.EXPIRED_CERTIFICATE: "peer showed a pinned certificate that has expired",
    TlsFault.PREMATURE_CERTIFICATE: "peer showed a pinned certificate that is not valid yet",
    TlsFault.WRONG_KEY: "peer does not hold the private key of the certificate it showed",
    TlsFault.BAD_RECORD: "peer sent a record that fails its integrity check",
    TlsFault.TRUNCATED: "peer's bytes ended without a closing alert",
    TlsFault.REFUSED_OUR_CERTIFICATE: "peer refused our certificate",
    TlsFault.ALERT: "peer ended the session with an alert",
}


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
        text = _TEXTS[fault]
        if alert is not None:
            text += f" (alert: {alert})"
        if certificate_digest is not None:
            text += f" (certificate {certificate_digest})"
        super().__init__(text)
