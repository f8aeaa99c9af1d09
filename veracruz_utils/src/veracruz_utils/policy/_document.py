"""The two steps from a policy's text to a form of its format: strict JSON, then the schema."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.strict_json import JsonError, JsonErrorCode, JsonValue, read_json

MAX_POLICY_BYTES: Final = 1 << 20
"""No policy is larger, in bytes."""

_CODES: Final = {
    JsonErrorCode.TOO_LARGE: PolicyErrorCode.TOO_LARGE,
    JsonErrorCode.REPEATED_NAME: PolicyErrorCode.DUPLICATE_FIELD,
}
_SCHEMA_MESSAGE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?", re.DOTALL)
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def load_document(raw: bytes) -> dict[str, JsonValue]:
    """The JSON object that `raw` is the text of.

    Raises:
        PolicyError: `too-large`, `duplicate-field` or `malformed-json`.
    """
    try:
        document = read_json(raw, max_bytes=MAX_POLICY_BYTES)
    except JsonError as error:
        code = _CODES.get(error.code, PolicyErrorCode.MALFORMED_JSON)
        raise PolicyError(code, error.detail) from error
    if not isinstance(document, dict):
        raise PolicyError(PolicyErrorCode.MALFORMED_JSON, "is not a JSON object")
    return document


def fit(document: Mapping[str, object], shape: type[_Shape]) -> _Shape:
    """`document` as a `shape`: every field there, of its type and in its range.

    Raises:
        PolicyError: it does not fit; the path says where.
    """
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None


def _misfit(message: str) -> PolicyError:
    """The error for msgspec's words, such as "Expected `int`, got `str` - at `$.limits.fuel`".

    It has no codes: a test holds its words, in the locked version, to what is looked for here.
    """
    parts = _SCHEMA_MESSAGE.fullmatch(message)
    what, path = (parts["what"], parts["path"]) if parts else (message, None)
    if what.startswith("Object contains unknown field"):
        code = PolicyErrorCode.UNKNOWN_FIELD
    elif what.startswith("Object missing required field"):
        code = PolicyErrorCode.MISSING_FIELD
    else:
        code = PolicyErrorCode.INVALID_VALUE
    printable = "".join(c if c.isprintable() else "?" for c in what[:160]).replace("`", "'")
    return PolicyError(code, printable[:1].lower() + printable[1:], path=path or "$")
