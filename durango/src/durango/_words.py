"""How outputs and errors write what others chose, and times."""

from datetime import datetime


def printable(text: str, *, most: int = 120) -> str:
    """Somebody else's words, cut, and quoted if they could do anything to a terminal."""
    cut = text[:most]
    return cut if cut.isprintable() else repr(cut)


def timestamp(moment: datetime) -> str:
    """A moment in UTC as RFC 3339, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
