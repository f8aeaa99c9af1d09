"""JSON, read strictly (RFC 8259, with the rules of RFC 7493).

Refused is what lets two readers see two things: repeated members, NaN and infinities, anything
after the value, text that is not Unicode. Whether a number is an integer is for the reader of the
claim to ask: `1.0` stays a float and is no integer.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from psa_attestation.errors import AttestationError, ErrorCode, Stage

JsonValue: TypeAlias = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None
"""What `decode_json` gives."""

MAX_JSON_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 16
# A string is taken whole, to the end if it does not end: nothing is looked at twice.
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)


def decode_json(data: bytes) -> JsonValue:
    """The one JSON value that `data` is.

    Raises:
        AttestationError: stage `encoding`.
    """
    if len(data) > MAX_JSON_BYTES:
        raise _error(ErrorCode.SIZE_LIMIT, f"{len(data)} bytes, at most {MAX_JSON_BYTES} are read")
    _check_depth(data)
    try:
        value: JsonValue = json.loads(
            data.decode(), object_pairs_hook=_members, parse_constant=_no_constant
        )
        encode_json(value)  # a lone surrogate is text to the parser, but not to UTF-8
    except UnicodeError as error:
        raise _error(ErrorCode.UTF8, "text is not Unicode") from error
    except ValueError as error:
        raise _error(ErrorCode.MALFORMED, "not a JSON value") from error
    return value


def encode_json(value: object) -> bytes:
    """`value` in JSON without white space, members sorted."""
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )
    return text.encode()


def _check_depth(data: bytes) -> None:
    depth = 0
    for match in _BRACKETS.finditer(data):
        depth += bool(match[1]) - bool(match[2])
        if depth > _MAX_DEPTH:
            raise _error(ErrorCode.NESTING_LIMIT, f"nested deeper than {_MAX_DEPTH}")


def _members(pairs: list[tuple[str, JsonValue]]) -> Mapping[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _error(ErrorCode.DUPLICATE_KEY, "a member occurs twice")
    return members


def _no_constant(name: str) -> JsonValue:
    raise _error(ErrorCode.MALFORMED, f"{name} is not JSON")


def _error(code: ErrorCode, detail: str) -> AttestationError:
    return AttestationError(code, Stage.ENCODING, detail)
