"""How outputs and errors write what others chose, and times."""

from collections.abc import Collection
from datetime import datetime

from veracruz_utils.policy import IsolationLayer


def printable(text: str, *, most: int = 120) -> str:
    """Somebody else's words, cut, and quoted if they could do anything to a terminal."""
    cut = text[:most]
    return cut if cut.isprintable() else repr(cut)


def layer_names(layers: Collection[IsolationLayer]) -> str:
    """Layers of isolation in the order in which they are documented, or that there is none."""
    return ", ".join(layer for layer in IsolationLayer if layer in layers) or "no layer"


def timestamp(moment: datetime) -> str:
    """A moment in UTC as RFC 3339, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def size(count: int) -> str:
    """So many bytes, in the largest unit that says it whole."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count and count % factor == 0:
            return f"{count // factor:,} {unit}"
    return f"{count:,} byte{'' if count == 1 else 's'}"


def nan_words(*, canonical: bool) -> str:
    """Whose bits a NaN has that a program makes."""
    return "the same everywhere" if canonical else "the processor's"
