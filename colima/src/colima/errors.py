"""Errors of the wire.

VeracruzError
└ WireError     the peer's bytes are not a message or frame we accept
"""

from veracruz_utils.errors import VeracruzError


class WireError(VeracruzError):
    """Bytes that are not exactly one message, or a frame over its limit; they changed nothing."""
