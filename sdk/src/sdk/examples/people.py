"""Sample data, the same from the same seed on every machine and every Python.

Only `Random.random()` is used: it is the one method whose sequence Python promises to keep.
"""

import csv
import io
from collections.abc import Iterator, MutableSequence, Sequence
from random import Random
from typing import Final, TypeVar

from sdk.errors import GenerationError
from sdk.examples._names import FAMILY_NAMES, GIVEN_NAMES
from veracruz_utils.frozen import frozen

MAX_PEOPLE: Final = 1_000_000
COLUMNS: Final = ("name", "employee_id", "age", "grade")

_AGES: Final = range(18, 68)
_GRADES: Final = range(1, 13)
_FIRST_ID: Final = 100_000

_T = TypeVar("_T")


@frozen
class Person:
    """One row of a table of people."""

    name: str
    employee_id: str
    age: int
    grade: int


def generate_people(*, seed: int, size: int, overlap: int) -> tuple[list[Person], list[Person]]:
    """Two lists of `size` distinct people each, of which exactly `overlap` are in both.

    Raises:
        GenerationError: the overlap is more than the size, or the size beyond a million.
    """
    if not 0 <= overlap <= size <= MAX_PEOPLE:
        raise GenerationError(
            f"overlap {overlap} and size {size} must be 0 <= overlap <= size <= {MAX_PEOPLE}"
        )
    random = Random(seed)  # noqa: S311 - sample data, not a secret
    people = list(_people(random, 2 * size - overlap))
    _shuffle(random, people)
    first, second = people[:size], people[size - overlap :]
    _shuffle(random, first)
    _shuffle(random, second)
    return first, second


def people_csv(people: Sequence[Person]) -> str:
    """The people as CSV, with a header row."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((one.name, one.employee_id, one.age, one.grade) for one in people)
    return out.getvalue()


def _people(random: Random, count: int) -> Iterator[Person]:
    for index in range(count):
        yield Person(
            name=f"{_pick(random, GIVEN_NAMES)} {_pick(random, FAMILY_NAMES)}",
            employee_id=f"E{_FIRST_ID + index}",
            age=_pick(random, _AGES),
            grade=_pick(random, _GRADES),
        )


def _pick(random: Random, choices: Sequence[_T]) -> _T:
    return choices[int(random.random() * len(choices))]


def _shuffle(random: Random, items: MutableSequence[_T]) -> None:
    """Fisher and Yates."""
    for last in range(len(items) - 1, 0, -1):
        other = int(random.random() * (last + 1))
        items[last], items[other] = items[other], items[last]
