"""Reading the members of a decoded CBOR map: each function gives a value of one type or refuses.

A boolean is never an integer here.
"""

from collections.abc import Container, Mapping

from psa_attestation.cbor.values import Key, Value
from tabasco.verify.errors import malformed


def member(members: Mapping[Key, Value], key: Key, name: str) -> Value:
    """The member `key`, which has to be there."""
    if key not in members:
        raise malformed(f"{name} ({key!r}) is missing")
    return members[key]


def mapping(value: Value, name: str) -> dict[Key, Value]:
    """`value`, a map."""
    if not isinstance(value, dict):
        raise malformed(f"{name} is not a map")
    return value


def array(value: Value, name: str, sizes: Container[int]) -> list[Value]:
    """`value`, an array whose number of entries is in `sizes`."""
    if not isinstance(value, list):
        raise malformed(f"{name} is not an array")
    if len(value) not in sizes:
        raise malformed(f"{name} has {len(value)} entries, which is not allowed")
    return value


def integer(value: Value, name: str, allowed: Container[int]) -> int:
    """`value`, an integer in `allowed`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise malformed(f"{name} is not an integer")
    if value not in allowed:
        raise malformed(f"{name} is {value}, which is out of range")
    return value


def octets(value: Value, name: str, sizes: Container[int]) -> bytes:
    """`value`, a byte string whose length is in `sizes`."""
    if not isinstance(value, bytes):
        raise malformed(f"{name} is not a byte string")
    if len(value) not in sizes:
        raise malformed(f"{name} has {len(value)} bytes, which is not allowed")
    return value


def text(value: Value, name: str, sizes: Container[int]) -> str:
    """`value`, a text whose number of characters is in `sizes`."""
    if not isinstance(value, str):
        raise malformed(f"{name} is not text")
    if len(value) not in sizes:
        raise malformed(f"{name} has {len(value)} characters, which is not allowed")
    return value
