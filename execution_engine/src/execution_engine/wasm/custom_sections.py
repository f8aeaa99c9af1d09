"""Custom sections: what tools left in a module about how it was made.

They mean nothing to the engine and anyone can write anything into them: what is here is what the
module says of itself. Text from it is escaped and cut.
"""

from collections.abc import Iterator
from typing import Final

from execution_engine.reader import BinaryError, WasmReader
from execution_engine.text import printable
from execution_engine.wasm.binary import Binary
from execution_engine.wasm.reading import read_name
from veracruz_utils.frozen import frozen

# More than these are counted and not listed.
MAX_LISTED: Final = 32
_MAX_TEXT: Final = 64
_FUNCTION_NAMES: Final = 1


@frozen
class SectionSize:
    """One custom section: its name and the size of its content in bytes."""

    name: str
    size: int


@frozen
class Producer:
    """One entry of the producers section, such as language, `C11`, no version."""

    field: str
    name: str
    version: str


@frozen
class CustomSections:
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
    listed: tuple[SectionSize, ...]
    producers: tuple[Producer, ...]
    named_functions: int | None


def read_custom_sections(module: Binary) -> CustomSections:
    """What the custom sections of a module say."""
    producers: tuple[Producer, ...] = ()
    named: int | None = None
    for one in module.custom_sections:
        content = WasmReader(module.code, one.start, one.end)
        if one.name == "producers":
            producers = producers or _readable_producers(content)
        elif one.name == "name" and named is None:
            named = _named_functions(content)
    return CustomSections(
        count=len(module.custom_sections),
        size=sum(one.end - one.start for one in module.custom_sections),
        listed=tuple(
            SectionSize(printable(one.name, _MAX_TEXT), one.end - one.start)
            for one in module.custom_sections[:MAX_LISTED]
        ),
        producers=producers,
        named_functions=named,
    )


def _readable_producers(content: WasmReader) -> tuple[Producer, ...]:
    try:
        return tuple(_producers(content))
    except BinaryError:
        return ()


def _producers(reader: WasmReader) -> Iterator[Producer]:
    left = MAX_LISTED
    for _ in range(reader.u32()):
        field = read_name(reader)
        for _ in range(reader.u32()):
            name, version = read_name(reader), read_name(reader)
            if left == 0:
                return
            left -= 1
            yield Producer(*(printable(text, _MAX_TEXT) for text in (field, name, version)))


def _named_functions(reader: WasmReader) -> int:
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
