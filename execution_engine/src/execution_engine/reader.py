"""Reading the binary format: numbers, names, vectors and sections inside bounds."""

from collections.abc import Iterator
from typing import Final

from execution_engine.errors import EngineError

MAGIC: Final = b"\0asm"
MODULE_VERSION: Final = b"\1\0\0\0"
COMPONENT_VERSION: Final = b"\x0d\0\1\0"
HEADER_BYTES: Final = 8
# No module worth running has more of anything; a vector's length is held to it before reading.
MAX_ENTRIES: Final = 100_000


class BinaryError(EngineError):
    """The bytes are not a WebAssembly module; `offset` is where that was found."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at offset {offset}")
        self.offset = offset


class TooManyError(BinaryError):
    """Some part of the module has more entries than we look at."""


class WasmReader:
    """A cursor over `data[at:end]` that never leaves it; what is not there is a BinaryError."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def byte(self) -> int:
        """The next byte."""
        at = self.at
        if at >= self.end:
            raise BinaryError("unexpected end", at)
        self.at = at + 1
        return self.data[at]

    def u32(self) -> int:
        """An unsigned LEB128 number of at most 32 bits in at most five bytes."""
        value = self.byte()
        if value < 0x80:
            return value
        start, value, shift = self.at - 1, value & 0x7F, 7
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 28:
                raise BinaryError("number longer than five bytes", start)
        if value > 0xFFFFFFFF:
            raise BinaryError("number larger than 32 bits", start)
        return value

    def skip(self, size: int) -> int:
        """Step over `size` bytes; where they began."""
        start = self.at
        if size > self.end - start:
            raise BinaryError(f"length {size} reaches past the end", start)
        self.at = start + size
        return start

    def part(self) -> "WasmReader":
        """Step over a length and as many bytes; a reader of those."""
        size = self.u32()
        return WasmReader(self.data, self.skip(size), self.at)

    def vector(self) -> range:
        """One index for each entry of the vector that begins here; its entries come next."""
        if (count := self.u32()) > MAX_ENTRIES:
            raise TooManyError(f"{count} entries, at most {MAX_ENTRIES}", self.at)
        return range(count)


def sections(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, WasmReader]]:
    """Each section of the module or component at `data[start:end]`, behind its header.

    Gives where the section begins, its id, and a reader of its content.

    Raises:
        BinaryError: a section is not all inside.
    """
    whole = WasmReader(data, start + HEADER_BYTES, end)
    while whole.at < end:
        offset, section = whole.at, whole.byte()
        yield offset, section, whole.part()
