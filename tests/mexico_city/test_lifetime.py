"""When the end of an isolate is due, by two clocks."""

from datetime import timedelta

import pytest

from colima.isolate import IsolateExit
from mexico_city.lifetime import Lifetime, ending_of
from support.computations import policy
from support.policies import NOW
from veracruz_utils.policy import Limits

START = 1000.0
TERM = policy([["PiProvider", "ResultReader"]]).expires_at - NOW
SECOND = timedelta(seconds=1)


@pytest.fixture
def lifetime() -> Lifetime:
    agreed = policy(
        [["PiProvider", "ResultReader"]], limits={"idle_seconds": 60, "detached_seconds": 600}
    )
    return Lifetime(agreed, wall=NOW, now=START)


@pytest.mark.parametrize(
    ("wall", "elapsed", "expired"),
    [
        (timedelta(), timedelta(), False),
        (TERM - SECOND, TERM - SECOND, False),
        (TERM, TERM, True),
        (TERM, SECOND, True),
        (TERM + SECOND, SECOND, True),  # slept meanwhile, or the clock was set right
        (-TERM, TERM, True),  # the clock was set back: that prolongs nothing
        (-TERM, TERM - SECOND, False),
    ],
)
def test_it_expires_by_whichever_clock_is_there_first(lifetime, wall, elapsed, expired):
    now = START + elapsed.total_seconds()
    assert lifetime.expired(wall=NOW + wall, now=now) is expired


def test_what_remains_is_never_negative(lifetime):
    assert lifetime.remaining_s(START + 1) == TERM.total_seconds() - 1
    assert lifetime.remaining_s(START + TERM.total_seconds() + 5) == 0


def test_its_patience_begins_anew_with_every_use(lifetime):
    assert not lifetime.idled(in_use=False, now=START + 59)
    assert not lifetime.idled(in_use=True, now=START + 59.5)
    assert not lifetime.idled(in_use=False, now=START + 119)
    assert lifetime.idled(in_use=False, now=START + 119.5)


def test_its_patience_begins_with_it(lifetime):
    assert lifetime.idled(in_use=False, now=START + 60)


def test_it_waits_for_another_bridge_from_when_one_was_there_last(lifetime):
    assert not lifetime.abandoned(attached=True, now=START + 5000)
    assert not lifetime.abandoned(attached=False, now=START + 5599)
    assert lifetime.abandoned(attached=False, now=START + 5600)


def test_a_policy_may_let_it_wait_for_no_bridge_at_all():
    agreed = policy([["PiProvider", "ResultReader"]], limits={"detached_seconds": 0})
    lifetime = Lifetime(agreed, wall=NOW, now=START)
    assert not lifetime.abandoned(attached=True, now=START)
    assert lifetime.abandoned(attached=False, now=START)


def test_a_policy_that_says_nothing_waits_for_a_day():
    assert Limits().idle_seconds == 24 * 3600


def test_its_end_is_named_with_the_time_of_the_policy():
    agreed = policy([["PiProvider", "ResultReader"]])
    assert ending_of(agreed, IsolateExit.EXPIRED) == "the policy expired at 2026-12-31T23:59:59Z"
    assert ending_of(agreed, IsolateExit.QUORUM) == "every result reader asked for shutdown"
