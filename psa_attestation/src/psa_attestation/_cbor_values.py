"""What CBOR data items are in Python, and the limits of reading them."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from psa_attestation.errors import AttestationError, Code, Stage

Key: TypeAlias = int | str | bytes
Value: TypeAlias = Union[
    int, bytes, str, float, bool, "Tag", list["Value"], dict[Key, "Value"], None
]
"""What `decode` gives."""
Encodable: TypeAlias = Union[
    int,
    bytes,
    str,
    float,
    bool,
    "Tag",
    Sequence["Encodable"],
    Mapping[int, "Encodable"],
    Mapping[str, "Encodable"],
    Mapping[Key, "Encodable"],
    None,
]
"""What `encode` takes: every `Value`, and other sequences and mappings of the same."""

NO_TAG: Final[Container[int]] = frozenset()
ANY_TAG: Final[Container[int]] = range(2**64)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value, never interpreted: nothing is built from what the tag means."""

    number: int
    value: Value


@dataclass(frozen=True, slots=True)
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


def cbor_error(code: Code, detail: str) -> AttestationError:
    """The error of bad CBOR."""
    return AttestationError(code, Stage.ENCODING, detail)
