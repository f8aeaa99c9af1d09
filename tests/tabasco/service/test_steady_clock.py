"""A clock that is set back while the service runs makes nothing believed again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabasco.errors import ClockError
from tabasco.service.steady_clock import SteadyClock

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = 3600.0


class Machine:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self):
        self.wall, self.boot = START, 5000.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.boot)

    def passes(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.boot += seconds


def test_time_is_that_of_the_machine():
    machine = Machine()
    machine.passes(9 * HOUR)
    assert machine.clock() == START + timedelta(hours=9)


def test_what_went_back_is_refused_until_it_is_right_again():
    machine = Machine()
    machine.passes(9 * HOUR)
    machine.wall = START + timedelta(hours=7, minutes=59)
    with pytest.raises(ClockError, match="set the clock"):
        machine.clock()
    machine.passes(HOUR)
    with pytest.raises(ClockError):
        machine.clock()
    machine.wall = START + timedelta(hours=10)
    assert machine.clock() == machine.wall


def test_a_clock_that_was_ahead_for_a_while_is_believed_when_it_is_right_again():
    machine = Machine()
    machine.wall += timedelta(days=30000)
    assert machine.clock() == machine.wall
    machine.wall = START
    assert machine.clock() == START


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6)), max_size=8))
def test_it_is_never_more_than_an_hour_late(steps):
    machine = Machine()
    for passed, step in steps:
        machine.passes(passed)
        machine.wall += timedelta(seconds=step)
        least = START + timedelta(seconds=machine.boot - 5000.0 - HOUR)
        try:
            assert machine.clock() >= least
        except ClockError:
            assert machine.wall < least


def test_by_itself_it_is_now():
    before = datetime.now(UTC)
    assert before <= SteadyClock()() <= datetime.now(UTC)
