"""What an example program is, seen from outside: types, parties, data and expectations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import Literal, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.pinecone import TypeKind, Value, decode, parse_type
from veracruz_utils.frozen import frozen

Language: TypeAlias = Literal["rust", "c", "python"]


@frozen
class NamedType:
    """A type with a name, for `--type`, and the expression that describes it."""

    name: str
    expression: str
    summary: str

    @property
    def kind(self) -> TypeKind:
        """The parsed type."""
        return parse_type(self.expression)


@frozen
class Input:
    """One input of a program.

    Attributes:
        label: its name in file names, such as `points`.
        expression: its Pinecone type; None for bytes that are not encoded.
        party: who gives it, such as `data provider`.
    """

    label: str
    expression: str | None
    party: str = "data provider"

    @property
    def kind(self) -> TypeKind | None:
        """The parsed type."""
        return None if self.expression is None else parse_type(self.expression)


Stream: TypeAlias = Input
"""A stream is described as an input is: one item of its type comes in every round."""


@frozen
class Case:
    """What one computation is given.

    Attributes:
        inputs: the bytes of each input, in order.
        rounds: for each round, the bytes of each stream. A program without streams runs one.
    """

    inputs: tuple[bytes, ...]
    rounds: tuple[tuple[bytes, ...], ...] = ((),)


@frozen
class Example:
    """One example program.

    Attributes:
        name: as its source folder and its module are called.
        summary: one line, without a full stop.
        language: what its source is written in. Modules of Python are not shipped, as every build
            gives another.
        inputs: in the order of the policy. A program that takes any number of inputs lists as many
            as `generate` makes.
        streams: likewise.
        result: the Pinecone type of each round's result; None if there is none, or with `check` one
            that is not encoded.
        types: types of it that have names of their own.
        codes: the return codes other than 0 that it has, each with its reason.
        generate: makes a case of a size from a seed: the same everywhere, small for size 10.
        default_size: what `veracruz-sdk generate` makes by default.
        expected: the decoded result of every round, computed from the inputs' bytes and by other
            means than the program's. A set is given as a list in any order.
        check: in place of `expected` where there is no one right result: given the case and the
            bytes of each round's result, it gives what is wrong, or None.
        tolerance: how far apart floats may be, relative to the larger of 1 and the expected one.
    """

    _: KW_ONLY
    name: str
    summary: str
    language: Language
    inputs: tuple[Input, ...] = ()
    streams: tuple[Stream, ...] = ()
    result: str | None
    types: tuple[NamedType, ...] = ()
    codes: dict[int, str]
    generate: Callable[[int, int], Case]
    default_size: int = 1000
    expected: Callable[[Case], Sequence[Value]] | None = None
    check: Callable[[Case, Sequence[bytes | None]], str | None] | None = None
    tolerance: float = 0.0

    def fault(self, case: Case, results: Sequence[bytes | None]) -> str | None:
        """What is wrong with the results of all rounds of a case; None if they are right."""
        if len(results) != len(case.rounds):
            return f"{len(results)} results of {len(case.rounds)} rounds"
        if self.check is not None:
            return self.check(case, results)
        if self.expected is None or self.result is None:
            written = [index for index, result in enumerate(results, 1) if result is not None]
            return f"round {written[0]} has a result" if written else None
        kind = parse_type(self.result)
        for number, (raw, value) in enumerate(zip(results, self.expected(case), strict=True), 1):
            if raw is None:
                return f"round {number} has no result"
            found = decode(kind, raw)
            if not same(kind, found, value, tolerance=self.tolerance):
                return f"round {number}: {_short(found)}, expected {_short(value)}"
        return None


def same(kind: TypeKind, found: Value, expected: Value, *, tolerance: float) -> bool:
    """Whether two decoded values are equal, floats within the tolerance and sets in any order."""
    if isinstance(kind, kinds.Sequence) and kind.distinct:
        return _multiset(found) == _multiset(expected)
    return _alike(found, expected, tolerance)


def _alike(found: object, expected: object, tolerance: float) -> bool:
    if isinstance(found, float) and isinstance(expected, int | float):
        if math.isnan(found) or math.isnan(expected):
            return math.isnan(found) and math.isnan(expected)
        return abs(found - expected) <= tolerance * max(1.0, abs(expected)) or found == expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            _alike(value, expected[key], tolerance) for key, value in found.items()
        )
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(
            _alike(a, b, tolerance) for a, b in zip(found, expected, strict=True)
        )
    return found == expected


def _multiset(items: object) -> list[str]:
    assert isinstance(items, list | tuple)
    return sorted(map(repr, items))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
