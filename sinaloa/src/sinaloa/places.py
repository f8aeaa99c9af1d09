"""The places of a bridge's sessions, and who gives way when all are taken.

A session that the isolate has let in keeps its place. Until then it is a stranger's, which cost
nothing to open: when a new session finds no place, one of these gives way. It is the oldest of the
peer that has most of them, so that who opens hundreds displaces itself and nobody else.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sinaloa.peers import KnownPeers, site_of
from sinaloa.session import BridgeSession, SessionEnd
from veracruz_shells.call_errors import CallError, CallStatus


class GaveWayError(CallError):
    """A session had to give way to another."""

    def __init__(self) -> None:
        super().__init__(
            CallStatus.RESOURCE_EXHAUSTED,
            "the session gave way to another: it had not shaken hands and all places were taken",
        )


class Place:
    """The place of one session.

    Attributes:
        peer: whose it is, as `calls.peer_of` says.
        let_in: whether the isolate has let the session in.
        session: what has the place, once it is there.
    """

    __slots__ = ("__weakref__", "let_in", "peer", "session")

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.let_in = False
        self.session: BridgeSession | None = None


class Places:
    """At most `most` sessions at once; for one thread."""

    def __init__(self, most: int) -> None:
        self._known = KnownPeers()
        self._most = most
        self._taken: dict[Place, None] = {}  # a set in order of arrival

    def __len__(self) -> int:
        return len(self._taken)

    @contextmanager
    def place(self, peer: str) -> Iterator[Place]:
        """A place for the length of a block; see `take`."""
        place = self.take(peer)
        try:
            yield place
        finally:
            self.leave(place)

    def take(self, peer: str) -> Place:
        """A place for a session of `peer`, until `leave`.

        Raises:
            CallError: all are taken by sessions that were let in.
        """
        place = Place(peer)
        displaced = self._displace() if len(self._taken) >= self._most else None
        self._taken[place] = None
        if displaced is not None and displaced.session is not None:
            displaced.session.cut(GaveWayError(), SessionEnd.GAVE_WAY)
        return place

    def leave(self, place: Place) -> None:
        """Give a place back."""
        self._taken.pop(place, None)
        if place.let_in:
            self._known.add(place.peer)

    def occupy(self, place: Place, session: BridgeSession) -> bool:
        """Give `session` its place; False when it had to give way meanwhile."""
        place.session = session
        return place in self._taken

    def sessions(self) -> list[BridgeSession]:
        """All that have a place."""
        return [place.session for place in self._taken if place.session is not None]

    def let_in(self) -> int:
        """How many have a place and were let in."""
        return sum(place.let_in for place in self._taken)

    def sites_beside(self, peer: str) -> int:
        """How many sites sessions were let in from, lately or now; 0 when none was of `peer`."""
        here = self._let_in_now()
        if peer not in self._known and peer not in here:
            return 0
        return len(self._known.sites.keys() | {site_of(each) for each in here})

    def _let_in_now(self) -> set[str]:
        return {place.peer for place in self._taken if place.let_in}

    def _displace(self) -> Place:
        """Take away the place of a stranger."""
        strangers = [place for place in self._taken if not place.let_in]
        if not strangers:
            raise CallError(
                CallStatus.RESOURCE_EXHAUSTED,
                f"{self._most} sessions are open, which is the limit: try again later",
            )
        held = Counter(place.peer for place in strangers)
        here = self._let_in_now()

        def burden(place: Place) -> tuple[bool, int]:
            return place.peer not in self._known and place.peer not in here, held[place.peer]

        displaced = max(strangers, key=burden)  # of equals the first, which is the oldest
        del self._taken[displaced]
        return displaced
