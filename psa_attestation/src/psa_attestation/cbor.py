"""CBOR, read strictly and written deterministically (RFC 8949).

Reading refuses what lets two readers see two different things in the same bytes: repeated map
keys, trailing bytes, indefinite lengths (unless switched on), invalid UTF-8, unassigned simple
values, tags nobody asked for. Integers wider than needed are read, because senders may write them
(RFC 9783 section 5.1.1). Map keys are integers, text or byte strings and nothing else, so Python's
`1 == True == 1.0` cannot make two keys one. Every length and count is compared with the limits and
with the bytes that are left before anything is allocated.

Writing gives the one deterministic form of RFC 8949 section 4.2.1.
"""

import math
import struct
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from psa_attestation.errors import AttestationError, Code, Stage

Key: TypeAlias = int | str | bytes
Value: TypeAlias = Union[
    int, bytes, str, float, bool, "Tag", list["Value"], dict[Key, "Value"], None
]
"""What `decode` gives."""
Encodable: TypeAlias = Union[
    int,
    bytes,
    str,
    float,
    bool,
    "Tag",
    Sequence["Encodable"],
    Mapping[int, "Encodable"],
    Mapping[str, "Encodable"],
    Mapping[Key, "Encodable"],
    None,
]
"""What `encode` takes: every `Value`, and other sequences and mappings of the same."""

NO_TAG: Final[Container[int]] = frozenset()
ANY_TAG: Final[Container[int]] = range(2**64)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value, never interpreted: nothing is built from what the tag means."""

    number: int
    value: Value


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What `decode` lets through.

    Attributes:
        max_bytes: length of the whole input, and so of any string in it.
        max_items: data items in total, map keys, tags and containers included.
        max_depth: containers and tags around an item.
        allow_indefinite: read indefinite lengths (AWS Nitro documents need it, PSA forbids it).
        tags: the tag numbers let through, anywhere.
    """

    max_bytes: int = 64 * 1024
    max_items: int = 4096
    max_depth: int = 16
    allow_indefinite: bool = False
    tags: Container[int] = NO_TAG


DEFAULT_LIMITS: Final = DecodeLimits()
_FLOATS: Final = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_BREAK: Final = 0xFF
_INDEFINITE: Final = 31


def decode(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Value:
    """The one CBOR data item that `data` is, to the last byte.

    Raises:
        AttestationError: `data` is not that, or exceeds `limits`; the stage is `encoding`.
    """
    if len(data) > limits.max_bytes:
        raise _error(Code.SIZE_LIMIT, f"{len(data)} bytes, at most {limits.max_bytes} are read")
    reader = _Reader(data, limits)
    value = reader.item(0)
    if reader.position != len(data):
        raise _error(
            Code.TRAILING_BYTES, f"{len(data) - reader.position} bytes follow the CBOR data item"
        )
    return value


def encode(value: Encodable) -> bytes:
    """`value` in deterministic CBOR: shortest heads and floats, map keys in bytewise order.

    Raises:
        AttestationError: an integer outside 64 bits or a type that CBOR has no place for.
    """
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _encode_text(value)
    if isinstance(value, Mapping):
        pairs = sorted((encode(key), encode(member)) for key, member in value.items())
        return _head(5, len(pairs)) + b"".join(key + member for key, member in pairs)
    return _encode_other(value)


def _encode_other(value: object) -> bytes:
    if value is None:
        return b"\xf6"
    if isinstance(value, float):
        return _encode_float(value)
    if isinstance(value, Tag):
        return _head(6, value.number) + encode(value.value)
    if isinstance(value, list | tuple):
        return _head(4, len(value)) + b"".join(encode(member) for member in value)
    raise _error(Code.NOT_ENCODABLE, f"a {type(value).__name__} has no CBOR form here")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes(((major << 5) | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes(((major << 5) | info,)) + argument.to_bytes(size, "big")
    raise _error(Code.NOT_ENCODABLE, "an integer does not fit 64 bits")


def _encode_text(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise _error(Code.NOT_ENCODABLE, "text holds a lone surrogate") from error
    return _head(3, len(data)) + data


def _encode_float(number: float) -> bytes:
    if math.isnan(number):
        return b"\xf9\x7e\x00"
    for info, (form, _) in _FLOATS.items():
        try:
            data = struct.pack(form, number)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == number:
            return bytes((0xE0 | info,)) + data
    raise AssertionError("every float fits eight bytes")


def _error(code: Code, detail: str) -> AttestationError:
    return AttestationError(code, Stage.ENCODING, detail)


class _Reader:
    """One pass over the input; `position` is the next byte to read."""

    __slots__ = ("_data", "_items_left", "_limits", "position")

    def __init__(self, data: bytes, limits: DecodeLimits) -> None:
        self._data = data
        self._limits = limits
        self._items_left = limits.max_items
        self.position = 0

    def item(self, depth: int) -> Value:
        """The item at the position, which has `depth` containers and tags around it."""
        initial = self._take(1)[0]
        major, info = initial >> 5, initial & 0x1F
        self._items_left -= 1
        if self._items_left < 0:
            raise _error(Code.LENGTH_LIMIT, f"more than {self._limits.max_items} data items")
        if major == 7:
            return self._simple(info)
        if info == _INDEFINITE:
            return self._indefinite(major, depth)
        argument = self._argument(info)
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major <= 3:
            return self._string(major, argument)
        return self._container(major, argument, depth)

    def _take(self, size: int) -> bytes:
        start = self.position
        end = start + size
        if end > len(self._data):
            raise _error(Code.MALFORMED, f"truncated: {size} bytes wanted at offset {start}")
        self.position = end
        return self._data[start:end]

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise _error(Code.MALFORMED, f"reserved length form {info}")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _string(self, major: int, length: int) -> Value:
        if length > self._limits.max_bytes:
            raise _error(Code.LENGTH_LIMIT, f"a string claims {length} bytes")
        data = self._take(length)
        if major == 2:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise _error(Code.UTF8, "text is not UTF-8") from error

    def _container(self, major: int, argument: int, depth: int) -> Value:
        self._check_depth(depth)
        if major == 6:
            if argument not in self._limits.tags:
                raise _error(Code.UNEXPECTED_TAG, f"tag {argument} is not expected here")
            return Tag(argument, self.item(depth + 1))
        items = argument if major == 4 else 2 * argument
        if items > self._items_left:
            raise _error(Code.LENGTH_LIMIT, f"a container claims {argument} entries")
        if items > len(self._data) - self.position:
            raise _error(Code.MALFORMED, f"truncated: a container claims {argument} entries")
        if major == 4:
            return [self.item(depth + 1) for _ in range(argument)]
        result: dict[Key, Value] = {}
        for _ in range(argument):
            self._pair(result, depth + 1)
        return result

    def _check_depth(self, depth: int) -> None:
        if depth >= self._limits.max_depth:
            raise _error(Code.NESTING_LIMIT, f"nested deeper than {self._limits.max_depth}")

    def _pair(self, result: dict[Key, Value], depth: int) -> None:
        key = self.item(depth) if self._next_major() <= 3 else None
        if not isinstance(key, int | str | bytes):
            raise _error(Code.MAP_KEY, "a map key is neither an integer nor a string")
        if key in result:
            shown = key.hex() if isinstance(key, bytes) else str(key)
            raise _error(Code.DUPLICATE_KEY, f"map key {shown[:40]!r} occurs twice")
        result[key] = self.item(depth)

    def _next_major(self) -> int:
        if self.position >= len(self._data):
            raise _error(Code.MALFORMED, "truncated: a map entry is missing")
        return self._data[self.position] >> 5

    def _simple(self, info: int) -> Value:
        if info == 20 or info == 21:  # noqa: PLR1714  (a set would be built for every item)
            return info == 21
        if info == 22:
            return None
        if info in _FLOATS:
            form, size = _FLOATS[info]
            number: float = struct.unpack(form, self._take(size))[0]
            return number
        if info > 27:
            raise _error(Code.MALFORMED, "a break or reserved form out of place")
        raise _error(Code.SIMPLE_VALUE, "undefined or an unassigned simple value")

    def _indefinite(self, major: int, depth: int) -> Value:
        if major not in (2, 3, 4, 5):
            raise _error(Code.MALFORMED, f"major type {major} has no indefinite length")
        if not self._limits.allow_indefinite:
            raise _error(Code.INDEFINITE_LENGTH, "an indefinite length")
        if major <= 3:
            return self._chunks(major)
        self._check_depth(depth)
        entries: list[Value] = []
        members: dict[Key, Value] = {}
        while not self._at_break():
            if major == 4:
                entries.append(self.item(depth + 1))
            else:
                self._pair(members, depth + 1)
        return entries if major == 4 else members

    def _chunks(self, major: int) -> Value:
        chunks: list[Value] = []
        while not self._at_break():
            if self._next_major() != major or self._data[self.position] & 0x1F == _INDEFINITE:
                raise _error(Code.MALFORMED, "a chunk is not a definite string of its kind")
            chunks.append(self.item(0))
        if major == 2:
            return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))
        return "".join(chunk for chunk in chunks if isinstance(chunk, str))

    def _at_break(self) -> bool:
        if self._data[self.position : self.position + 1] != bytes((_BREAK,)):
            return False
        self.position += 1
        return True
