"""How much noise a loss of privacy asks for: the scale of Laplace, the variance of Gaussian.

The variance comes by way of zero-concentrated differential privacy: noise of variance v on integers
of L2 sensitivity s is rho-zCDP with rho = s² / 2v, and that is (epsilon, delta)-private for
epsilon = rho + 2 sqrt(rho ln(1/delta)). Each rounding here makes the variance greater, never less.

Sources: Bun, Steinke (2016), Proposition 1.3; Canonne, Kamath, Steinke (2020), Theorem 4.
"""

from fractions import Fraction
from math import isqrt
from typing import Final

from mexico_city.privacy.budget import Loss

_BITS: Final = 64
"""Binary places of what is rounded."""

_UNIT: Final = 1 << _BITS


def laplace_scale(loss: Loss, sensitivity: Fraction) -> Fraction:
    """The scale of Laplace noise on integers of this L1 sensitivity, for this epsilon."""
    return sensitivity / loss.epsilon


def gaussian_variance(loss: Loss, sensitivity: Fraction) -> Fraction:
    """A variance of Gaussian noise on integers of this L2 sensitivity that is enough for a loss.

    Args:
        loss: both epsilon and delta above 0, and delta below 1.
        sensitivity: above 0.
    """
    logarithm = _logarithm_above(1 / loss.delta)
    # The rho whose epsilon is the loss's is (sqrt(log + epsilon) - sqrt(log))²; this is the same
    # without a difference of roots, in which roundings would go astray.
    roots = _root_above(logarithm + loss.epsilon) + _root_above(logarithm)
    rho = (loss.epsilon / roots) ** 2
    return _rounded_up(sensitivity * sensitivity / (2 * rho))


def _rounded_up(number: Fraction) -> Fraction:
    return Fraction(-(-number.numerator * _UNIT // number.denominator), _UNIT)


def _root_above(number: Fraction) -> Fraction:
    """A little more than the square root."""
    scaled = -(-number.numerator * _UNIT * _UNIT // number.denominator)
    return Fraction(isqrt(scaled) + 1, _UNIT)


def _logarithm_above(number: Fraction) -> Fraction:
    """A little more than the natural logarithm of a number of at least 1."""
    # The logarithm is at most that to base 2; between 0 and that, halve until it is narrow.
    low, high = 0, (number.numerator // number.denominator).bit_length() * _UNIT
    while high - low > 1:
        middle = (low + high) // 2
        if _exponential_below(Fraction(middle, _UNIT)) >= number:
            high = middle
        else:
            low = middle
    return Fraction(high, _UNIT)


def _exponential_below(number: Fraction) -> Fraction:
    """A little less than the exponential of a number that is not negative: its series, cut."""
    places = 2 * _BITS
    term = total = 1 << places
    count = 0
    while term:
        count += 1
        term = term * number.numerator // (number.denominator * count)
        total += term
    return Fraction(total, 1 << places)
