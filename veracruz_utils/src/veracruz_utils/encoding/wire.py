"""Bytes in, bytes out: the cursor and the varint that every type is read and written with."""

from collections.abc import Callable
from typing import Final, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError, RepeatedError

MAX_VARINT: Final = 2**64 - 1

Buffer: TypeAlias = "bytes | memoryview | Window"

_WINDOW_BYTES: Final = 1024 * 1024


class Window:
    """The bytes of a file, a window of which is in memory: that where they were last asked for."""

    __slots__ = ("_held", "_read", "_size", "_start")

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """Look through it.

        Args:
            size: of the file, which does not change.
            read: gives up to so many bytes (the second) of the file from an offset (the first).
        """
        self._size = size
        self._read = read
        self._start = 0
        self._held = b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, asked: slice) -> bytes:
        start, stop, _ = asked.indices(self._size)
        if not self._start <= start <= stop <= self._start + len(self._held):
            self._held = self._read(start, max(stop - start, _WINDOW_BYTES))
            self._start = start
        return self._held[start - self._start : stop - self._start]


class WireReader:
    """A cursor over encoded bytes; every read is bounded by what is left."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._at = 0

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._at

    def since(self, position: int) -> bytes:
        """The bytes read from `position` on."""
        return bytes(self._data[position : self._at])

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self._at
        end = start + size
        if end > len(self._data):
            raise self._short(size)
        self._at = end
        return bytes(self._data[start:end])

    def skip(self, size: int) -> None:
        """Goes past the next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise self._short(size)
        self._at = end

    def _short(self, size: int) -> PineconeError:
        return PineconeError(f"{size} bytes are needed, {self.remaining} are left")

    def rewind(self, position: int) -> None:
        """Goes back to where it was."""
        self._at = position

    def boolean(self) -> bool:
        """The next byte, as a bool."""
        byte = self.take(1)[0]
        # Any other byte would be a second way to write true.
        if byte > 1:
            raise PineconeError(f"a bool is 0 or 1, not {byte}")
        return byte == 1

    def char(self) -> str:
        """The next character."""
        point = int.from_bytes(self.take(4), "little")
        # A char of Rust is a Unicode scalar value: surrogates are none.
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise PineconeError(f"{point:#x} is not a character")
        return chr(point)

    def presence(self) -> bool:
        """Whether an option's content follows."""
        tag = self.take(1)[0]
        if tag > 1:
            raise PineconeError(f"an option begins with 0 or 1, not {tag}")
        return tag == 1

    def variant(self, kind: kinds.Enum) -> int:
        """Which variant of an enum follows."""
        index, count = self.varint(), len(kind.variants)
        if index >= count:
            raise PineconeError(f"variant {index} is not one of the {count} of {kind}")
        return index

    def varint(self) -> int:
        """The next unsigned LEB128 number: at most 64 bits, in its shortest form only."""
        value = self.take(1)[0]
        if value < 0x80:
            return value
        value &= 0x7F
        for shift in range(7, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte & 0x80:
                continue
            if value > MAX_VARINT:
                break
            # One encoding for each value: data with the same content has the same digest.
            if byte == 0:
                raise PineconeError("a varint is not in its shortest form")
            return value
        raise PineconeError("a varint is longer than 64 bits")

    def count(self, least_size: int) -> int:
        """The length of a sequence whose elements take at least `least_size` bytes each."""
        count = self.varint()
        # Before anything is made: a few bytes could announce 2**64 elements.
        if count * least_size > self.remaining:
            raise PineconeError(
                f"{count} elements of at least {least_size} bytes are announced, "
                f"{self.remaining} bytes are left"
            )
        return count


def record_distinct(encoded: bytes, seen: dict[bytes, None]) -> None:
    """Notes one more element of a set or key of a map; equal ones have equal encodings."""
    # Bytes and not values: to Python 0.0 equals -0.0, and NaN does not equal itself.
    if encoded in seen:
        raise RepeatedError(next(index for index, each in enumerate(seen) if each == encoded))
    seen[encoded] = None  # they are in the order in which they came: that is its index


def put_varint(out: bytearray, value: int) -> None:
    """Appends `value` as unsigned LEB128."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
