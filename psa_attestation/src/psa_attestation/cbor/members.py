"""Reading the members of a decoded map: each function gives a value of one type or refuses.

A boolean is never an integer here, and a float is never accepted for anything.
"""

from collections.abc import Container, Mapping

from psa_attestation.cbor.values import Key, Value
from psa_attestation.errors import AttestationError, ErrorCode, Stage


def refused(code: ErrorCode, detail: str) -> AttestationError:
    """The error of a claim."""
    return AttestationError(code, Stage.CLAIMS, detail)


def required(members: Mapping[Key, Value], key: Key, name: str) -> Value:
    """The member `key`, which has to be there."""
    try:
        return members[key]
    except KeyError:
        raise refused(ErrorCode.MISSING_CLAIM, f"{name} ({key!r}) is missing") from None


def mapping(value: Value, name: str) -> dict[Key, Value]:
    """`value`, a map."""
    if not isinstance(value, dict):
        raise _wrong_type(name, "a map", value)
    return value


def array(value: Value, name: str, *, max_entries: int) -> list[Value]:
    """`value`, an array of at most `max_entries` entries."""
    if not isinstance(value, list):
        raise _wrong_type(name, "an array", value)
    if len(value) > max_entries:
        raise refused(
            ErrorCode.CLAIM_VALUE,
            f"{name} has {len(value)} entries, at most {max_entries} are read",
        )
    return value


def integer(
    value: Value, name: str, allowed: Container[int], code: ErrorCode = ErrorCode.CLAIM_VALUE
) -> int:
    """`value`, an integer in `allowed` (such as a range)."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(name, "an integer", value)
    if value not in allowed:
        raise refused(code, f"{name} is {value}, which is out of range")
    return value


def boolean(value: Value, name: str) -> bool:
    """`value`, true or false."""
    if not isinstance(value, bool):
        raise _wrong_type(name, "a boolean", value)
    return value


def octets(
    value: Value, name: str, sizes: Container[int], code: ErrorCode = ErrorCode.CLAIM_VALUE
) -> bytes:
    """`value`, a byte string whose length is in `sizes`."""
    if not isinstance(value, bytes):
        raise _wrong_type(name, "a byte string", value)
    if len(value) not in sizes:
        raise refused(code, f"{name} has a length of {len(value)} bytes, which is not allowed")
    return value


def text(value: Value, name: str, *, max_chars: int, min_chars: int = 0) -> str:
    """`value`, a text of `min_chars` to `max_chars` characters."""
    if not isinstance(value, str):
        raise _wrong_type(name, "text", value)
    if not min_chars <= len(value) <= max_chars:
        raise refused(
            ErrorCode.CLAIM_VALUE,
            f"{name} has {len(value)} characters, {min_chars} to {max_chars} are allowed",
        )
    return value


def plain_text(value: Value, name: str, *, max_chars: int, min_chars: int = 0) -> str:
    """`value`, a text of so many characters that does nothing to a terminal."""
    found = text(value, name, max_chars=max_chars, min_chars=min_chars)
    if not found.isprintable():
        raise refused(ErrorCode.CLAIM_VALUE, f"{name} has characters that are not printable")
    return found


def _wrong_type(name: str, wanted: str, value: Value) -> AttestationError:
    return refused(ErrorCode.CLAIM_TYPE, f"{name} is not {wanted} but {type(value).__name__}")
