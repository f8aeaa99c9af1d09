"""JSON text to bytes and back."""

import codecs
import json
import math
from typing import Final

from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.kinds import TypeKind, Value
from veracruz_utils.encoding.pinecone.decoder import decode
from veracruz_utils.encoding.pinecone.encoder import encode
from veracruz_utils.strict_json import JsonError, read_json

_MAX_TEXT_BYTES: Final = 1 << 30
_MAX_DEPTH: Final = 200


def encode_from_json(kind: TypeKind, text: bytes) -> bytes:
    """The encoding of the value that `text` (JSON in UTF-8) is.

    Raises:
        PineconeError: the text is not strict JSON, repeats a name, or does not fit the type.
    """
    try:
        text = text.removeprefix(codecs.BOM_UTF8)
        value = read_json(text, max_bytes=_MAX_TEXT_BYTES, max_depth=_MAX_DEPTH)
    except JsonError as error:
        raise PineconeError(f"the text {error}") from error
    return encode(kind, value)


def decode_to_json(kind: TypeKind, data: bytes, *, indent: int | None = None) -> str:
    """The value that `data` encodes, as JSON; NaN and infinities are written as their names."""
    return json.dumps(
        finite(decode(kind, data)), indent=indent, ensure_ascii=False, allow_nan=False
    )


def finite(value: Value) -> Value:
    """The value with names in place of NaN and infinities, which are no numbers of JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (list, tuple)):
        return [finite(element) for element in value]
    if isinstance(value, dict):
        return {name: finite(element) for name, element in value.items()}
    return value
