"""JSON of tokens and keys: read by `veracruz_utils.strict_json`, refused in our codes."""

import json
from typing import Final

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.strict_json import JsonError, JsonErrorCode, JsonValue, read_json

MAX_JSON_BYTES: Final = 64 * 1024
_CODES: Final = {
    JsonErrorCode.TOO_LARGE: ErrorCode.SIZE_LIMIT,
    JsonErrorCode.TOO_DEEP: ErrorCode.NESTING_LIMIT,
    JsonErrorCode.NOT_UNICODE: ErrorCode.UTF8,
    JsonErrorCode.REPEATED_NAME: ErrorCode.DUPLICATE_KEY,
    JsonErrorCode.MALFORMED: ErrorCode.MALFORMED,
}


def decode_json(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> JsonValue:
    """The one JSON value that `data`, of at most `max_bytes`, is.

    Raises:
        AttestationError: stage `encoding`.
    """
    try:
        return read_json(data, max_bytes=max_bytes)
    except JsonError as error:
        raise AttestationError(_CODES[error.code], Stage.ENCODING, f"the JSON {error}") from error


def encode_json(value: object) -> bytes:
    """`value` in JSON without white space, members sorted."""
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )
    return text.encode()
