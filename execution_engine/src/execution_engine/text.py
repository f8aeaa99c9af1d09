"""Text of foreign origin, made fit for a message: one printable line of ASCII, bounded."""

import re
from typing import Final

from wasmtime import WasmtimeError

_QUOTED: Final = re.compile(r"`[^`]*`?")


def printable(text: str, most: int) -> str:
    """A text's first `most` characters, escaped where they are not plain ASCII."""
    return ascii(text[:most])[1:-1][:most]


def quoted(text: str) -> str:
    """A module's own text, at most 64 characters, in quotes."""
    return ascii(text if len(text) <= 64 else text[:64] + "...")


def sanitised(error: WasmtimeError) -> str:
    """The compiler's message, without what it quotes from the module."""
    text = _QUOTED.sub("`...`", str(error)[:1000])
    return printable(text.replace("\n", "; "), 200)
