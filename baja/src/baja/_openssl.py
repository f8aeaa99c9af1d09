"""Reading OpenSSL's errors: from its fixed reason texts to our closed list of faults."""

from collections.abc import Sequence
from typing import Final

from OpenSSL import SSL

from baja.errors import TlsFault

# What our own OpenSSL reports about the peer's bytes. Anything absent is MALFORMED.
_REASONS: Final = {
    "bad signature": TlsFault.WRONG_KEY,
    "certificate verify failed": TlsFault.UNKNOWN_CERTIFICATE,
    "decryption failed or bad record mac": TlsFault.BAD_RECORD,
    "digest check failed": TlsFault.BAD_RECORD,
    "no shared cipher": TlsFault.WRONG_SUITE,
    "no suitable signature algorithm": TlsFault.WRONG_SUITE,
    "peer did not return a certificate": TlsFault.NO_CERTIFICATE,
    "unknown cipher returned": TlsFault.WRONG_SUITE,
    "unsupported protocol": TlsFault.WRONG_VERSION,
    "wrong cipher returned": TlsFault.WRONG_SUITE,
    "wrong ssl version": TlsFault.WRONG_VERSION,
}

# What the peer's OpenSSL (or any other TLS) reports about us, by the alert's name.
_ALERTS: Final = {
    "access denied": TlsFault.REFUSED_OUR_CERTIFICATE,
    "bad certificate": TlsFault.REFUSED_OUR_CERTIFICATE,
    "certificate expired": TlsFault.REFUSED_OUR_CERTIFICATE,
    "certificate required": TlsFault.REFUSED_OUR_CERTIFICATE,
    "certificate revoked": TlsFault.REFUSED_OUR_CERTIFICATE,
    "certificate unknown": TlsFault.REFUSED_OUR_CERTIFICATE,
    "decrypt error": TlsFault.REFUSED_OUR_CERTIFICATE,
    "unknown ca": TlsFault.REFUSED_OUR_CERTIFICATE,
    "unsupported certificate": TlsFault.REFUSED_OUR_CERTIFICATE,
    "handshake failure": TlsFault.WRONG_SUITE,
    "insufficient security": TlsFault.WRONG_SUITE,
    "no application protocol": TlsFault.WRONG_PROTOCOL,
    "protocol version": TlsFault.WRONG_VERSION,
}


def _reasons(error: SSL.Error) -> Sequence[str]:
    """The reason texts in an OpenSSL error, first cause first."""
    entries = error.args[0] if error.args else ()
    return [entry[2] for entry in entries] if isinstance(entries, list) else []


def fault_of(error: SSL.Error) -> tuple[TlsFault, str | None]:
    """What the peer did, and the name of the alert it sent, if it sent one."""
    if isinstance(error, SSL.ZeroReturnError):
        return TlsFault.ALERT, "close notify"
    for reason in _reasons(error):
        _, is_alert, name = reason.rpartition(" alert ")
        if is_alert:
            return _ALERTS.get(name, TlsFault.ALERT), name
        if reason in _REASONS:
            return _REASONS[reason], None
    return TlsFault.MALFORMED, None
