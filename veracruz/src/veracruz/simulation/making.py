"""Values of any type of the encoding, drawn from a seed: small, plain, alike in every place.

Texts and numbers come from few, so that what two principals give overlaps: programs that join and
intersect find something.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from sdk.examples.draw import pick, whole
from veracruz.errors import SimulationError
from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.kinds import TypeKind, Value
from veracruz_utils.encoding.pinecone import encode

MAX_BYTES: Final = 8_000_000
"""Of the smallest values of a type."""
MAX_PARTS: Final = 500_000
"""Of one value: all numbers, texts and the like in it together."""

_INNER: Final = 3
_NONE_IN: Final = 8
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_GREATEST: Final = 100
_FINENESS: Final = 64
"""Floats are multiples of its inverse, which both widths hold exactly."""


def made_value(kind: TypeKind, random: Random, *, size: int) -> Value:
    """A value of a type.

    Args:
        kind: the type.
        random: where it is drawn from.
        size: how many elements the outermost list, set or map has, if there is one; fewer if there
            are not as many different ones.

    Raises:
        SimulationError: the values of the type are too large, or have too many parts.
    """
    if (least := kinds.least_size(kind)) > MAX_BYTES:
        raise SimulationError(
            f"every value of {str(kind)[:80]} has at least {least} bytes, at most {MAX_BYTES} are "
            "made up"
        )
    return _Maker(random, size).value(kind, depth=0)


class _Maker:
    def __init__(self, random: Random, size: int) -> None:
        self._random = random
        self._size = size
        self._left = MAX_PARTS

    def value(self, kind: TypeKind, *, depth: int) -> Value:  # noqa: C901, PLR0911 - each kind
        self._left -= 1
        if self._left < 0:
            raise SimulationError(
                f"the value to be made up has more than {MAX_PARTS} parts: ask for a smaller one"
            )
        match kind:
            case kinds.Sequence(distinct=True):
                return [*self._distinct(kind.element, depth)]
            case kinds.Sequence():
                return [self.value(kind.element, depth=depth + 1) for _ in self._count(depth)]
            case kinds.Mapping():
                pairs = [
                    (key, self.value(kind.content, depth=depth + 1))
                    for key in self._distinct(kind.key, depth)
                ]
                if kind.has_text_keys:
                    return {str(key): content for key, content in pairs}
                return [*pairs]
            case kinds.Option():
                absent = whole(self._random, 1, _NONE_IN) == 1
                return None if absent else self.value(kind.content, depth=depth)
            case kinds.Tuple():
                return tuple(self.value(part, depth=depth + 1) for part in kind.parts)
            case kinds.Array():
                return [self.value(kind.element, depth=depth + 1) for _ in range(kind.size)]
            case kinds.Struct():
                return {name: self.value(part, depth=depth + 1) for name, part in kind.fields}
            case kinds.Enum():
                name, content = pick(self._random, kind.variants)
                return {name: self.value(content, depth=depth + 1)} if content else name
            case _:
                return self._scalar(kind)

    def _scalar(self, kind: TypeKind) -> Value:
        match kind:
            case kinds.Bool():
                return whole(self._random, 0, 1) == 1
            case kinds.Integer():
                return whole(
                    self._random, max(kind.least, -_GREATEST), min(kind.greatest, _GREATEST)
                )
            case kinds.Float():
                return (
                    whole(self._random, -_GREATEST * _FINENESS, _GREATEST * _FINENESS) / _FINENESS
                )
            case kinds.Char():
                return pick(self._random, _LETTERS)
            case _:
                return f"made up {whole(self._random, 1, 2 * max(1, self._size))}"

    def _count(self, depth: int) -> range:
        return range(self._size if depth == 0 else min(self._size, _INNER))

    def _distinct(self, kind: TypeKind, depth: int) -> Iterator[Value]:
        """Elements of a set, or keys of a map: each once, of as many draws as it may have."""
        seen: set[bytes] = set()
        for _ in self._count(depth):
            element = self.value(kind, depth=depth + 1)
            encoded = encode(kind, element)
            if encoded not in seen:
                seen.add(encoded)
                yield element
