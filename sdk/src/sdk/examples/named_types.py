"""The types that the example programs read and write, by name, for `--type`."""

from typing import Final

from sdk.examples import EXAMPLES
from veracruz_utils.encoding.errors import TypeExpressionError
from veracruz_utils.encoding.pinecone import TypeKind, parse_type

SCHEMAS: Final = {named.name: named for example in EXAMPLES.values() for named in example.types}


def resolve(text: str) -> TypeKind:
    """The type that `text` names or, as an expression, describes.

    Raises:
        TypeExpressionError: it does neither.
    """
    if text in SCHEMAS:
        return SCHEMAS[text].kind
    try:
        return parse_type(text)
    except TypeExpressionError as error:
        raise TypeExpressionError(f"{error}; named types are {', '.join(SCHEMAS)}") from None
