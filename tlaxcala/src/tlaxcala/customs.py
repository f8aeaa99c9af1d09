"""Custom sections: what tools left in a module about how it was made.

They mean nothing to the engine and anyone can write anything into them: what is here is what the
module says of itself. Text from it is escaped and cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from execution_engine.binary import sections
from execution_engine.reader import BinaryError, Reader
from execution_engine.text import printable

# More than these are counted and not listed.
MAX_LISTED: Final = 32
_MAX_TEXT: Final = 64
_FUNCTION_NAMES: Final = 1


@dataclass(frozen=True, slots=True)
class Custom:
    """One custom section: its name and the size of its content in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Producer:
    """One entry of the producers section, such as language, `C11`, no version."""

    field: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Customs:
    """What the custom sections say.

    Attributes:
        count: how many there are.
        size: bytes of all of them together.
        listed: the first of them.
        producers: what made the module; nothing where that cannot be read.
        named_functions: how many functions the name section names, or None without one.
    """

    count: int
    size: int
    listed: tuple[Custom, ...]
    producers: tuple[Producer, ...]
    named_functions: int | None


def read_customs(code: bytes) -> Customs:
    """What the custom sections of a module say.

    Raises:
        BinaryError: it is not a module.
    """
    found: list[Custom] = []
    producers: tuple[Producer, ...] = ()
    named: int | None = None
    for name, content in _custom_sections(code):
        found.append(Custom(printable(name, _MAX_TEXT), content.end - content.at))
        if name == "producers":
            producers = producers or _readable_producers(content)
        elif name == "name" and named is None:
            named = _named_functions(content)
    return Customs(
        count=len(found),
        size=sum(one.size for one in found),
        listed=tuple(found[:MAX_LISTED]),
        producers=producers,
        named_functions=named,
    )


def _custom_sections(code: bytes) -> Iterator[tuple[str, Reader]]:
    for section, reader in sections(code):
        if section == 0:
            yield reader.name(), reader


def _readable_producers(content: Reader) -> tuple[Producer, ...]:
    try:
        return tuple(_producers(content))
    except BinaryError:
        return ()


def _producers(reader: Reader) -> Iterator[Producer]:
    left = MAX_LISTED
    for _ in range(reader.u32()):
        field = reader.name()
        for _ in range(reader.u32()):
            name, version = reader.name(), reader.name()
            if left == 0:
                return
            left -= 1
            yield Producer(*(printable(text, _MAX_TEXT) for text in (field, name, version)))


def _named_functions(reader: Reader) -> int:
    """The length of the list of function names; 0 where that cannot be read."""
    try:
        while reader.at < reader.end:
            subsection, size = reader.byte(), reader.u32()
            if subsection == _FUNCTION_NAMES:
                return reader.u32()
            reader.skip(size)
    except BinaryError:
        pass
    return 0
