"""When a connection is opened again, how long that is tried, what ends it; without a network."""

import time

import pytest

from durango.errors import HaltedError
from durango.halt import Halt
from durango.lifeline import Lifeline
from jalisco import SessionError, SessionLostError


class Wire:
    """A connection that nothing is sent over."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Impatient(Halt):
    """Notes the waits in place of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


class World:
    def __init__(self, *, patience_s=1000.0, timeout_s=30.0, over=False) -> None:
        self.halt = Impatient()
        self.wires: list[Wire] = []
        self.timeouts: list[float] = []
        self.notices: list[str] = []
        self.lifeline = Lifeline(
            self._open, timeout_s=timeout_s, patience_s=patience_s, notice=self.notices.append,
            is_over=lambda: over, halt=self.halt,
        )  # fmt: skip

    def _open(self, timeout_s):
        self.timeouts.append(timeout_s)
        self.wires.append(Wire())
        return self.wires[-1]

    def breaking(self, times):
        """What breaks so many connections, and then tells which one it was given."""
        left = [times]

        def act(wire):
            if left[0]:
                left[0] -= 1
                raise SessionLostError("cut")
            return self.wires.index(wire)

        return act


def test_waits_grow_to_a_bound_and_each_connection_that_broke_is_closed():
    world = World()
    assert world.lifeline.persist(world.breaking(9)) == 9
    assert world.halt.waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert [each.closed for each in world.wires] == [1] * 9 + [0]
    (notice,) = world.notices
    assert notice == "connection lost, trying again for 1000 s (cut)"


def test_a_new_connection_has_the_time_that_is_left_but_never_none():
    world = World(patience_s=10.0)
    world.lifeline.persist(world.breaking(1))
    assert world.timeouts[0] == 30.0
    assert 1.0 <= world.timeouts[1] <= 10.0
    short = World(patience_s=0.5)
    short.lifeline.persist(short.breaking(1))
    assert short.timeouts == [30.0, 1.0]


@pytest.mark.parametrize("terms", [{"patience_s": 0.0}, {"patience_s": 0.05}, {"over": True}])
def test_without_patience_or_anybody_to_come_back_a_break_is_final(terms):
    world = World(**terms)
    with pytest.raises(SessionLostError):
        world.lifeline.persist(world.breaking(1))
    assert world.halt.waits == []
    assert [each.closed for each in world.wires] == [1]


def test_patience_begins_anew_with_whatever_has_come_further(monkeypatch):
    world = World(patience_s=10.0)
    reached, now = [0], [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def act(_):
        if reached[0] == 5:
            return "done"
        now[0] += 9.0
        reached[0] += 1
        raise SessionLostError("cut")

    assert world.lifeline.persist(act, position=lambda: reached[0]) == "done"
    assert world.halt.waits == [0.1] * 5


def test_what_is_closed_is_not_opened_again():
    world = World()
    world.lifeline.close()
    world.lifeline.close()
    assert [each.closed for each in world.wires] == [2]
    with pytest.raises(SessionLostError):
        world.lifeline.persist(world.breaking(1))
    assert (len(world.wires), world.halt.waits) == (1, [])


def test_who_closes_it_in_between_finds_it_closed():
    world = World()

    def act(_):
        world.lifeline._let_go()
        world.lifeline.close()
        return world.lifeline.once(lambda _: None)

    with pytest.raises(SessionError, match="the session is closed"):
        world.lifeline.once(act)
    assert len(world.wires) == 1


def test_a_halt_comes_before_everything_and_tells_why_something_failed():
    world = World()
    done = []
    world.halt.engage()
    with pytest.raises(HaltedError):
        world.lifeline.once(lambda _: done.append(1))
    assert done == []
    other = World()

    def act(_):
        other.halt.engage()
        raise SessionLostError("cut by the halt")

    with pytest.raises(HaltedError):
        other.lifeline.persist(act)
    assert other.halt.waits == []


def test_that_it_is_there_again_is_told_once():
    world = World()
    world.lifeline.found("READY")
    world.lifeline.persist(world.breaking(2))
    world.lifeline.found()
    world.lifeline.found()
    world.lifeline.found("DONE")
    lost = "connection lost, trying again for 1000 s (cut)"
    assert world.notices == ["READY", lost, "connected again", "DONE"]
