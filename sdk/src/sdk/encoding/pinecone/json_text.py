"""JSON text to bytes and back."""

import json
import math
from typing import NoReturn

from sdk.encoding.pinecone.decoder import decode
from sdk.encoding.pinecone.encoder import encode
from sdk.encoding.pinecone.kinds import Kind, Value
from sdk.errors import PineconeError


def encode_from_json(kind: Kind, text: bytes) -> bytes:
    """The encoding of the value that `text` (JSON in UTF-8) is.

    Raises:
        PineconeError: the text is not strict JSON, repeats a name, or does not fit the type.
    """
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except RecursionError:
        raise PineconeError("the JSON nests too deep") from None
    except UnicodeDecodeError as error:
        raise PineconeError(f"the JSON is not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise PineconeError(f"the JSON does not parse: {error}") from None
    return encode(kind, value)


def decode_to_json(kind: Kind, data: bytes, *, indent: int | None = None) -> str:
    """The value that `data` encodes, as JSON; NaN and infinities are written as their names."""
    return json.dumps(
        _finite(decode(kind, data)), indent=indent, ensure_ascii=False, allow_nan=False
    )


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("an object has the same name twice")
    return names


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not JSON; write it as text: "{name}"')


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond f64")
    return number


def _finite(value: Value) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (list, tuple)):
        return [_finite(element) for element in value]
    if isinstance(value, dict):
        return {name: _finite(element) for name, element in value.items()}
    return value
