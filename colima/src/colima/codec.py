"""Protobuf bytes to frozen dataclasses and back; the one module that touches protobuf objects.

A wire module declares each of its messages with `message`, by the protobuf message of the same
fields. Decoding is strict: the bytes must be exactly what our own encoder would have written for
the value, so unknown fields, fields given twice, over-long integers and reordered fields are all
refused by one comparison, whatever their nesting.
"""

import dataclasses
import enum
import inspect
import typing
from collections.abc import Callable, Sized
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message

from colima.errors import WireError
from veracruz_utils.frozen import frozen

_MessageT = TypeVar("_MessageT")

_FIELDS: Final[dict[type, dict[str, Callable[[Any], Any]]]] = {}
_PROTOBUF: Final[dict[type, type[Message]]] = {}


@frozen
class Length:
    """How long a field of a message may be: the metadata of an `Annotated` type."""

    least: int
    most: int
    or_none: bool = False

    def check(self, name: str, value: Sized) -> None:
        """Refuse a value of another length, by WireError."""
        size = len(value)
        if self.least <= size <= self.most or (self.or_none and size == 0):
            return
        name = name.replace("_", " ")
        if self.least == self.most:
            raise WireError(f"{name} has {size} bytes, not {self.most}")
        raise WireError(f"{name} has a length of {size}, the limit is {self.most}")


def exactly(size: int, *, or_none: bool = False) -> Length:
    """A field is `size` bytes, or may be empty as well."""
    return Length(size, size, or_none)


def at_most(size: int) -> Length:
    """A field has at most `size` bytes, characters or items."""
    return Length(0, size)


@typing.dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def message(protobuf: type[Message]) -> Callable[[type[_MessageT]], type[_MessageT]]:
    """A class decorator: a frozen dataclass that travels as `protobuf`, with the same fields."""

    def declare(cls: type[_MessageT]) -> type[_MessageT]:
        hints: dict[str, Any] = inspect.get_annotations(cls)
        assert list(hints) == [field.name for field in protobuf.DESCRIPTOR.fields], cls
        lengths = [
            (name, hint.__metadata__[0])
            for name, hint in hints.items()
            if typing.get_origin(hint) is typing.Annotated
        ]

        def check_lengths(self: _MessageT) -> None:
            for name, length in lengths:
                length.check(name, getattr(self, name))

        cls.__post_init__ = check_lengths  # type: ignore[attr-defined]
        declared = frozen(cls)
        _FIELDS[declared] = {name: _reader(hint) for name, hint in hints.items()}
        _PROTOBUF[declared] = protobuf
        return declared

    return declare


def encode(message: object) -> bytes:
    """The bytes of a message."""
    return _serialize(_PROTOBUF[type(message)](**_values(message)))


def decode(cls: type[_MessageT], data: bytes | memoryview) -> _MessageT:
    """The message that `data` is.

    Raises:
        WireError: `data` is not the one encoding of a valid `cls`.
    """
    parsed = _parse(_PROTOBUF[cls], data)
    return typing.cast("_MessageT", _from_protobuf(cls, parsed))


class Envelope(typing.Generic[_MessageT]):
    """A protobuf message that is one `oneof` of the messages that are its `members`."""

    def __init__(self, protobuf: type[Message], *members: type[_MessageT]) -> None:
        (oneof,) = protobuf.DESCRIPTOR.oneofs
        by_type = {_PROTOBUF[cls].DESCRIPTOR.full_name: cls for cls in members}
        self.protobuf = protobuf
        self.members = {
            field.name: by_type[field.message_type.full_name]
            for field in oneof.fields
            if field.message_type is not None
        }
        self._names = {cls: name for name, cls in self.members.items()}
        self._oneof = oneof.name

    def encode(self, message: _MessageT) -> bytes:
        """The bytes of the envelope around `message`."""
        name = self._names.get(type(message))
        if name is None:
            raise TypeError(f"{type(message).__name__} does not travel in {self.protobuf.__name__}")
        return _serialize(self.protobuf(**{name: _values(message)}))

    def decode(self, data: bytes | memoryview) -> _MessageT:
        """The message inside the envelope.

        Raises:
            WireError: `data` is not the one encoding of an envelope with a valid message in it.
        """
        parsed = _parse(self.protobuf, data)
        name = parsed.WhichOneof(self._oneof)
        if name is None:
            raise WireError(f"an empty {self.protobuf.__name__}")
        return typing.cast("_MessageT", _from_protobuf(self.members[name], getattr(parsed, name)))


def _serialize(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _parse(protobuf: type[Message], data: bytes | memoryview) -> Message:
    try:
        parsed = protobuf.FromString(bytes(data))
    except DecodeError as error:
        raise WireError(f"{len(data)} bytes that are not a {protobuf.__name__}") from error
    # Kept, they would be written again, and the comparison would not see them.
    parsed.DiscardUnknownFields()
    if _serialize(parsed) != data:
        raise WireError(f"a {protobuf.__name__} with unknown, repeated or reordered fields")
    return parsed


def _values(message: object) -> dict[str, Any]:
    """The fields of a message as protobuf takes them, those of a message in it as a dict, too."""
    return {name: _value(getattr(message, name)) for name in _FIELDS[type(message)]}


def _value(value: Any) -> Any:  # noqa: ANN401 - of any field
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return _values(value) if type(value) in _FIELDS else value


def _from_protobuf(cls: type, parsed: Message) -> object:
    values = {name: read(getattr(parsed, name)) for name, read in _FIELDS[cls].items()}
    return cls(**values)


def _reader(hint: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type is the value here
    if typing.get_origin(hint) is typing.Annotated:
        return _reader(typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        item = _reader(typing.get_args(hint)[0])
        return lambda values: tuple(item(value) for value in values)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return lambda value: _member(hint, value)
    if hint in _FIELDS:
        return lambda value: _from_protobuf(hint, value)
    assert hint in (bytes, str, int, bool), hint
    return typing.cast("Callable[[Any], Any]", hint)


def _member(cls: type[enum.Enum], value: int) -> enum.Enum:
    try:
        return cls(value)
    except ValueError as error:
        raise WireError(f"{value} is not a {cls.__name__}") from error
