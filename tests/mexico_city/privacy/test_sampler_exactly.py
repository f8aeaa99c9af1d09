"""Each step of the noise from all ways that the step below it can fall, by their probabilities.

The most probable ways are taken until hardly any is left. A way that leads back to where it began
is not gone again: it shares out its probability among the others.
"""

import heapq
import math
from collections import defaultdict
from contextlib import suppress
from fractions import Fraction

import pytest

from mexico_city.privacy.sampler import Sampler

_LEFT = 1e-5


class BeginAgainError(Exception):
    """A draw that begins once more."""


class Numbers(Sampler):
    """Numbers fall as they are told, then as is likely; keeps how else they could have fallen."""

    def __init__(self, told):
        super().__init__(source=None)
        self._told = told
        self._fell = ()
        self.probability = 1.0
        self.others = []

    def below(self, bound):
        return self._fall([(number, 1 / bound) for number in range(bound)])

    def _begin(self):
        if self._fell:
            raise BeginAgainError

    def _fall(self, possible):
        if len(self._fell) < len(self._told):
            chosen = self._told[len(self._fell)]
        else:
            chosen = max(range(len(possible)), key=lambda index: possible[index][1])
            self.others += [
                (-self.probability * share, (*self._fell, index))
                for index, (_, share) in enumerate(possible)
                if index != chosen and share
            ]
        value, share = possible[chosen]
        self._fell += (chosen,)
        self.probability *= share
        return value


class Events(Numbers):
    """So do events of a probability."""

    def bernoulli(self, probability):
        assert 0 <= probability <= 1
        return self._event(float(probability))

    def _event(self, probability):
        return self._fall([(True, probability), (False, 1 - probability)])


class Exponentials(Events):
    """So do events of the probability of an exponential; a number is where a draw begins."""

    def below(self, bound):
        self._begin()
        return super().below(bound)

    def bernoulli_exp(self, exponent):
        assert exponent >= 0
        return self._event(math.exp(-exponent))


class Laplace(Exponentials):
    """So does noise of the simpler kind."""

    def laplace(self, scale):
        self._begin()
        values = range(-60, 61)
        weights = [math.exp(-abs(value) / scale) for value in values]
        return self._fall([(v, w / sum(weights)) for v, w in zip(values, weights, strict=True)])


def agrees(ways, draw, expected):
    """Whether what is drawn has the expected probabilities."""
    found = defaultdict(float)
    left, waiting = 1.0, [(-1.0, ())]
    while left > _LEFT and waiting:
        each = ways(heapq.heappop(waiting)[1])
        with suppress(BeginAgainError):
            found[draw(each)] += each.probability
        left -= each.probability
        for other in each.others:
            heapq.heappush(waiting, other)
    ended = sum(found.values())
    return all(
        abs(expected.get(value, 0) - found[value] / ended) <= _LEFT * 4
        for value in {*found, *expected}
    )


def of_weights(weight):
    values = range(-60, 61)
    total = math.fsum(map(weight, values))
    return {value: weight(value) / total for value in values}


def laplace(scale):
    return of_weights(lambda value: math.exp(-abs(value) / scale))


def fractions(*values):
    return [Fraction(each) for each in values]


@pytest.mark.parametrize("probability", fractions("0", "1/7", "1/2", "5/6", "1"))
def test_an_event_is_as_probable_as_is_asked(probability):
    expected = {True: float(probability), False: float(1 - probability)}
    assert agrees(Numbers, lambda ways: ways.bernoulli(probability), expected)


@pytest.mark.parametrize("exponent", fractions("0", "1/7", "1", "8/7", "2", "9/4"))
def test_an_exponential_is_as_probable_as_it_is(exponent):
    probability = math.exp(-exponent)
    expected = {True: probability, False: 1 - probability}
    assert agrees(Events, lambda ways: ways.bernoulli_exp(exponent), expected)


@pytest.mark.parametrize("scale", fractions("1/3", "2/3", "1", "3/2", "3"))
def test_laplace_noise_is_made_of_exponentials(scale):
    assert agrees(Exponentials, lambda ways: ways.laplace(scale), laplace(scale))


@pytest.mark.parametrize("variance", fractions("1/5", "1", "5/2", "9"))
def test_gaussian_noise_is_made_of_laplace_noise(variance):
    expected = of_weights(lambda value: math.exp(-value * value / (2 * variance)))
    assert agrees(Laplace, lambda ways: ways.gaussian(variance), expected)


def test_a_wrong_distribution_would_be_noticed():
    scale = Fraction(3, 2)
    assert not agrees(Exponentials, lambda ways: abs(ways.laplace(scale)), laplace(scale))
    assert not agrees(Exponentials, lambda ways: ways.laplace(scale), laplace(scale * 1001 / 1000))


class Counted:
    """Bytes that count up, and how many are asked for at a time."""

    def __init__(self):
        self.asked = []
        self.given = 0

    def fill(self, size):
        self.asked.append(size)
        first, self.given = self.given, self.given + size
        return bytes(each % 256 for each in range(first, self.given))


def test_each_byte_is_used_once_and_none_is_asked_for_early():
    source = Counted()
    draw = Sampler(source)
    assert [draw.below(256) for _ in range(1024)] == [each % 256 for each in range(1024)]
    assert source.asked == [1024]
    assert draw.below(1) == 0
    assert source.asked == [1024]
    assert draw.below(65536) == 1
    assert source.asked == [1024, 1024]


def test_a_number_may_want_more_bytes_than_are_asked_for_at_a_time():
    source = Counted()
    number = Sampler(source).below(1 << (8 * 2000))
    assert number == int.from_bytes(each % 256 for each in range(2000))
    assert source.asked == [2000]


@pytest.mark.parametrize(
    ("bound", "data", "number"),
    [
        (2, b"\x7f", 0),
        (2, b"\x80", 1),
        (256, b"\xff", 255),
        (257, b"\x7f\xff", 255),
        (257, b"\x80\x00", 256),
        (257, b"\x80\x80\x00\x80", 1),
    ],
)
def test_a_number_is_the_first_bits_of_the_bytes_it_needs(bound, data, number):
    class Listed:
        def fill(self, size):
            return data.ljust(size, b"\xff")

    assert Sampler(Listed()).below(bound) == number
