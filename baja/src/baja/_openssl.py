"""Reading OpenSSL's errors: from its fixed reason texts to our closed list of faults."""

from collections.abc import Sequence
from typing import Final

from OpenSSL import SSL

from baja.errors import Fault

# What our own OpenSSL reports about the peer's bytes. Anything absent is MALFORMED.
_REASONS: Final = {
    "bad signature": Fault.WRONG_KEY,
    "certificate verify failed": Fault.UNKNOWN_CERTIFICATE,
    "decryption failed or bad record mac": Fault.BAD_RECORD,
    "digest check failed": Fault.BAD_RECORD,
    "no shared cipher": Fault.WRONG_SUITE,
    "no suitable signature algorithm": Fault.WRONG_SUITE,
    "peer did not return a certificate": Fault.NO_CERTIFICATE,
    "unknown cipher returned": Fault.WRONG_SUITE,
    "unsupported protocol": Fault.WRONG_VERSION,
    "wrong cipher returned": Fault.WRONG_SUITE,
    "wrong ssl version": Fault.WRONG_VERSION,
}

# What the peer's OpenSSL (or any other TLS) reports about us, by the alert's name.
_ALERTS: Final = {
    "access denied": Fault.REFUSED_OUR_CERTIFICATE,
    "bad certificate": Fault.REFUSED_OUR_CERTIFICATE,
    "certificate expired": Fault.REFUSED_OUR_CERTIFICATE,
    "certificate required": Fault.REFUSED_OUR_CERTIFICATE,
    "certificate revoked": Fault.REFUSED_OUR_CERTIFICATE,
    "certificate unknown": Fault.REFUSED_OUR_CERTIFICATE,
    "decrypt error": Fault.REFUSED_OUR_CERTIFICATE,
    "unknown ca": Fault.REFUSED_OUR_CERTIFICATE,
    "unsupported certificate": Fault.REFUSED_OUR_CERTIFICATE,
    "handshake failure": Fault.WRONG_SUITE,
    "insufficient security": Fault.WRONG_SUITE,
    "no application protocol": Fault.WRONG_PROTOCOL,
    "protocol version": Fault.WRONG_VERSION,
}


def _reasons(error: SSL.Error) -> Sequence[str]:
    """The reason texts in an OpenSSL error, first cause first."""
    entries = error.args[0] if error.args else ()
    return [entry[2] for entry in entries] if isinstance(entries, list) else []


def fault_of(error: SSL.Error) -> tuple[Fault, str | None]:
    """What the peer did, and the name of the alert it sent, if it sent one."""
    if isinstance(error, SSL.ZeroReturnError):
        return Fault.ALERT, "close notify"
    for reason in _reasons(error):
        _, is_alert, name = reason.rpartition(" alert ")
        if is_alert:
            return _ALERTS.get(name, Fault.ALERT), name
        if reason in _REASONS:
            return _REASONS[reason], None
    return Fault.MALFORMED, None
