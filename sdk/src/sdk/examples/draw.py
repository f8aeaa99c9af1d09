"""Numbers drawn from a seed, the same on every machine and every Python.

Only `Random.random()` is used, the one method whose sequence Python promises to keep, and
arithmetic that IEEE 754 defines to the last bit: no logarithm, no sine.
"""

from collections.abc import MutableSequence, Sequence
from random import Random
from typing import TypeVar

_T = TypeVar("_T")


def seeded(seed: int) -> Random:
    """A source of numbers; for sample data, never for secrets."""
    return Random(seed)  # noqa: S311 - sample data


def whole(random: Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(random.random() * (high - low + 1))


def uniform(random: Random, low: float, high: float) -> float:
    """A number from `low` up to `high`."""
    return low + random.random() * (high - low)


def normal(random: Random, deviation: float) -> float:
    """Nearly a normal variate around 0: the sum of twelve uniform ones (within 6 deviations)."""
    total = -6.0
    for _ in range(12):
        total += random.random()
    return total * deviation


def pick(random: Random, choices: Sequence[_T]) -> _T:
    """One of them."""
    return choices[int(random.random() * len(choices))]


def shuffle(random: Random, items: MutableSequence[_T]) -> None:
    """Bring the items into another order, in place (Fisher and Yates)."""
    for last in range(len(items) - 1, 0, -1):
        other = int(random.random() * (last + 1))
        items[last], items[other] = items[other], items[last]
