"""What a program says to its author: a panic's text, what Python prints.

It may contain inputs, so it leaves an isolate only when the policy says `debug`, and goes to the
program's provider alone. A core module exports the global `abi.MESSAGE`, the address of
two little-endian u32: where the text is and how long. The host looks there once, when the program
has ended, however it did. A component calls `message` of its world, as often as it likes.
"""

from typing import Final

MAX_MESSAGE_BYTES: Final = 4096
"""Of a longer message the end is kept: what went wrong comes last."""


def message_text(message: bytes) -> str:
    """A message as text: printable characters and line ends; anything else is escaped."""
    text = message[-MAX_MESSAGE_BYTES:].decode(errors="replace")
    return "".join(each if is_plain(each) else ascii(each)[1:-1] for each in text)


def is_plain(text: str) -> bool:
    """Whether text has printable characters, tabs and line ends alone."""
    return all(each.isprintable() or each in "\n\t" for each in text)
