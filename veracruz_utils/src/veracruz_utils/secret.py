"""Bytes that must not leak by accident."""

import hmac
from typing import NoReturn


class Secret:
    """Secret bytes: no content in `repr`, constant-time `==`, neither hashed nor pickled.

    `reveal` is the one way to the content, so that a search for it lists every place to review.
    """

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_value",)

    def __init__(self, value: bytes | bytearray | memoryview) -> None:
        self._value = bytes(memoryview(value))  # never a number: bytes(32) is 32 zeros

    def reveal(self) -> bytes:
        """The content."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other.reveal())

    def __repr__(self) -> str:
        return f"<Secret: {len(self._value)} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
