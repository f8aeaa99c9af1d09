"""Bytes to values: for each kind, a function that takes the next value from a reader."""

from collections.abc import Callable, Iterator
from functools import lru_cache, singledispatch
from typing import TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.wire import WireReader, record_distinct

Take: TypeAlias = Callable[[WireReader], Value]


def decode(kind: kinds.TypeKind, data: bytes) -> Value:
    """The value that `data` encodes, all of it.

    Raises:
        PineconeError: the bytes are cut off, left over, or not the one encoding of a value.
    """
    reader = WireReader(data)
    value = _take_of_whole(kind)(reader)
    _refuse_rest(reader)
    return value


def decode_rows(kind: kinds.Sequence, data: bytes) -> Iterator[Value]:
    """The elements that `data` encodes, one after another.

    Raises:
        PineconeError: as `decode`, when the iteration comes to where it is so.
    """
    reader = WireReader(data)
    yield from _elements(kind)(reader)
    _refuse_rest(reader)


def _refuse_rest(reader: WireReader) -> None:
    if reader.remaining:
        raise PineconeError(f"{reader.remaining} bytes are left over after the value")


@lru_cache(maxsize=64)
def _take_of_whole(kind: kinds.TypeKind) -> Take:
    return _take_of(kind)


@singledispatch
def _take_of(kind: kinds.TypeKind) -> Take:
    raise NotImplementedError(type(kind).__name__)


def _take_at(step: int | str, take: Take, reader: WireReader) -> Value:
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

    def take(reader: WireReader) -> int | float:
        number: int | float = unpack(reader.take(size))[0]
        return number

    return take


@_take_of.register
def _(_: kinds.Char) -> Take:
    return WireReader.char


@_take_of.register
def _(_: kinds.Text) -> Take:
    def take(reader: WireReader) -> str:
        encoded = reader.take(reader.count(1))
        try:
            return encoded.decode()
        except UnicodeDecodeError as error:
            raise PineconeError(f"text is not UTF-8 at its byte {error.start}") from None

    return take


def _elements(kind: kinds.Sequence) -> Callable[[WireReader], Iterator[Value]]:
    take_element, distinct = _take_of(kind.element), kind.distinct
    element_size = kinds.least_size(kind.element)

    def take(reader: WireReader) -> Iterator[Value]:
        seen: dict[bytes, int] = {}
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

    def take(reader: WireReader) -> Value:
        pairs: list[Value] = []
        named: dict[str, Value] = {}
        seen: dict[bytes, int] = {}
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

    def take(reader: WireReader) -> Value:
        return take_content(reader) if reader.presence() else None

    return take


@_take_of.register
def _(kind: kinds.Tuple) -> Take:
    steps = [(index, _take_of(part)) for index, part in enumerate(kind.parts)]

    def take(reader: WireReader) -> tuple[Value, ...]:
        return tuple([_take_at(step, take_part, reader) for step, take_part in steps])

    return take


@_take_of.register
def _(kind: kinds.Array) -> Take:
    take_element = _take_of(kind.element)
    array_size, size = kinds.least_size(kind), kind.size

    def take(reader: WireReader) -> list[Value]:
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
    takes = [(name, _take_of(field)) for name, field in kind.fields]

    def take(reader: WireReader) -> dict[str, Value]:
        return {name: _take_at(name, take_field, reader) for name, take_field in takes}

    return take


@_take_of.register
def _(kind: kinds.Enum) -> Take:
    takes = [(name, _take_of(content) if content else None) for name, content in kind.variants]

    def take(reader: WireReader) -> Value:
        name, take_content = takes[reader.variant(kind)]
        return {name: _take_at(name, take_content, reader)} if take_content else name

    return take
