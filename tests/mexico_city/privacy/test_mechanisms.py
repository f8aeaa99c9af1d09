import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexico_city.privacy.budget import Loss
from mexico_city.privacy.mechanisms import gaussian_variance, laplace_scale

_EPSILONS = st.fractions(Fraction(1, 1000), 20, max_denominator=1000)
_DELTAS = st.integers(1, 30).map(lambda power: Fraction(1, 10**power))
_SENSITIVITIES = st.fractions(Fraction(1, 100), 1000, max_denominator=100)


def _epsilon_of(variance, sensitivity, delta):
    """The epsilon of Gaussian noise, in floats."""
    rho = sensitivity**2 / (2 * variance)
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


@given(_EPSILONS, _SENSITIVITIES)
def test_laplace_noise_is_scaled_exactly(epsilon, sensitivity):
    assert laplace_scale(Loss(epsilon), sensitivity) * epsilon == sensitivity


@given(_EPSILONS, _DELTAS, _SENSITIVITIES)
def test_gaussian_noise_is_enough_and_hardly_more(epsilon, delta, sensitivity):
    variance = gaussian_variance(Loss(epsilon, delta), sensitivity)
    found = _epsilon_of(float(variance), float(sensitivity), float(delta))
    assert found <= float(epsilon) * (1 + 1e-9)
    assert found >= float(epsilon) * (1 - 1e-6)


@given(_EPSILONS, _DELTAS, _SENSITIVITIES)
def test_roundings_never_take_from_the_variance(epsilon, delta, sensitivity):
    variance = gaussian_variance(Loss(epsilon, delta), sensitivity)
    # ln(1/delta) from below, by log 10 cut after 30 digits, and roots from above and below by it:
    # what is enough for the exact epsilon must be no more than what we take.
    ten = Fraction(2302585092994045684017991454684, 10**30)
    logarithm = ten * (len(str(delta.denominator)) - 1)
    scale = 10**40
    root = Fraction(math.isqrt(int(logarithm * scale**2)), scale)
    longer = Fraction(math.isqrt(int((logarithm + epsilon) * scale**2)), scale)
    least = sensitivity**2 * (longer + root) ** 2 / (2 * epsilon**2)
    assert variance >= least


@given(_EPSILONS, st.integers(1, 300).map(lambda power: Fraction(1, 10**power)))
def test_the_variance_is_within_roundings_of_the_exact_one(epsilon, delta):
    # Roots and logarithm are rounded up by at most a few units of 2**-64 each.
    variance = gaussian_variance(Loss(epsilon, delta), Fraction(1))
    with localcontext() as precise:
        precise.prec = 80
        logarithm = -(Decimal(delta.numerator) / delta.denominator).ln()
        exactly = Decimal(epsilon.numerator) / epsilon.denominator
        roots = (logarithm + exactly).sqrt() + logarithm.sqrt()
        found = Decimal(variance.numerator) / variance.denominator
        excess = found / (roots**2 / (2 * exactly**2)) - 1
    assert 0 <= excess <= Decimal(2) ** -58


# --- against OpenDP, whose sampler is exact too ---------------------------------------------------


@pytest.fixture(scope="module")
def opendp():
    import opendp.prelude  # noqa: PLC0415 - large, and for these tests alone

    opendp.prelude.enable_features("contrib")
    return opendp.prelude


def _over_integers(opendp):
    return opendp.atom_domain(T=int), opendp.absolute_distance(T=int)


@pytest.mark.parametrize("epsilon", ["0.01", "0.5", "1", "3"])
@pytest.mark.parametrize("sensitivity", [1, 3])
def test_opendp_finds_that_laplace_noise_of_our_scale_has_our_epsilon(opendp, epsilon, sensitivity):
    scale = laplace_scale(Loss(Fraction(epsilon)), Fraction(sensitivity))
    theirs = opendp.m.make_laplace(*_over_integers(opendp), scale=float(scale))
    assert theirs.map(sensitivity) == pytest.approx(float(epsilon))


@pytest.mark.parametrize("epsilon", ["0.01", "0.5", "1", "3"])
@pytest.mark.parametrize("delta", ["0.00001", "0.000000000001"])
@pytest.mark.parametrize("sensitivity", [1, 3])
def test_opendp_finds_that_gaussian_noise_of_our_variance_is_enough(
    opendp, epsilon, delta, sensitivity
):
    loss = Loss(Fraction(epsilon), Fraction(delta))
    variance = gaussian_variance(loss, Fraction(sensitivity))
    theirs = opendp.m.make_gaussian(*_over_integers(opendp), scale=math.sqrt(variance))
    assert theirs.map(sensitivity) == pytest.approx(sensitivity**2 / (2 * float(variance)))
    found = opendp.c.make_zCDP_to_approxDP(theirs).map(sensitivity).epsilon(float(delta))
    # Theirs goes by the tighter conversion of 2020, which finds as little as half.
    assert 0.5 * float(epsilon) <= found <= float(epsilon)
