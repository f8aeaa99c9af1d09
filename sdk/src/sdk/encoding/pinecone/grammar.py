"""Type expressions: from text such as `Vec<(f64, f64)>` to a kind."""

from functools import lru_cache
from typing import Final

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from sdk.encoding.pinecone.kinds import (
    SCALARS,
    Array,
    Enum,
    Mapping,
    Option,
    Sequence,
    Struct,
    Tuple,
    TypeKind,
    depth,
    least_size,
)
from sdk.errors import TypeExpressionError

MAX_EXPRESSION_CHARS: Final = 4096
MAX_DEPTH: Final = 32
MAX_ARRAY_SIZE: Final = 2**20

_GRAMMAR: Final = r"""
    ?type: NAME                                            -> named
         | NAME "<" type ("," type)* ","? ">"              -> generic
         | "(" ")"                                         -> unit
         | "(" type ")"
         | "(" type "," ")"                                -> parts
         | "(" type ("," type)+ ","? ")"                   -> parts
         | "[" type ";" SIZE "]"                           -> array
         | record
         | "enum" "{" variant ("," variant)* ","? "}"      -> enum
    record: "{" (field ("," field)* ","?)? "}"
    field: NAME ":" type
    variant: NAME                                          -> bare_variant
           | NAME "(" type ("," type)* ","? ")"            -> tuple_variant
           | NAME record                                   -> record_variant
    NAME: /&?[A-Za-z_][A-Za-z0-9_]*/
    SIZE: /[0-9]+/
    %ignore /[ \t\r\n]+/
"""

_SEQUENCES: Final = {"Vec": False, "HashSet": True, "BTreeSet": True}
_MAPS: Final = ("HashMap", "BTreeMap")
_ALIASES: Final = {"str": "String", "&str": "String"}
_PARAMETERS: Final = {
    **dict.fromkeys(_SEQUENCES, 1), **dict.fromkeys(_MAPS, 2), "Option": 1,
}  # fmt: skip


def _checked(kind: TypeKind) -> TypeKind:
    if depth(kind) > MAX_DEPTH:
        raise TypeExpressionError(f"a type nests deeper than {MAX_DEPTH}")
    return kind


def _sized(kind: TypeKind, where: str) -> TypeKind:
    """`kind`, unless it takes no bytes: then no input would bound how many of it there are."""
    if least_size(kind) == 0:
        raise TypeExpressionError(f"{where} cannot hold {kind}, which takes no bytes")
    return kind


def _distinct(names: list[str], what: str) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise TypeExpressionError(f"{what} {name!r} is there twice")


@v_args(inline=True)
class _TypeBuilder(Transformer[Token, TypeKind]):
    """Makes kinds from the bottom up, while the parser goes along."""

    def named(self, token: Token) -> TypeKind:
        name = _ALIASES.get(token, str(token))
        if name in SCALARS:
            return SCALARS[name]
        if name in _PARAMETERS:
            raise TypeExpressionError(f"{name} needs type parameters, as in {name}<...>")
        known = ", ".join([*SCALARS, *_PARAMETERS])
        raise TypeExpressionError(f"unknown type {name!r}; known types are {known}")

    def generic(self, token: Token, *parameters: TypeKind) -> TypeKind:
        name = str(token)
        if (expected := _PARAMETERS.get(name)) is None:
            raise TypeExpressionError(
                f"{name!r} takes no type parameters; only {', '.join(_PARAMETERS)} do"
            )
        if len(parameters) != expected:
            raise TypeExpressionError(f"{name} takes {expected} types, got {len(parameters)}")
        if name in _SEQUENCES:
            element = _sized(parameters[0], name)
            return _checked(Sequence(name, element, distinct=_SEQUENCES[name]))
        if name in _MAPS:
            return _checked(Mapping(name, _sized(parameters[0], name), parameters[1]))
        if isinstance(parameters[0], Option):
            raise TypeExpressionError(
                "an Option of an Option is not supported: JSON cannot tell its values apart"
            )
        return _checked(Option(parameters[0]))

    def unit(self) -> TypeKind:
        return Tuple(())

    def parts(self, *parts: TypeKind) -> TypeKind:
        return _checked(Tuple(parts))

    def array(self, element: TypeKind, token: Token) -> TypeKind:
        size = int(token) if len(token) < 10 else MAX_ARRAY_SIZE + 1
        if size > MAX_ARRAY_SIZE:
            raise TypeExpressionError(f"an array has at most {MAX_ARRAY_SIZE} elements")
        return _checked(Array(_sized(element, "an array"), size))

    def record(self, *fields: tuple[str, TypeKind]) -> TypeKind:
        _distinct([name for name, _ in fields], "field")
        return _checked(Struct(fields))

    def field(self, name: Token, kind: TypeKind) -> tuple[str, TypeKind]:
        return str(name), kind

    def enum(self, *variants: tuple[str, TypeKind | None]) -> TypeKind:
        _distinct([name for name, _ in variants], "variant")
        return _checked(Enum(variants))

    def bare_variant(self, name: Token) -> tuple[str, TypeKind | None]:
        return str(name), None

    def tuple_variant(self, name: Token, *parts: TypeKind) -> tuple[str, TypeKind | None]:
        return str(name), parts[0] if len(parts) == 1 else Tuple(parts)

    def record_variant(self, name: Token, kind: TypeKind) -> tuple[str, TypeKind | None]:
        return str(name), kind


_PARSER: Final = Lark(_GRAMMAR, start="type", parser="lalr", transformer=_TypeBuilder())


@lru_cache(maxsize=64)
def parse_type(expression: str) -> TypeKind:
    """The type that `expression` describes.

    Names are Rust's: bool, char, u8 to u64, i8 to i64, usize, isize, f32, f64, String, Vec<T>,
    HashSet<T>, BTreeSet<T>, HashMap<K, V>, BTreeMap<K, V>, Option<T>, (A, B), [T; N]; structs and
    enums are written in line: {name: T}, enum {A, B(T), C{x: T}}.

    Raises:
        TypeExpressionError: it is malformed; the message says what and where.
    """
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise TypeExpressionError(f"the expression has more than {MAX_EXPRESSION_CHARS} chars")
    try:
        kind = _PARSER.parse(expression)
    except UnexpectedCharacters as error:
        raise TypeExpressionError(
            f"column {error.column}: {error.char!r} is not expected"
        ) from None
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise TypeExpressionError("the type expression ends too early") from None
        found = repr(str(error.token)[:40])
        raise TypeExpressionError(f"column {error.column}: {found} is not expected") from None
    assert isinstance(kind, TypeKind)  # the start rule makes nothing else
    return kind
