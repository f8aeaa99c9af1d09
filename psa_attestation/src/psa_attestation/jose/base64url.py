"""Base64url without padding, one text for each byte string (RFC 4648 section 5, RFC 7515)."""

import base64
import re
from typing import Final

from psa_attestation.errors import AttestationError, ErrorCode, Stage

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*")


def to_base64url(data: bytes) -> str:
    """`data` as text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str, name: str) -> bytes:
    """The bytes of which `text` is the only form; `name` is for the error.

    Raises:
        AttestationError: padding, another alphabet, or bits that no encoder sets.
    """
    if _ALPHABET.fullmatch(text) and len(text) % 4 != 1:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if to_base64url(data) == text:
            return data
    raise AttestationError(ErrorCode.MALFORMED, Stage.ENCODING, f"{name} is not base64url")
