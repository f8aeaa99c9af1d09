"""What CBOR data items are in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Union

from psa_attestation.errors import AttestationError, ErrorCode, Stage

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


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value, never interpreted: nothing is built from what the tag means."""

    number: int
    value: Value


def cbor_error(code: ErrorCode, detail: str) -> AttestationError:
    """The error of bad CBOR."""
    return AttestationError(code, Stage.ENCODING, detail)
