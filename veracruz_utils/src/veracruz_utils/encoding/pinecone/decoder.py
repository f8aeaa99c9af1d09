"""Bytes to values: for each kind, a function that takes the next value from a reader."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, singledispatch
from itertools import groupby
from struct import Struct
from typing import Any, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.wire import WireReader, record_distinct


class _Reader(WireReader):
    __slots__ = ()

    def sized(self) -> bytes:
        """The next bytes, with their number in front."""
        start = self._at
        size = int.from_bytes(self._data[start : start + 1], "little")
        end = start + 1 + size
        if size >= 0x80 or end > len(self._data):
            return self.take(self.count(1))
        self._at = end
        return bytes(self._data[start + 1 : end])


Take: TypeAlias = Callable[[_Reader], Value]


def decode(kind: kinds.TypeKind, data: bytes) -> Value:
    """The value that `data` encodes, all of it.

    Raises:
        PineconeError: the bytes are cut off, left over, or not the one encoding of a value.
    """
    reader = _Reader(data)
    value = _take_of_whole(kind)(reader)
    _refuse_rest(reader)
    return value


def decode_rows(kind: kinds.Sequence, data: bytes) -> Iterator[Value]:
    """The elements that `data` encodes, one after another.

    Raises:
        PineconeError: as `decode`, when the iteration comes to where it is so.
    """
    reader = _Reader(data)
    yield from _elements(kind)(reader)
    _refuse_rest(reader)


def _refuse_rest(reader: _Reader) -> None:
    if reader.remaining:
        raise PineconeError(f"{reader.remaining} bytes are left over after the value")


@lru_cache(maxsize=64)
def _take_of_whole(kind: kinds.TypeKind) -> Take:
    return _take_of(kind)


@singledispatch
def _take_of(kind: kinds.TypeKind) -> Take:
    raise NotImplementedError(type(kind).__name__)


def _take_at(step: int | str, take: Take, reader: _Reader) -> Value:
    try:
        return take(reader)
    except PineconeError as error:
        raise error.inside(step) from None


@_take_of.register
def _(_: kinds.Bool) -> Take:
    return WireReader.boolean


@_take_of.register
def _(kind: kinds.Integer | kinds.Float) -> Take:
    unpack, size = kind.layout.unpack, kind.layout.size

    def take(reader: _Reader) -> int | float:
        number: int | float = unpack(reader.take(size))[0]
        return number

    return take


@_take_of.register
def _(_: kinds.Char) -> Take:
    return WireReader.char


@_take_of.register
def _(_: kinds.Text) -> Take:
    def take(reader: _Reader) -> str:
        encoded = reader.sized()
        try:
            return encoded.decode()
        except UnicodeDecodeError as error:
            raise PineconeError(f"text is not UTF-8 at its byte {error.start}") from None

    return take


def _elements(kind: kinds.Sequence) -> Callable[[_Reader], Iterator[Value]]:
    take_element, distinct = _take_of(kind.element), kind.distinct
    element_size = kinds.least_size(kind.element)

    def take(reader: _Reader) -> Iterator[Value]:
        seen: dict[bytes, None] = {}
        # `grammar` refuses elements of no bytes, so what is left of the input bounds the count.
        for index in range(reader.count(element_size)):
            start = reader.position
            try:
                element = take_element(reader)
                if distinct:
                    record_distinct(reader.since(start), seen)
            except PineconeError as error:
                raise error.inside(index) from None
            yield element

    return take


@_take_of.register
def _(kind: kinds.Sequence) -> Take:
    elements = _elements(kind)
    return lambda reader: list(elements(reader))


@_take_of.register
def _(kind: kinds.Mapping) -> Take:
    take_key, take_content = _take_of(kind.key), _take_of(kind.content)
    pair_size = kinds.least_size(kind.key) + kinds.least_size(kind.content)

    def take(reader: _Reader) -> Value:
        pairs: list[Value] = []
        named: dict[str, Value] = {}
        seen: dict[bytes, None] = {}
        for index in range(reader.count(pair_size)):
            start = reader.position
            try:
                key = take_key(reader)
                record_distinct(reader.since(start), seen)
                content = take_content(reader)
            except PineconeError as error:
                raise error.inside(index) from None
            pairs.append((key, content))
            named[str(key)] = content
        return named if kind.has_text_keys else pairs

    return take


@_take_of.register
def _(kind: kinds.Option) -> Take:
    take_content = _take_of(kind.content)

    def take(reader: _Reader) -> Value:
        return take_content(reader) if reader.presence() else None

    return take


def _parts(
    parts: Sequence[tuple[int | str, kinds.TypeKind]],
) -> Callable[[_Reader], list[Value]]:
    """What takes values that stand side by side; numbers next to each other are taken at once.

    Args:
        parts: the type of each, and what an error calls it.
    """
    steps = [(step, _take_of(part)) for step, part in parts]
    groups = groupby((part for _, part in parts), _is_number)
    takes = [each for numbers, some in groups for each in (_group if numbers else _singles)(some)]

    def take(reader: _Reader) -> list[Value]:
        start = reader.position
        values: list[Value] = []
        try:
            for take_numbers, take_one in takes:
                if take_numbers:
                    values += take_numbers(reader)
                else:
                    values.append(take_one(reader))
        except PineconeError:
            # Once more, one by one: an error says of which it is.
            reader.rewind(start)
            return [_take_at(step, take_part, reader) for step, take_part in steps]
        return values

    return take


def _is_number(kind: kinds.TypeKind) -> bool:
    return isinstance(kind, kinds.Integer | kinds.Float)


_TakeNumbers: TypeAlias = Callable[[_Reader], Sequence[Value]]


def _group(parts: Iterable[Any]) -> list[tuple[_TakeNumbers | None, Take]]:
    """What takes numbers that stand side by side."""
    layout = Struct("<" + "".join(part.layout.format.removeprefix("<") for part in parts))
    unpack, size = layout.unpack, layout.size
    return [(lambda reader: unpack(reader.take(size)), WireReader.boolean)]


def _singles(parts: Iterable[kinds.TypeKind]) -> list[tuple[_TakeNumbers | None, Take]]:
    """What takes each by itself."""
    return [(None, _take_of(part)) for part in parts]


@_take_of.register
def _(kind: kinds.Tuple) -> Take:
    take_parts = _parts(list(enumerate(kind.parts)))
    return lambda reader: tuple(take_parts(reader))


@_take_of.register
def _(kind: kinds.Array) -> Take:
    take_element = _take_of(kind.element)
    array_size, size = kinds.least_size(kind), kind.size

    def take(reader: _Reader) -> list[Value]:
        if array_size > reader.remaining:  # before the first of perhaps a million elements
            raise PineconeError(f"{array_size} bytes are needed, {reader.remaining} are left")
        elements: list[Value] = []
        for index in range(size):
            try:
                elements.append(take_element(reader))
            except PineconeError as error:
                raise error.inside(index) from None
        return elements

    return take


@_take_of.register
def _(kind: kinds.Struct) -> Take:
    take_fields, names = _parts(kind.fields), [name for name, _ in kind.fields]
    return lambda reader: dict(zip(names, take_fields(reader), strict=True))


@_take_of.register
def _(kind: kinds.Enum) -> Take:
    takes = [(name, _take_of(content) if content else None) for name, content in kind.variants]

    def take(reader: _Reader) -> Value:
        name, take_content = takes[reader.variant(kind)]
        return {name: _take_at(name, take_content, reader)} if take_content else name

    return take
