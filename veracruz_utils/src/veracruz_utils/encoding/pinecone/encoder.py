"""Values to bytes: for each kind, a function that appends the encoding of a value."""

import math
import struct
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from functools import lru_cache, singledispatch
from typing import Final, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.wire import put_varint, record_distinct

Put: TypeAlias = Callable[[object, bytearray], None]

_SHOWN_CHARS: Final = 40
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode(kind: kinds.TypeKind, value: object) -> bytes:
    """The one encoding of `value`.

    Raises:
        PineconeError: the value does not fit the type; the message says where.
    """
    return encoder_of(kind)(value)


def encoder_of(kind: kinds.TypeKind) -> Callable[[object], bytes]:
    """`encode` for many values of one type."""
    put = _put_of_whole(kind)

    def encode_one(value: object) -> bytes:
        out = bytearray()
        put(value, out)
        return bytes(out)

    return encode_one


@lru_cache(maxsize=64)
def _put_of_whole(kind: kinds.TypeKind) -> Put:
    return _put_of(kind)


@singledispatch
def _put_of(kind: kinds.TypeKind) -> Put:
    raise NotImplementedError(type(kind).__name__)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else ""
    return text if 0 < len(text) <= _SHOWN_CHARS else f"a {type(value).__name__}"


def _elements(value: object) -> list[object] | tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        raise PineconeError(f"expected a list, got {_shown(value)}")
    return value


def _names(value: object) -> AnyMapping[str, object]:
    if not isinstance(value, dict):
        raise PineconeError(f"expected an object, got {_shown(value)}")
    return value


def _put_at(step: int | str, put: Put, value: object, out: bytearray) -> None:
    try:
        put(value, out)
    except PineconeError as error:
        raise error.inside(step) from None


@_put_of.register
def _(_: kinds.Bool) -> Put:
    def put(value: object, out: bytearray) -> None:
        if not isinstance(value, bool):
            raise PineconeError(f"expected true or false, got {_shown(value)}")
        out.append(value)

    return put


@_put_of.register
def _(kind: kinds.Integer) -> Put:
    name, pack, least, greatest = kind.name, kind.layout.pack, kind.least, kind.greatest

    def put(value: object, out: bytearray) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise PineconeError(f"expected a whole number, got {_shown(value)}")
        if not least <= value <= greatest:
            raise PineconeError(f"expected {least} to {greatest} ({name}), got {_shown(value)}")
        out += pack(value)

    return put


@_put_of.register
def _(kind: kinds.Float) -> Put:
    def put(value: object, out: bytearray) -> None:
        number = _NON_FINITE.get(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise PineconeError(f"expected a number, got {_shown(value)}")
        try:
            out += kind.layout.pack(number)
        except (OverflowError, struct.error):
            raise PineconeError(f"{_shown(value)} is outside the range of {kind.name}") from None

    return put


@_put_of.register
def _(_: kinds.Char) -> Put:
    def put(value: object, out: bytearray) -> None:
        if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
            raise PineconeError(f"expected one character, got {_shown(value)}")
        out += ord(value).to_bytes(4, "little")

    return put


@_put_of.register
def _(_: kinds.Text) -> Put:
    def put(value: object, out: bytearray) -> None:
        if not isinstance(value, str):
            raise PineconeError(f"expected text, got {_shown(value)}")
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            raise PineconeError(
                "the text has half a surrogate pair, which UTF-8 cannot encode"
            ) from None
        put_varint(out, len(encoded))
        out += encoded

    return put


@_put_of.register
def _(kind: kinds.Sequence) -> Put:
    put_element, distinct = _put_of(kind.element), kind.distinct

    def put(value: object, out: bytearray) -> None:
        elements = _elements(value)
        put_varint(out, len(elements))
        seen: dict[bytes, None] = {}
        for index, element in enumerate(elements):
            start = len(out)
            try:
                put_element(element, out)
                if distinct:
                    record_distinct(bytes(out[start:]), seen)
            except PineconeError as error:
                raise error.inside(index) from None

    return put


def _pairs(kind: kinds.Mapping, value: object) -> list[tuple[object, object]]:
    if kind.has_text_keys:
        return list(_names(value).items())
    pairs = [_elements(pair) for pair in _elements(value)]
    if any(len(pair) != 2 for pair in pairs):
        raise PineconeError("expected a list of pairs, [key, value]")
    return [(pair[0], pair[1]) for pair in pairs]


@_put_of.register
def _(kind: kinds.Mapping) -> Put:
    put_key, put_content = _put_of(kind.key), _put_of(kind.content)

    def put(value: object, out: bytearray) -> None:
        pairs = _pairs(kind, value)
        put_varint(out, len(pairs))
        seen: dict[bytes, None] = {}
        for index, (key, content) in enumerate(pairs):
            start = len(out)
            try:
                put_key(key, out)
                record_distinct(bytes(out[start:]), seen)
                put_content(content, out)
            except PineconeError as error:
                raise error.inside(index) from None

    return put


@_put_of.register
def _(kind: kinds.Option) -> Put:
    put_content = _put_of(kind.content)

    def put(value: object, out: bytearray) -> None:
        out.append(value is not None)
        if value is not None:
            put_content(value, out)

    return put


def _as_many(value: object, size: int) -> list[object] | tuple[object, ...]:
    elements = _elements(value)
    if len(elements) != size:
        raise PineconeError(f"expected {size} elements, got {len(elements)}")
    return elements


@_put_of.register
def _(kind: kinds.Tuple) -> Put:
    steps = [(index, _put_of(part)) for index, part in enumerate(kind.parts)]

    def put(value: object, out: bytearray) -> None:
        elements = _as_many(value, len(steps))
        for (step, put_element), element in zip(steps, elements, strict=True):
            _put_at(step, put_element, element, out)

    return put


@_put_of.register
def _(kind: kinds.Array) -> Put:
    put_element, size = _put_of(kind.element), kind.size

    def put(value: object, out: bytearray) -> None:
        for index, element in enumerate(_as_many(value, size)):
            try:
                put_element(element, out)
            except PineconeError as error:
                raise error.inside(index) from None

    return put


@_put_of.register
def _(kind: kinds.Struct) -> Put:
    puts = {name: _put_of(field) for name, field in kind.fields}

    def put(value: object, out: bytearray) -> None:
        names = _names(value)
        if unknown := [name for name in names if name not in puts]:
            raise PineconeError(
                f"unknown field {_shown(unknown[0])}; the fields are {', '.join(puts)}"
            )
        for name, put_field in puts.items():
            if name not in names:
                raise PineconeError(f"field {name!r} is missing")
            _put_at(name, put_field, names[name], out)

    return put


@_put_of.register
def _(kind: kinds.Enum) -> Put:
    choices = {
        (name, content is not None): (index, _put_of(content) if content else None)
        for index, (name, content) in enumerate(kind.variants)
    }

    def put(value: object, out: bytearray) -> None:
        name, content = value, None
        if isinstance(value, dict) and len(value) == 1:
            ((name, content),) = value.items()
        choice = choices.get((name, isinstance(value, dict))) if isinstance(name, str) else None
        if choice is None:
            raise PineconeError(f"{_shown(name)} is not a variant of {kind}")
        index, put_content = choice
        put_varint(out, index)
        if put_content:
            _put_at(str(name), put_content, content, out)

    return put
