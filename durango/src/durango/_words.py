"""How outputs and errors write what others chose, and times."""

from collections.abc import Collection
from datetime import datetime

from durango._say import Written
from veracruz_shells import quantities
from veracruz_utils.policy import IsolationLayer


def printable(text: str, *, most: int = 120) -> str:
    """Somebody else's words, cut, and quoted if they could do anything to a terminal."""
    cut = text[:most]
    return cut if cut.isprintable() else repr(cut)


def layer_names(layers: Collection[IsolationLayer]) -> str:
    """Layers of isolation in the order in which they are documented, or that there is none."""
    return ", ".join(layer for layer in IsolationLayer if layer in layers) or "no layer"


def timestamp(moment: datetime) -> Written:
    """A moment in UTC as RFC 3339, to the second."""
    return Written(quantities.moment(moment), lambda language: quantities.moment(moment, language))


def size(count: int) -> Written:
    """So many bytes, in the largest unit that says it whole."""
    return Written(quantities.size(count), lambda language: quantities.size(count, language))


def milliseconds(count: int) -> Written:
    """How long something took."""
    return Written(f"{count} ms", lambda language: f"{quantities.number(count, language)} ms")


def decimal(text: str) -> Written:
    """A number that has a decimal point in English."""
    return Written(text, lambda language: quantities.decimal(text, language))


def nan_words(*, canonical: bool) -> str:
    """Whose bits a NaN has that a program makes."""
    return "the same everywhere" if canonical else "the processor's"
