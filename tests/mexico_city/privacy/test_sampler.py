"""The noise, held against its exact distribution by Pearson's test.

The seeds are fixed, so a test here passes always or never. `_Z` is a bound that a right sampler
misses for one seed in a thousand million; that the tests would notice a wrong one is tested too.
"""

import math
from fractions import Fraction
from random import Random

import pytest

from mexico_city.privacy.sampler import Sampler
from platform_services import ServiceUnavailableError

_DRAWS = 20_000
_Z = 6.0


class SeededSource:
    """Random bytes that are the same for the same seed."""

    def __init__(self, seed):
        self._random = Random(seed)

    def fill(self, size):
        return self._random.randbytes(size)


def sampler(seed=1):
    return Sampler(SeededSource(seed))


def deviation(drawn, weight):
    """How far the counts of `drawn` are from `weight`'s, in standard deviations.

    Values that are expected fewer than 20 times make one class on each side.
    """
    total = math.fsum(map(weight, range(-3000, 3001)))
    expected = {x: len(drawn) * weight(x) / total for x in range(-3000, 3001)}
    kept = [x for x, count in expected.items() if count >= 20]
    least, most = min(kept), max(kept)
    classes = dict.fromkeys(kept, 0.0) | {least - 1: 0.0, most + 1: 0.0}
    counts = dict.fromkeys(classes, 0)
    for x, count in expected.items():
        classes[min(max(x, least - 1), most + 1)] += count
    for x in drawn:
        counts[min(max(x, least - 1), most + 1)] += 1
    squares = math.fsum((counts[x] - count) ** 2 / count for x, count in classes.items() if count)
    freedom = len([count for count in classes.values() if count]) - 1
    # Wilson and Hilferty: the cube root of such a sum is close to normal.
    spread = 2 / (9 * freedom)
    return ((squares / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


def laplace_weight(scale):
    return lambda x: math.exp(-abs(x) / scale)


def gaussian_weight(variance):
    return lambda x: math.exp(-x * x / (2 * variance))


SCALES = [Fraction(1, 3), Fraction(1), Fraction(20, 3), Fraction(50)]
VARIANCES = [Fraction(1, 5), Fraction(1), Fraction(29, 2), Fraction(400)]


@pytest.mark.parametrize("scale", SCALES)
def test_laplace_noise_has_its_exact_distribution(scale):
    draw = sampler()
    assert deviation([draw.laplace(scale) for _ in range(_DRAWS)], laplace_weight(scale)) < _Z


@pytest.mark.parametrize("variance", VARIANCES)
def test_gaussian_noise_has_its_exact_distribution(variance):
    draw = sampler()
    assert (
        deviation([draw.gaussian(variance) for _ in range(_DRAWS)], gaussian_weight(variance)) < _Z
    )


@pytest.mark.parametrize("scale", SCALES[1:])
def test_a_tenth_less_laplace_noise_would_be_noticed(scale):
    draw = sampler()
    drawn = [draw.laplace(scale * Fraction(9, 10)) for _ in range(_DRAWS)]
    assert deviation(drawn, laplace_weight(scale)) > _Z


def test_a_rounded_normal_number_would_be_noticed():
    random = Random(1)
    drawn = [round(random.gauss(0, 1)) for _ in range(_DRAWS)]
    assert deviation(drawn, gaussian_weight(Fraction(1))) > _Z


def test_laplace_noise_that_counts_zero_twice_would_be_noticed():
    random = Random(1)
    draw = sampler()
    drawn = [abs(draw.laplace(Fraction(3))) * random.choice([1, -1]) for _ in range(_DRAWS)]
    drawn += [0] * (drawn.count(0))
    assert deviation(drawn, laplace_weight(3)) > _Z


@pytest.mark.parametrize("exponent", [Fraction(0), Fraction(1, 7), Fraction(1), Fraction(9, 4)])
def test_an_exponential_is_true_as_often_as_it_should_be(exponent):
    draw = sampler(2)
    probability = math.exp(-exponent)
    found = sum(draw.bernoulli_exp(exponent) for _ in range(_DRAWS))
    spread = math.sqrt(_DRAWS * probability * (1 - probability))
    assert abs(found - _DRAWS * probability) <= _Z * spread


@pytest.mark.parametrize("bound", [1, 2, 3, 255, 256, 257, 1000])
def test_a_number_below_a_bound_is_as_likely_as_any_other(bound):
    draw = sampler(3)
    counts = [0] * bound
    for _ in range(30 * bound):
        counts[draw.below(bound)] += 1
    squares = sum((count - 30) ** 2 / 30 for count in counts)
    assert squares <= bound - 1 + _Z * math.sqrt(2 * bound)


def test_a_number_below_a_bound_is_made_of_the_bytes_it_needs_by_rejection():
    class Listed:
        def fill(self, size):
            return (bytes([0b1110_0000, 0b1010_0000, 0b0100_0000]) + bytes(size))[:size]

    # Three bits below 5: 7 is refused, 5 is refused, 2 is taken.
    assert Sampler(Listed()).below(5) == 2


def test_without_random_bytes_there_is_no_noise():
    class Empty:
        def fill(self, size):
            raise ServiceUnavailableError("none now")

    with pytest.raises(ServiceUnavailableError):
        Sampler(Empty()).laplace(Fraction(1))
