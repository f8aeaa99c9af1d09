"""What a terminal can show: whether one is there, how large it is, what fits."""

import os
import shutil
import unicodedata
from collections.abc import Iterator
from typing import Final, TextIO

_USUAL: Final = (80, 24)


def is_terminal(file: TextIO | None) -> bool:
    """Whether this is open and a terminal."""
    try:
        return file is not None and file.isatty()
    except ValueError:  # it is closed
        return False


def can_draw(file: TextIO | None) -> bool:
    """Whether this is a terminal on which a program can go back to what it wrote."""
    return is_terminal(file) and os.environ.get("TERM", "dumb") not in {"", "dumb"}


def size_of(file: TextIO) -> os.terminal_size:
    """Columns and lines of this terminal, whatever standard output is; COLUMNS and LINES go first.

    Of one that does not know them, the usual ones.
    """
    try:
        found = os.get_terminal_size(file.fileno())
    except (OSError, ValueError):
        found = os.terminal_size(_USUAL)
    usual = (found.columns or _USUAL[0], found.lines or _USUAL[1])
    if any(os.environ.get(name) for name in ("COLUMNS", "LINES")):
        return shutil.get_terminal_size(usual)
    return os.terminal_size(usual)


def width_of(text: str) -> int:
    """How many columns a text takes."""
    return sum(map(_width, text))


def cut(text: str, columns: int) -> str:
    """As much of a text as fits, and nothing that moves the cursor."""
    left, kept = columns, []
    for each in text:
        shown = each if each.isprintable() else "?"
        left -= _width(shown)
        if left < 0:
            break
        kept.append(shown)
    return "".join(kept)


def wrapped(text: str, columns: int) -> Iterator[str]:
    """A line in as many as it takes, broken at spaces; those after the first are indented."""
    first, *words = text.strip().split(" ") if width_of(text) > columns else [text]
    line = first
    for word in words:
        if width_of(f"{line} {word}") <= columns:
            line = f"{line} {word}"
            continue
        yield from _pieces(line, columns)
        line = f"  {word}"
    yield from _pieces(line, columns)


def _pieces(line: str, columns: int) -> Iterator[str]:
    """A line whose words may be longer than a whole one."""
    while width_of(line) > columns:
        begun = cut(line, columns)
        yield begun
        line = line[max(1, len(begun)) :]
    yield cut(line, columns)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
