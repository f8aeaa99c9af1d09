from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexico_city.privacy.budget import Budget, Loss

_DECIMALS = st.decimals(0, 1000, places=6).map(Fraction)
_PRICES = st.builds(Loss, st.decimals("0.000001", 5, places=6).map(Fraction), _DECIMALS)


@given(st.builds(Loss, _DECIMALS, _DECIMALS), _PRICES)
def test_no_more_than_the_total_is_ever_spent(total, price):
    budget = Budget(total, price)
    while budget.suffices and budget.spent.epsilon < 50 * price.epsilon:
        budget = budget.pay()
        assert budget.spent.within(total)
        assert budget.spent + budget.left == total


@given(_PRICES, st.integers(1, 50))
def test_a_total_of_so_many_releases_is_for_exactly_so_many(price, releases):
    budget = Budget(Loss(price.epsilon * releases, price.delta * releases), price)
    for _ in range(releases):
        assert budget.suffices
        budget = budget.pay()
    assert not budget.suffices
    assert budget.left == Loss(Fraction(0))


@pytest.mark.parametrize(
    ("total", "price"),
    [
        (Loss(Fraction(1)), Loss(Fraction("0.6"), Fraction("0.1"))),
        (Loss(Fraction("0.5"), Fraction(1)), Loss(Fraction("0.6"), Fraction("0.1"))),
    ],
)
def test_a_release_must_fit_in_epsilon_and_in_delta(total, price):
    assert not Budget(total, price).suffices
