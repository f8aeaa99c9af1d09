"""CBOR, read strictly (RFC 8949).

Reading refuses what lets two readers see two different things in the same bytes: repeated map
keys, trailing bytes, indefinite lengths (unless switched on), invalid UTF-8, unassigned simple
values, tags nobody asked for. Integers wider than needed are read, because senders may write them
(RFC 9783 section 5.1.1). Map keys are integers, text or byte strings and nothing else, so Python's
`1 == True == 1.0` cannot make two keys one. Every length and count is compared with the limits and
with the bytes that are left before anything is allocated.
"""

import struct
from collections.abc import Container
from typing import Final

from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.frozen import frozen

NO_TAG: Final[Container[int]] = frozenset()
ANY_TAG: Final[Container[int]] = range(2**64)
_FLOAT_FORMS: Final = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_BREAK: Final = 0xFF
_INDEFINITE: Final = 31
_KEY_TYPES: Final = frozenset({int, str, bytes})  # exact types: a bool is none of them


@frozen
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


def decode(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Value:
    """The one CBOR data item that `data` is, to the last byte.

    Raises:
        AttestationError: `data` is not that, or exceeds `limits`; the stage is `encoding`.
    """
    if len(data) > limits.max_bytes:
        raise cbor_error(
            ErrorCode.SIZE_LIMIT, f"{len(data)} bytes, at most {limits.max_bytes} are read"
        )
    reader = _CborReader(data, limits)
    value = reader.item(0)
    if reader.position != len(data):
        raise cbor_error(
            ErrorCode.TRAILING_BYTES,
            f"{len(data) - reader.position} bytes follow the CBOR data item",
        )
    return value


class _CborReader:
    """One pass over the input; `position` is the next byte to read.

    A container is charged for all its entries before the first is read, so that no count in the
    input makes us loop or allocate beyond `max_items`.
    """

    __slots__ = ("_data", "_items_left", "_limits", "position")

    def __init__(self, data: bytes, limits: DecodeLimits) -> None:
        self._data = data
        self._limits = limits
        self._items_left = limits.max_items
        self.position = 0

    def item(self, depth: int) -> Value:
        """The item at the position, which has `depth` containers and tags around it."""
        try:
            initial = self._data[self.position]
        except IndexError:
            raise cbor_error(ErrorCode.MALFORMED, "truncated: an item is missing") from None
        self.position += 1
        major, argument = initial >> 5, initial & 0x1F
        if major == 7:
            return self._simple(argument)
        if argument > 23:
            if argument == _INDEFINITE:
                return self._indefinite(major, depth)
            argument = self._wide(argument)
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
            raise cbor_error(
                ErrorCode.MALFORMED, f"truncated: {size} bytes wanted at offset {start}"
            )
        self.position = end
        return self._data[start:end]

    def _wide(self, form: int) -> int:
        # 28 to 30 are reserved (RFC 8949 section 3).
        if form > 27:
            raise cbor_error(ErrorCode.MALFORMED, f"reserved length form {form}")
        return int.from_bytes(self._take(1 << (form - 24)), "big")

    def _charge(self, items: int) -> None:
        self._items_left -= items
        if self._items_left < 0:
            raise cbor_error(
                ErrorCode.LENGTH_LIMIT, f"more than {self._limits.max_items} data items"
            )

    def _check_depth(self, depth: int) -> None:
        # Items are read by recursion: the input must not choose the depth of our stack.
        if depth >= self._limits.max_depth:
            raise cbor_error(
                ErrorCode.NESTING_LIMIT, f"nested deeper than {self._limits.max_depth}"
            )

    def _string(self, major: int, length: int) -> Value:
        if length > self._limits.max_bytes:
            raise cbor_error(ErrorCode.LENGTH_LIMIT, f"a string claims {length} bytes")
        data = self._take(length)
        if major == 2:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise cbor_error(ErrorCode.UTF8, "text is not UTF-8") from error

    def _container(self, major: int, argument: int, depth: int) -> Value:
        self._check_depth(depth)
        if major == 6:
            return self._tagged(argument, depth)
        self._charge(argument if major == 4 else 2 * argument)
        if major == 4:
            return [self.item(depth + 1) for _ in range(argument)]
        result: dict[Key, Value] = {}
        for _ in range(argument):
            self._pair(result, depth + 1)
        return result

    def _tagged(self, number: int, depth: int) -> Tag:
        if number not in self._limits.tags:
            raise cbor_error(ErrorCode.UNEXPECTED_TAG, f"tag {number} is not expected here")
        self._charge(1)
        return Tag(number, self.item(depth + 1))

    def _pair(self, result: dict[Key, Value], depth: int) -> None:
        key = self.item(depth)
        if type(key) not in _KEY_TYPES or not isinstance(key, int | str | bytes):
            raise cbor_error(ErrorCode.MAP_KEY, "a map key is neither an integer nor a string")
        # RFC 8949 section 5.6: of two values one reader takes the first, another the last.
        if key in result:
            raise cbor_error(ErrorCode.DUPLICATE_KEY, f"map key {key!r:.40} occurs twice")
        result[key] = self.item(depth)

    def _simple(self, form: int) -> Value:
        if form in (20, 21):
            return form == 21
        if form == 22:
            return None
        if form in _FLOAT_FORMS:
            code, size = _FLOAT_FORMS[form]
            number: float = struct.unpack(code, self._take(size))[0]
            return number
        if form > 27:
            raise cbor_error(ErrorCode.MALFORMED, "a break or reserved form out of place")
        raise cbor_error(ErrorCode.SIMPLE_VALUE, "undefined or an unassigned simple value")

    def _indefinite(self, major: int, depth: int) -> Value:
        if major not in (2, 3, 4, 5):
            raise cbor_error(ErrorCode.MALFORMED, f"major type {major} has no indefinite length")
        if not self._limits.allow_indefinite:
            raise cbor_error(ErrorCode.INDEFINITE_LENGTH, "an indefinite length")
        if major <= 3:
            return self._chunks(major)
        self._check_depth(depth)
        entries: list[Value] = []
        members: dict[Key, Value] = {}
        while not self._at_break():
            if major == 4:
                self._charge(1)
                entries.append(self.item(depth + 1))
            else:
                self._charge(2)
                self._pair(members, depth + 1)
        return entries if major == 4 else members

    def _chunks(self, major: int) -> Value:
        chunks: list[Value] = []
        while not self._at_break():
            self._charge(1)
            initial = self._data[self.position] if self.position < len(self._data) else _BREAK
            # RFC 8949 section 3.2.3: chunks are definite strings of the same major type.
            if initial >> 5 != major or initial & 0x1F == _INDEFINITE:
                raise cbor_error(
                    ErrorCode.MALFORMED, "a chunk is not a definite string of its kind"
                )
            # A definite string has nothing in it, so its depth does not count.
            chunks.append(self.item(0))
        if major == 2:
            return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))
        return "".join(chunk for chunk in chunks if isinstance(chunk, str))

    def _at_break(self) -> bool:
        if self._data[self.position : self.position + 1] != bytes((_BREAK,)):
            return False
        self.position += 1
        return True


def cbor_error(code: ErrorCode, detail: str) -> AttestationError:
    """The error of bad CBOR."""
    return AttestationError(code, Stage.ENCODING, detail)
