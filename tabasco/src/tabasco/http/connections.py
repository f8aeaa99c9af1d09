"""How many connections there are, of all and of one address, and which gives way."""

from typing import Final, Protocol

from veracruz_shells.calls import peer_of_host

MAX_CONNECTIONS: Final = 256
MAX_OF_PEER: Final = 32


class HttpConnection(Protocol):
    """A connection of a client."""

    def is_waiting(self) -> bool:
        """Whether it waits for its client, for a handshake or the rest of a request."""
        ...

    def end(self) -> None:
        """End it at once."""
        ...


class Connections:
    """The connections of one server, in the order in which they came."""

    def __init__(self) -> None:
        self._peers: dict[HttpConnection, str] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def add(self, connection: HttpConnection, host: str) -> bool:
        """Have room for one more; False when there is none, as all others are at work.

        What waits for its client gives way, the oldest of the peer first, or of the peer that has
        most when there are too many of all.
        """
        peer = peer_of_host(host)
        mine = [each for each, whose in self._peers.items() if whose == peer]
        if len(mine) >= MAX_OF_PEER and not self._end_one(mine):
            return False
        if len(self._peers) >= MAX_CONNECTIONS and not self._end_one(self._of_worst()):
            return False
        self._peers[connection] = peer
        return True

    def remove(self, connection: HttpConnection) -> None:
        """It is over."""
        self._peers.pop(connection, None)

    def _of_worst(self) -> list[HttpConnection]:
        """Those that wait of the peer that has most such."""
        waiting: dict[str, list[HttpConnection]] = {}
        for each, peer in self._peers.items():
            if each.is_waiting():
                waiting.setdefault(peer, []).append(each)
        return max(waiting.values(), key=len, default=[])

    def _end_one(self, of: list[HttpConnection]) -> bool:
        for each in of:
            if each.is_waiting():
                self.remove(each)
                each.end()
                return True
        return False
