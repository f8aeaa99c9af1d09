"""CBOR, written in the one deterministic form of RFC 8949 section 4.2.1."""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Final

from psa_attestation.cbor.values import Encodable, Key, Tag, WritingError


def encode(value: Encodable) -> bytes:
    """`value` in deterministic CBOR: shortest heads and floats, map keys in bytewise order.

    Raises:
        WritingError: an integer outside 64 bits or a type that CBOR has no place for.
    """
    encoder = _ENCODERS.get(type(value), _encode_other)
    return encoder(value)


def _encode_other(value: object) -> bytes:
    """A value of a type derived from one that has a form, or a mapping of another kind."""
    if isinstance(value, Mapping):
        return _encode_map(value)
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value)
    raise WritingError(f"a {type(value).__name__} has no CBOR form here")


def _encode_integer(value: int) -> bytes:
    return _head(0, value) if value >= 0 else _head(1, -1 - value)


def _encode_map(value: Mapping[Key, Encodable]) -> bytes:
    # By the encoded keys, bytewise; the order by length first is RFC 7049's (RFC 8949 4.2.3).
    pairs = sorted((encode(key), encode(member)) for key, member in value.items())
    return _head(5, len(pairs)) + b"".join([key + member for key, member in pairs])


def _encode_array(value: Sequence[Encodable]) -> bytes:
    return _head(4, len(value)) + b"".join([encode(member) for member in value])


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes(((major << 5) | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes(((major << 5) | info,)) + argument.to_bytes(size, "big")
    raise WritingError("an integer does not fit 64 bits")


def _encode_text(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise WritingError("text holds a lone surrogate") from error
    return _head(3, len(data)) + data


def _encode_float(number: float) -> bytes:
    if math.isnan(number):
        # One form for all NaNs (RFC 8949 section 4.2.2): each payload would be a form of its own.
        return b"\xf9\x7e\x00"
    for info, form in ((25, ">e"), (26, ">f"), (27, ">d")):
        try:
            data = struct.pack(form, number)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == number:
            return bytes((0xE0 | info,)) + data
    raise AssertionError("every float fits eight bytes")


_ENCODERS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    bool: lambda value: b"\xf5" if value else b"\xf4",
    int: _encode_integer,
    bytes: lambda value: _head(2, len(value)) + value,
    str: _encode_text,
    dict: _encode_map,
    list: _encode_array,
    tuple: _encode_array,
    float: _encode_float,
    NoneType: lambda _: b"\xf6",
    Tag: lambda tag: _head(6, tag.number) + encode(tag.value),
}
"""By exact type; none of these types is derived from another but bool from int."""
