"""The Pinecone encoding, by a type expression: JSON-like values to bytes and back.

Pinecone is what the example programs read and write: not self-describing, so both sides must know
the type, written as Rust writes it, with structs in line:

    >>> from sdk import pinecone
    >>> people = pinecone.parse_type("HashSet<{name: String, age: u8}>")
    >>> pinecone.encode(people, [{"name": "clare", "age": 39}]).hex()
    '0105636c61726527'
    >>> pinecone.decode(people, bytes.fromhex("0105636c61726527"))
    [{'name': 'clare', 'age': 39}]

Both directions are strict: a value that does not fit is refused with its place, and so are bytes
that are cut off, left over, or not the one encoding of their value. A length in hostile bytes never
allocates more than those bytes could hold.
"""

from veracruz_utils.encoding.errors import PineconeError, TypeExpressionError
from veracruz_utils.encoding.grammar import parse_type
from veracruz_utils.encoding.kinds import TypeKind, Value
from veracruz_utils.encoding.pinecone.decoder import decode
from veracruz_utils.encoding.pinecone.encoder import encode
from veracruz_utils.encoding.pinecone.json_text import decode_to_json, encode_from_json

__all__ = [
    "PineconeError",
    "TypeExpressionError",
    "TypeKind",
    "Value",
    "decode",
    "decode_to_json",
    "encode",
    "encode_from_json",
    "parse_type",
]
