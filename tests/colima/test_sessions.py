"""How many sessions each principal may have, and what places a bridge needs for them."""

import pytest

from colima.isolate import MAX_PLACES, places_for, sessions_each


@pytest.mark.parametrize(
    ("principals", "each", "places"),
    [(1, 16, 32), (3, 16, 64), (11, 16, 192), (12, 15, 195), (99, 2, 200), (199, 1, 200)],
)
def test_each_has_as_many_as_the_places_allow(principals, each, places):
    assert (sessions_each(principals), places_for(principals)) == (each, places)


def test_all_principals_together_leave_places_for_who_is_shaking_hands():
    for principals in range(1, MAX_PLACES):
        each = sessions_each(principals)
        assert each >= 1
        assert principals * each + each <= places_for(principals) <= MAX_PLACES


def test_a_policy_of_more_principals_than_places_gets_all_of_them():
    assert (sessions_each(5000), places_for(5000)) == (1, MAX_PLACES)
