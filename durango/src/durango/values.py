"""Values to inputs and results to values, by the types that a policy names."""

from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.pinecone import decode, encode, parse_type


def encode_value(expression: str, value: object) -> bytes:
    """A value as programs read it, of a type such as `policy.inputs[0].type`.

    Args:
        expression: the type, as Rust writes it with structs in line: `Vec<{id: String}>`.
        value: of numbers, text, lists, tuples and dictionaries, as JSON has them.

    Raises:
        EncodingError: the type is none, or the value is not of it; the message has its place.
    """
    return encode(parse_type(expression), value)


def decode_value(expression: str, data: bytes) -> Value:
    """The value in a result, of a type such as `policy.result.type`.

    Args:
        expression: the type.
        data: the bytes, which are all of one value.

    Raises:
        EncodingError: the type is none, or the bytes are not one value of it.
    """
    return decode(parse_type(expression), data)
