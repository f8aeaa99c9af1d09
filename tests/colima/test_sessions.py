"""How many sessions each principal may have, and what places a bridge needs for them."""

import pytest

from colima.isolate import MAX_PLACES, places_for, sessions_each, sessions_of_isolate


@pytest.mark.parametrize(
    ("principals", "each", "places"),
    [(1, 16, 32), (3, 16, 64), (159, 16, 2560), (160, 15, 2415), (1279, 2, 2560), (2559, 1, 2560)],
)
def test_each_has_as_many_as_the_places_allow(principals, each, places):
    assert (sessions_each(principals), places_for(principals)) == (each, places)


def test_all_principals_together_leave_places_for_who_is_shaking_hands():
    for principals in range(1, MAX_PLACES):
        each = sessions_each(principals)
        assert each >= 1
        assert principals * each + each <= places_for(principals) <= MAX_PLACES
        assert places_for(principals) + 64 <= sessions_of_isolate(principals)


def test_a_policy_of_more_principals_than_places_gets_all_of_them():
    assert (sessions_each(5000), places_for(5000)) == (1, MAX_PLACES)
