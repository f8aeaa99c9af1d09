"""What a program says to its author: a panic's text, what Python prints.

It tells of inputs, so it leaves an isolate only when the policy says `debug`, and goes to the
program's provider alone. A core module exports the immutable global `abi.MESSAGE`, the address of
two little-endian u32: where the text is and how long. The host looks there once, when the program
has ended, however it did. A component calls `message` of its world, as often as it likes.
"""

from typing import Final, Protocol

MAX_MESSAGE_BYTES: Final = 4096
"""Of a longer message the end is kept: what went wrong is told last."""
_HEAD_BYTES: Final = 8


class Windows(Protocol):
    """Memory that is read by ranges; one that is not all inside raises."""

    def window(self, start: int, size: int) -> memoryview:
        """The bytes there."""
        ...


def message_in(memory: Windows, address: int) -> bytes:
    """What the two numbers at `address` point to.

    Raises:
        TrapError: it is not all in memory.
    """
    with memory.window(address, _HEAD_BYTES) as head:
        start, size = (int.from_bytes(head[at : at + 4], "little") for at in (0, 4))
    kept = min(size, MAX_MESSAGE_BYTES)
    with memory.window(start + size - kept, kept) as text:
        return bytes(text)


def told(message: bytes) -> str:
    """A message as text: printable characters and line ends; anything else is escaped."""
    text = message[-MAX_MESSAGE_BYTES:].decode(errors="replace")
    return "".join(each if is_plain(each) else ascii(each)[1:-1] for each in text)


def is_plain(text: str) -> bool:
    """Whether text has printable characters, tabs and line ends alone."""
    return all(each.isprintable() or each in "\n\t" for each in text)
