"""Type expressions: from text such as `Vec<(f64, f64)>` to a kind.

    type    = NAME | NAME "<" type, ... ">" | "(" type, ... ")" | "[" type ";" SIZE "]"
            | record | "enum" "{" variant, ... "}"
    record  = "{" NAME ":" type, ... "}"
    variant = NAME | NAME "(" type, ... ")" | NAME record

Lists are separated by commas and may end with one. A policy is read by this in an isolate, so it is
short, looks one token ahead and never goes deeper than `MAX_DEPTH`.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from veracruz_utils.encoding.errors import TypeExpressionError
from veracruz_utils.encoding.kinds import (
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

MAX_EXPRESSION_CHARS: Final = 4096
MAX_DEPTH: Final = 32
MAX_ARRAY_SIZE: Final = 2**20

_TOKEN: Final = re.compile(r"(?P<name>&?[A-Za-z_][A-Za-z0-9_]*)|(?P<size>[0-9]+)|[<>(),;:\[\]{}]")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NAME: Final = "a name"
_SIZE: Final = "a number"
_END: Final = ""

_SEQUENCES: Final = {"Vec": False, "HashSet": True, "BTreeSet": True}
_MAPS: Final = ("HashMap", "BTreeMap")
_ALIASES: Final = {"str": "String", "&str": "String"}
_PARAMETERS: Final = {
    **dict.fromkeys(_SEQUENCES, 1), **dict.fromkeys(_MAPS, 2), "Option": 1,
}  # fmt: skip

_T = TypeVar("_T")


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
    tokens = _Tokens(expression)
    kind = _Parser(tokens).kind()
    if tokens.next_is != _END:
        raise tokens.unexpected()
    return kind


class _Tokens:
    """The tokens of an expression, one looked at ahead.

    Attributes:
        next_is: what the next token is: itself, `_NAME`, `_SIZE` or `_END`.
    """

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0
        self._look()

    def _look(self) -> None:
        space = _SPACE.match(self._text, self._at)
        assert space is not None  # no space is space too
        self._at = space.end()
        found = _TOKEN.match(self._text, self._at)
        if found is None and self._at < len(self._text):
            raise TypeExpressionError(
                f"column {self._at + 1}: {self._text[self._at]!r} is not expected"
            )
        self._token = found.group() if found else ""
        kinds = {"name": _NAME, "size": _SIZE, None: self._token}
        self.next_is = kinds[found.lastgroup if found else None]

    def take(self, *, expected: str | None = None) -> str:
        """The next token; if it is not what is expected it is refused."""
        if expected is not None and self.next_is != expected:
            raise self.unexpected()
        token = self._token
        self._at += len(token)
        self._look()
        return token

    def takes(self, token: str) -> bool:
        """Whether the next token was `token`, and is taken."""
        if self.next_is != token:
            return False
        self.take()
        return True

    def unexpected(self) -> TypeExpressionError:
        """What to say of the next token, which cannot be here."""
        if self.next_is == _END:
            return TypeExpressionError("the type expression ends too early")
        return TypeExpressionError(f"column {self._at + 1}: {self._token[:40]!r} is not expected")


class _Parser:
    """Makes kinds of tokens: one method for each rule of the grammar."""

    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens
        self._open = 0

    def kind(self) -> TypeKind:
        """The type that begins here."""
        self._open += 1
        if self._open > MAX_DEPTH:
            raise _too_deep()
        tokens = self._tokens
        match tokens.next_is:
            case "(":
                found = self._tuple()
            case "[":
                found = self._array()
            case "{":
                found = self._record()
            case _:
                name = tokens.take(expected=_NAME)
                found = self._enum() if name == "enum" else self._named(name)
        self._open -= 1
        if depth(found) > MAX_DEPTH:
            raise _too_deep()
        return found

    def _list(self, end: str, item: Callable[[], _T], *, least: int) -> tuple[list[_T], bool]:
        """Items up to `end`, and whether a comma is behind the last one."""
        items: list[_T] = []
        comma = True
        while comma and (len(items) < least or self._tokens.next_is != end):
            items.append(item())
            comma = self._tokens.takes(",")
        self._tokens.take(expected=end)
        return items, comma

    def _named(self, name: str) -> TypeKind:
        if self._tokens.takes("<"):
            return _generic(name, self._list(">", self.kind, least=1)[0])
        name = _ALIASES.get(name, name)
        if name in SCALARS:
            return SCALARS[name]
        if name in _PARAMETERS:
            raise TypeExpressionError(f"{name} needs type parameters, as in {name}<...>")
        known = ", ".join([*SCALARS, *_PARAMETERS])
        raise TypeExpressionError(f"unknown type {name[:40]!r}; known types are {known}")

    def _tuple(self) -> TypeKind:
        self._tokens.take()
        parts, comma = self._list(")", self.kind, least=0)
        return parts[0] if len(parts) == 1 and not comma else Tuple(tuple(parts))

    def _array(self) -> TypeKind:
        self._tokens.take()
        element = self.kind()
        self._tokens.take(expected=";")
        digits = self._tokens.take(expected=_SIZE)
        self._tokens.take(expected="]")
        size = int(digits) if len(digits) < 10 else MAX_ARRAY_SIZE + 1
        if size > MAX_ARRAY_SIZE:
            raise TypeExpressionError(f"an array has at most {MAX_ARRAY_SIZE} elements")
        return Array(_sized(element, "an array"), size)

    def _record(self) -> Struct:
        self._tokens.take(expected="{")
        members, _ = self._list("}", self._field, least=0)
        _distinct([name for name, _ in members], "field")
        return Struct(tuple(members))

    def _field(self) -> tuple[str, TypeKind]:
        name = self._tokens.take(expected=_NAME)
        self._tokens.take(expected=":")
        return name, self.kind()

    def _enum(self) -> TypeKind:
        self._tokens.take(expected="{")
        variants, _ = self._list("}", self._variant, least=1)
        _distinct([name for name, _ in variants], "variant")
        return Enum(tuple(variants))

    def _variant(self) -> tuple[str, TypeKind | None]:
        name = self._tokens.take(expected=_NAME)
        if self._tokens.next_is == "{":
            return name, self.kind()
        if not self._tokens.takes("("):
            return name, None
        contents, _ = self._list(")", self.kind, least=1)
        return name, contents[0] if len(contents) == 1 else Tuple(tuple(contents))


def _generic(name: str, parameters: list[TypeKind]) -> TypeKind:
    if (expected := _PARAMETERS.get(name)) is None:
        raise TypeExpressionError(
            f"{name[:40]!r} takes no type parameters; only {', '.join(_PARAMETERS)} do"
        )
    if len(parameters) != expected:
        raise TypeExpressionError(f"{name} takes {expected} types, got {len(parameters)}")
    first = parameters[0]
    if name in _SEQUENCES:
        return Sequence(name, _sized(first, name), distinct=_SEQUENCES[name])
    if name in _MAPS:
        return Mapping(name, _sized(first, name), parameters[1])
    if isinstance(first, Option):
        raise TypeExpressionError(
            "an Option of an Option is not supported: JSON cannot tell its values apart"
        )
    return Option(first)


def _too_deep() -> TypeExpressionError:
    return TypeExpressionError(f"a type nests deeper than {MAX_DEPTH}")


def _sized(kind: TypeKind, where: str) -> TypeKind:
    """`kind`, unless it takes no bytes: then no input would bound how many of it there are."""
    if least_size(kind) == 0:
        raise TypeExpressionError(f"{where} cannot hold {kind}, which takes no bytes")
    return kind


def _distinct(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise TypeExpressionError(f"{what} {name[:40]!r} is there twice")
        seen.add(name)
