"""Reading the binary format: numbers, names and vectors inside bounds."""

from typing import Final

from execution_engine.errors import EngineError

# No module worth running has more of anything; a vector's length is held to it before reading.
MAX_ENTRIES: Final = 100_000


class BinaryError(EngineError):
    """The bytes are no WebAssembly module; `offset` says where that shows."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at offset {offset}")
        self.offset = offset


class TooManyError(BinaryError):
    """Some part of the module has more entries than we look at."""


class Reader:
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

    def name(self) -> str:
        """A length and as many bytes of UTF-8."""
        start = self.skip(self.u32())
        try:
            return self.data[start : self.at].decode()
        except UnicodeDecodeError:
            raise BinaryError("name is not UTF-8", start) from None

    def turns(self) -> range:
        """As many turns as the vector that begins here says it has entries."""
        if (count := self.u32()) > MAX_ENTRIES:
            raise TooManyError(f"{count} entries, at most {MAX_ENTRIES}", self.at)
        return range(count)

    def finish(self, what: str) -> None:
        """Insist that everything was read."""
        if self.at != self.end:
            raise BinaryError(f"{what} is longer than its content", self.at)
