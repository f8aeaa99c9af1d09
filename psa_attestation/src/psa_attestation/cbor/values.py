"""What CBOR data items are in Python."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, Union

from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

Key: TypeAlias = int | str | bytes
Value: TypeAlias = Union[
    int, bytes, str, float, bool, "Tag", list["Value"], dict[Key, "Value"], None
]
"""What `decode` gives."""
Encodable: TypeAlias = (
    Value
    | Sequence["Encodable"]
    | Mapping[int, "Encodable"]
    | Mapping[str, "Encodable"]
    | Mapping[Key, "Encodable"]
)
"""What `encode` takes: every `Value`, and other sequences and mappings of the same."""


@frozen
class Tag:
    """A tagged value, never interpreted: nothing is built from what the tag means."""

    number: int
    value: Value


class WritingError(VeracruzError):
    """What we were asked to write or to sign has no form: the caller's mistake, not a refusal."""
