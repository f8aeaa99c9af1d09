"""`frozen` makes what `dataclass(frozen=True, slots=True)` makes."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import KW_ONLY, dataclass, field

import pytest

from veracruz_utils.frozen import frozen


class Plain:
    """A base without slots of its own."""

    __slots__ = ()


class Fields:
    """What both make a class of, and its name."""

    first: int
    second: bytes = field(repr=False)
    third: str = "3"
    fourth: list[int] = field(default_factory=list, compare=False)
    _: KW_ONLY
    fifth: float = 5.0


def declared(decorator):
    names = {"__annotations__": dict(Fields.__annotations__), "__doc__": "A value."}
    names |= {"second": field(repr=False), "third": "3", "fifth": 5.0}
    names |= {"fourth": field(default_factory=list, compare=False)}
    return decorator(type("Declared", (Plain,), names))


OURS, THEIRS = declared(frozen), declared(dataclass(frozen=True, slots=True))
GIVEN = (
    ((1, b"2"), {}),
    ((1, b"2", "x", [4]), {"fifth": 6.0}),
    ((), {"second": b"", "first": 0, "fourth": []}),
)


@frozen
class Nothing:
    """A value without fields."""


@frozen
class Single:
    """A value that refuses negative numbers."""

    number: float

    def __post_init__(self):
        if self.number < 0:
            raise ValueError("less than nothing")

    def __repr__(self):
        return "<single>"


@frozen
class Pair(Single):
    """A value with what its base has."""

    other: int = 2


@pytest.mark.parametrize(("positional", "named"), GIVEN)
def test_a_value_has_the_fields_and_the_text_that_a_dataclass_has(positional, named):
    ours, theirs = OURS(*positional, **named), THEIRS(*positional, **named)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs)
    assert OURS.__match_args__ == THEIRS.__match_args__
    assert OURS.__slots__ == THEIRS.__slots__
    assert not hasattr(ours, "__dict__")


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ((), {}),
        ((1,), {}),
        ((1, b"", "", [], 5.0), {}),
        ((1, b""), {"sixth": 6}),
        ((1,), {"first": 1}),
    ],
)
def test_arguments_are_refused_in_the_words_of_a_dataclass(positional, named):
    with pytest.raises(TypeError) as theirs:
        THEIRS(*positional, **named)
    with pytest.raises(TypeError) as ours:
        OURS(*positional, **named)
    assert str(ours.value) == str(theirs.value)


def test_the_signature_is_that_of_a_dataclass():
    ours, theirs = (inspect.signature(cls) for cls in (OURS, THEIRS))
    assert list(ours.parameters) == list(theirs.parameters)
    for mine, other in zip(ours.parameters.values(), theirs.parameters.values(), strict=True):
        assert (mine.kind, mine.annotation) == (other.kind, other.annotation)
        assert (mine.default is mine.empty) == (other.default is other.empty)


def test_values_are_equal_when_the_fields_that_count_are_and_the_class_is():
    assert OURS(1, b"2", fourth=[1]) == OURS(1, b"2", fourth=[2])
    assert hash(OURS(1, b"2", fourth=[1])) == hash(OURS(1, b"2", fourth=[2]))
    assert OURS(1, b"2") != OURS(1, b"3")
    assert OURS(1, b"2") != OURS(1, b"2", fifth=6.0)
    assert OURS(1, b"2") != THEIRS(1, b"2")
    assert Pair(1, 2) != Single(1)
    assert Single(1) == Single(1.0)
    assert Single(1) != Single(2)
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
    assert Nothing() != ()


def test_a_value_equals_itself_whatever_is_in_it():
    never = float("nan")
    assert Single(never) == Single(never)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Pair(1, []))


@pytest.mark.parametrize("name", ["first", "fourth", "sixth", "__class__"])
def test_nothing_of_a_value_changes(name):
    made = OURS(1, b"2")
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(made, name, 3)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(made, name)
    assert made == OURS(1, b"2")


def test_each_value_has_a_default_of_its_own_where_one_is_made():
    one, other = OURS(1, b"2"), OURS(1, b"2")
    assert one.fourth == other.fourth == []
    assert one.fourth is not other.fourth


def test_what_a_class_defines_itself_stays():
    assert repr(Single(1)) == "<single>"
    with pytest.raises(ValueError, match="less than nothing"):
        Single(-1)
    with pytest.raises(ValueError, match="less than nothing"):
        Pair(-1)


def test_values_are_matched_replaced_copied_and_pickled():
    pair = Pair(1, 3)
    match pair:
        case Pair(number, other):
            assert (number, other) == (1, 3)
    assert dataclasses.replace(pair, other=4) == Pair(1, 4)
    assert copy.copy(pair) == copy.deepcopy(pair) == pair
    assert pickle.loads(pickle.dumps(pair)) == pair
