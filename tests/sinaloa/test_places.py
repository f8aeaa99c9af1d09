"""Who keeps a place, and who gives way when all are taken."""

from contextlib import ExitStack

import pytest

from sinaloa.places import GaveWayError, Place, Places
from sinaloa.session import SessionEnd
from veracruz_shells.call_errors import CallError, CallStatus


class Session:
    """What is told that it has to go."""

    def __init__(self) -> None:
        self.why: Exception | None = None

    def cut(self, why: Exception, _: SessionEnd) -> None:
        self.why = why


class Hall:
    """Places that are taken until the test is over."""

    def __init__(self, most: int, stack: ExitStack) -> None:
        self.places = Places(most)
        self._stack = stack

    def take(self, peer: str, *, let_in: bool = False) -> tuple[Place, Session]:
        place = self._stack.enter_context(self.places.place(peer))
        session = Session()
        assert self.places.occupy(place, session)
        if let_in:
            place.let_in = True
        return place, session


@pytest.fixture
def hall():
    with ExitStack() as stack:
        yield Hall(3, stack)


def cut(*sessions: tuple[Place, Session]) -> list[bool]:
    return [isinstance(session.why, GaveWayError) for _, session in sessions]


def test_the_oldest_that_has_not_shaken_hands_gives_way(hall):
    member = hall.take("m", let_in=True)
    first, second = hall.take("a"), hall.take("b")
    third = hall.take("c")
    assert cut(member, first, second, third) == [False, True, False, False]
    assert len(hall.places) == 3


def test_who_has_most_of_them_gives_way_however_new_they_are(hall):
    principal = hall.take("p")
    flood = [hall.take("loud") for _ in range(50)]
    assert cut(principal) == [False]
    assert cut(*flood) == [True] * 48 + [False] * 2


def test_an_address_that_was_let_in_before_gives_way_last(hall):
    with hall.places.place("friend") as place:
        place.let_in = True
    friends = [hall.take("friend"), hall.take("friend")]
    stranger = hall.take("stranger")
    hall.take("another")
    assert cut(*friends, stranger) == [False, False, True]


def test_who_was_let_in_keeps_its_place_and_one_more_is_refused(hall):
    members = [hall.take("m", let_in=True) for _ in range(3)]
    with pytest.raises(CallError, match="3 sessions are open, which is the limit"):
        hall.take("m")
    assert cut(*members) == [False] * 3
    assert len(hall.places) == 3


def test_a_place_is_free_again_when_its_session_is_over():
    places = Places(1)
    for _ in range(3):
        with places.place("m") as place:
            place.let_in = True
            assert len(places) == 1
        assert len(places) == 0


def test_a_session_that_gave_way_before_it_was_there_finds_its_place_gone(hall):
    with hall.places.place("slow") as slow:
        for _ in range(3):
            hall.take("m", let_in=True)
        session = Session()
        assert not hall.places.occupy(slow, session)
        assert len(hall.places) == 3
    assert len(hall.places) == 3


def test_a_peer_is_known_from_the_moment_it_is_let_in(hall):
    place, _ = hall.take("p")
    assert hall.places.sites_beside("p") == 0
    place.let_in = True
    assert hall.places.sites_beside("p") == 1
    assert hall.places.sites_beside("q") == 0


def test_a_peer_that_was_let_in_stays_known():
    places = Places(1)
    with places.place("p") as place:
        place.let_in = True
    with places.place("q"):
        pass
    assert (places.sites_beside("p"), places.sites_beside("q")) == (1, 0)


def test_the_sessions_are_those_that_are_there(hall):
    _, session = hall.take("m", let_in=True)
    with hall.places.place("slow"):
        assert hall.places.sessions() == [session]


def test_who_gave_way_is_told_to_try_again():
    told = GaveWayError()
    assert told.status is CallStatus.RESOURCE_EXHAUSTED
    assert "gave way to another" in str(told)
