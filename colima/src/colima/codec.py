"""Protobuf bytes to frozen dataclasses and back; the one module that touches protobuf objects.

A wire module registers each of its dataclasses with the protobuf message of the same name and
fields. Decoding is strict: the bytes must be exactly what our own encoder would have written for
the value, so unknown fields, fields given twice, over-long integers and reordered fields are all
refused by one comparison, whatever their nesting.
"""

import dataclasses
import enum
import typing
from collections.abc import Callable, Sized
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message

from colima.errors import WireError

_MessageT = TypeVar("_MessageT")

_FIELDS: Final[dict[type, dict[str, Callable[[Any], Any]]]] = {}
_PROTOBUF: Final[dict[type, type[Message]]] = {}


def register(protobuf: type[Message]) -> Callable[[type[_MessageT]], type[_MessageT]]:
    """A class decorator: the dataclass travels as `protobuf`, field by field of the same names."""

    def add(cls: type[_MessageT]) -> type[_MessageT]:
        hints = typing.get_type_hints(cls)
        names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        assert names == [field.name for field in protobuf.DESCRIPTOR.fields], cls
        _FIELDS[cls] = {name: _reader(hints[name]) for name in names}
        _PROTOBUF[cls] = protobuf
        return cls

    return add


def encode(message: object) -> bytes:
    """The bytes of a registered message."""
    return _to_protobuf(message).SerializeToString(deterministic=True)


def decode(cls: type[_MessageT], data: bytes | memoryview) -> _MessageT:
    """The message that `data` is.

    Raises:
        WireError: `data` is not the one encoding of a valid `cls`.
    """
    parsed = _parse(_PROTOBUF[cls], data)
    return typing.cast("_MessageT", _from_protobuf(cls, parsed))


@dataclasses.dataclass(frozen=True, slots=True)
class Envelope(typing.Generic[_MessageT]):
    """A protobuf message that is one `oneof`, and the dataclass of each of its members."""

    protobuf: type[Message]
    oneof: str
    members: dict[str, type[_MessageT]]

    def encode(self, message: _MessageT) -> bytes:
        """The bytes of the envelope around `message`."""
        for name, cls in self.members.items():
            if type(message) is cls:
                return self.protobuf(**{name: _to_protobuf(message)}).SerializeToString(
                    deterministic=True
                )
        raise TypeError(f"{type(message).__name__} does not travel in {self.protobuf.__name__}")

    def decode(self, data: bytes | memoryview) -> _MessageT:
        """The message inside the envelope.

        Raises:
            WireError: `data` is not the one encoding of an envelope with a valid message in it.
        """
        parsed = _parse(self.protobuf, data)
        name = parsed.WhichOneof(self.oneof)
        if name is None:
            raise WireError(f"an empty {self.protobuf.__name__}")
        return typing.cast("_MessageT", _from_protobuf(self.members[name], getattr(parsed, name)))


def _parse(protobuf: type[Message], data: bytes | memoryview) -> Message:
    try:
        parsed = protobuf.FromString(bytes(data))
    except DecodeError as error:
        raise WireError(f"{len(data)} bytes that are not a {protobuf.__name__}") from error
    parsed.DiscardUnknownFields()
    if parsed.SerializeToString(deterministic=True) != data:
        raise WireError(f"a {protobuf.__name__} with unknown, repeated or reordered fields")
    return parsed


def _to_protobuf(message: object) -> Message:
    values = {}
    for name in _FIELDS[type(message)]:
        value = getattr(message, name)
        if isinstance(value, enum.Enum):
            value = value.value
        elif isinstance(value, tuple):
            value = [_to_protobuf(item) if type(item) in _PROTOBUF else item for item in value]
        values[name] = value
    return _PROTOBUF[type(message)](**values)


def _from_protobuf(cls: type, parsed: Message) -> object:
    values = {name: read(getattr(parsed, name)) for name, read in _FIELDS[cls].items()}
    return cls(**values)


def _reader(hint: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type is the value here
    if typing.get_origin(hint) is tuple:
        item = _reader(typing.get_args(hint)[0])
        return lambda values: tuple(item(value) for value in values)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return lambda value: _member(hint, value)
    if isinstance(hint, type) and hint in _PROTOBUF:
        return lambda value: _from_protobuf(hint, value)
    assert hint in (bytes, str, int, bool), hint
    return typing.cast("Callable[[Any], Any]", hint)


def _member(cls: type[enum.Enum], value: int) -> enum.Enum:
    try:
        return cls(value)
    except ValueError as error:
        raise WireError(f"{value} is not a {cls.__name__}") from error


def exactly(name: str, value: bytes, size: int) -> None:
    """Refuse `value` unless it is `size` bytes; for a message's `__post_init__`."""
    if len(value) != size:
        raise WireError(f"{name} has {len(value)} bytes, not {size}")


def at_most(name: str, value: Sized, size: int) -> None:
    """Refuse `value` if it is longer than `size`; for a message's `__post_init__`."""
    if len(value) > size:
        raise WireError(f"{name} has a length of {len(value)}, the limit is {size}")
