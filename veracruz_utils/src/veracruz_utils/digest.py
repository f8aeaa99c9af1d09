"""SHA-256 digests as values."""

import hashlib
import re
from typing import Final, Self

from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_HEX: Final = re.compile(r"[0-9a-f]{64}")


@frozen
class Digest:
    """A SHA-256 digest: 32 bytes, printed as 64 lowercase hexadecimal digits."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != 32:
            raise VeracruzError(f"a SHA-256 digest has 32 bytes, this one {len(self.value)}")

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Self:
        """The digest of `data`."""
        return cls(hashlib.sha256(data).digest())

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """The digest written as exactly 64 lowercase hexadecimal digits.

        Raises:
            VeracruzError: `text` is anything else.
        """
        if not _HEX.fullmatch(text):
            raise VeracruzError(f"{text[:80]!r} is not 64 lowercase hexadecimal digits")
        return cls(bytes.fromhex(text))

    def __str__(self) -> str:
        return self.value.hex()

    def __repr__(self) -> str:
        return f"<Digest: {self.value.hex()}>"

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.value.hex()[:12]
