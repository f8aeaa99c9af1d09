"""The recursive descent over CBOR's bytes; `cbor` says what it refuses and why."""

import struct
from typing import Final

from psa_attestation._cbor_values import DecodeLimits, Key, Tag, Value, cbor_error
from psa_attestation.errors import Code

FLOAT_FORMS: Final = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_BREAK: Final = 0xFF
_INDEFINITE: Final = 31
_KEY_TYPES: Final = frozenset({int, str, bytes})  # exact types: a bool is none of them


class Reader:
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
            raise cbor_error(Code.MALFORMED, "truncated: an item is missing") from None
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
            raise cbor_error(Code.MALFORMED, f"truncated: {size} bytes wanted at offset {start}")
        self.position = end
        return self._data[start:end]

    def _wide(self, form: int) -> int:
        if form > 27:
            raise cbor_error(Code.MALFORMED, f"reserved length form {form}")
        return int.from_bytes(self._take(1 << (form - 24)), "big")

    def _charge(self, items: int) -> None:
        self._items_left -= items
        if self._items_left < 0:
            raise cbor_error(Code.LENGTH_LIMIT, f"more than {self._limits.max_items} data items")

    def _check_depth(self, depth: int) -> None:
        if depth >= self._limits.max_depth:
            raise cbor_error(Code.NESTING_LIMIT, f"nested deeper than {self._limits.max_depth}")

    def _string(self, major: int, length: int) -> Value:
        if length > self._limits.max_bytes:
            raise cbor_error(Code.LENGTH_LIMIT, f"a string claims {length} bytes")
        data = self._take(length)
        if major == 2:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise cbor_error(Code.UTF8, "text is not UTF-8") from error

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
            raise cbor_error(Code.UNEXPECTED_TAG, f"tag {number} is not expected here")
        self._charge(1)
        return Tag(number, self.item(depth + 1))

    def _pair(self, result: dict[Key, Value], depth: int) -> None:
        key = self.item(depth)
        if type(key) not in _KEY_TYPES or not isinstance(key, int | str | bytes):
            raise cbor_error(Code.MAP_KEY, "a map key is neither an integer nor a string")
        if key in result:
            raise cbor_error(Code.DUPLICATE_KEY, f"map key {key!r:.40} occurs twice")
        result[key] = self.item(depth)

    def _simple(self, form: int) -> Value:
        if form in (20, 21):
            return form == 21
        if form == 22:
            return None
        if form in FLOAT_FORMS:
            code, size = FLOAT_FORMS[form]
            number: float = struct.unpack(code, self._take(size))[0]
            return number
        if form > 27:
            raise cbor_error(Code.MALFORMED, "a break or reserved form out of place")
        raise cbor_error(Code.SIMPLE_VALUE, "undefined or an unassigned simple value")

    def _indefinite(self, major: int, depth: int) -> Value:
        if major not in (2, 3, 4, 5):
            raise cbor_error(Code.MALFORMED, f"major type {major} has no indefinite length")
        if not self._limits.allow_indefinite:
            raise cbor_error(Code.INDEFINITE_LENGTH, "an indefinite length")
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
            if initial >> 5 != major or initial & 0x1F == _INDEFINITE:
                raise cbor_error(Code.MALFORMED, "a chunk is not a definite string of its kind")
            chunks.append(self.item(0))
        if major == 2:
            return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))
        return "".join(chunk for chunk in chunks if isinstance(chunk, str))

    def _at_break(self) -> bool:
        if self._data[self.position : self.position + 1] != bytes((_BREAK,)):
            return False
        self.position += 1
        return True
