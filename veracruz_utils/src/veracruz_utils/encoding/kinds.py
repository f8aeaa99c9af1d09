"""What a type is: a parsed type expression, as values. Their `str()` is the expression again."""

import struct
from collections.abc import Iterator
from functools import singledispatch
from typing import Final, TypeAlias

from veracruz_utils.frozen import frozen

# What JSON has, and tuples for tuples.
Value: TypeAlias = (
    "bool | int | float | str | list[Value] | tuple[Value, ...] | dict[str, Value] | None"
)


class TypeKind:
    """A type that can be encoded."""

    __slots__ = ()


@frozen
class Bool(TypeKind):
    """`bool`: one byte, 0 or 1."""

    def __str__(self) -> str:
        return "bool"


@frozen
class Integer(TypeKind):
    """`u8` to `u64`, `i8` to `i64`, `usize`, `isize`: fixed width, little-endian."""

    name: str
    layout: struct.Struct

    def __str__(self) -> str:
        return self.name

    @property
    def least(self) -> int:
        """The least value."""
        return -(1 << (8 * self.layout.size - 1)) if self.name.startswith("i") else 0

    @property
    def greatest(self) -> int:
        """The greatest value."""
        return self.least + (1 << 8 * self.layout.size) - 1


@frozen
class Float(TypeKind):
    """`f32`, `f64`: IEEE 754, little-endian."""

    name: str
    layout: struct.Struct

    def __str__(self) -> str:
        return self.name


@frozen
class Char(TypeKind):
    """`char`: the code point in 4 bytes."""

    def __str__(self) -> str:
        return "char"


@frozen
class Text(TypeKind):
    """`String`: a byte length, then UTF-8."""

    def __str__(self) -> str:
        return "String"


@frozen
class Sequence(TypeKind):
    """`Vec<T>`, or with `distinct` `HashSet<T>`: a count, then the elements, in the order given."""

    name: str
    element: TypeKind
    distinct: bool

    def __str__(self) -> str:
        return f"{self.name}<{self.element}>"


@frozen
class Mapping(TypeKind):
    """`HashMap<K, V>`: a count, then key, value, key, value.

    Its value is a dict if the keys are text, otherwise a list of pairs.
    """

    name: str
    key: TypeKind
    content: TypeKind

    def __str__(self) -> str:
        return f"{self.name}<{self.key}, {self.content}>"

    @property
    def has_text_keys(self) -> bool:
        """Whether its value is a dict."""
        return isinstance(self.key, Text)


@frozen
class Option(TypeKind):
    """`Option<T>`: 0, or 1 and the value."""

    content: TypeKind

    def __str__(self) -> str:
        return f"Option<{self.content}>"


@frozen
class Tuple(TypeKind):
    """`(A, B)`, and `()`: the parts one after another."""

    parts: tuple[TypeKind, ...]

    def __str__(self) -> str:
        comma = "," if len(self.parts) == 1 else ""
        return f"({', '.join(map(str, self.parts))}{comma})"


@frozen
class Array(TypeKind):
    """`[T; N]`: N elements, no count."""

    element: TypeKind
    size: int

    def __str__(self) -> str:
        return f"[{self.element}; {self.size}]"


@frozen
class Struct(TypeKind):
    """`{name: T, ...}`: the fields one after another; its value is a dict with exactly them."""

    fields: tuple[tuple[str, TypeKind], ...]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + "}"


@frozen
class Enum(TypeKind):
    """`enum {A, B(T), C(T, U), D{x: T}}`: the variant's index as a varint, then its content.

    Its value is the variant's name, or `{name: content}` for one that has content.
    """

    variants: tuple[tuple[str, TypeKind | None], ...]

    def __str__(self) -> str:
        return "enum {" + ", ".join(self._shown()) + "}"

    def _shown(self) -> Iterator[str]:
        for name, content in self.variants:
            if content is None:
                yield name
            else:
                yield f"{name}{content}" if _is_inline(content) else f"{name}({content})"


def _is_inline(content: TypeKind) -> bool:
    """Whether a variant's content brings its own brackets; `V(T)` is not a variant with `(T,)`."""
    return isinstance(content, Struct) or (isinstance(content, Tuple) and len(content.parts) > 1)


_INTEGER_CODES: Final = {
    # usize takes 8 bytes in the format, although guests have pointers of 32 bits.
    "u8": "B", "u16": "H", "u32": "I", "u64": "Q", "usize": "Q",
    "i8": "b", "i16": "h", "i32": "i", "i64": "q", "isize": "q",
}  # fmt: skip

# The types without parts, by the name that an expression uses.
SCALARS: Final[dict[str, TypeKind]] = {
    "bool": Bool(),
    "char": Char(),
    "f32": Float("f32", struct.Struct("<f")),
    "f64": Float("f64", struct.Struct("<d")),
    "String": Text(),
    **{name: Integer(name, struct.Struct(f"<{code}")) for name, code in _INTEGER_CODES.items()},
}


@singledispatch
def least_size(kind: TypeKind) -> int:  # noqa: ARG001 - what begins with a count or a tag
    """The bytes that the shortest encoding takes."""
    return 1


@least_size.register
def _(kind: Integer | Float) -> int:
    return kind.layout.size


@least_size.register
def _(_: Char) -> int:
    return 4


@least_size.register
def _(kind: Tuple) -> int:
    return sum(map(least_size, kind.parts))


@least_size.register
def _(kind: Array) -> int:
    return kind.size * least_size(kind.element)


@least_size.register
def _(kind: Struct) -> int:
    return sum(least_size(field) for _, field in kind.fields)


@least_size.register
def _(kind: Enum) -> int:
    return 1 + min(least_size(content) if content else 0 for _, content in kind.variants)


@singledispatch
def parts(kind: TypeKind) -> tuple[TypeKind, ...]:  # noqa: ARG001 - scalars have none
    """The types directly inside."""
    return ()


@parts.register
def _(kind: Sequence | Array) -> tuple[TypeKind, ...]:
    return (kind.element,)


@parts.register
def _(kind: Option) -> tuple[TypeKind, ...]:
    return (kind.content,)


@parts.register
def _(kind: Mapping) -> tuple[TypeKind, ...]:
    return (kind.key, kind.content)


@parts.register
def _(kind: Tuple) -> tuple[TypeKind, ...]:
    return kind.parts


@parts.register
def _(kind: Struct) -> tuple[TypeKind, ...]:
    return tuple(field for _, field in kind.fields)


@parts.register
def _(kind: Enum) -> tuple[TypeKind, ...]:
    return tuple(content for _, content in kind.variants if content)


def depth(kind: TypeKind) -> int:
    """How deep the expression nests; 1 for a type without parts."""
    return 1 + max(map(depth, parts(kind)), default=0)
