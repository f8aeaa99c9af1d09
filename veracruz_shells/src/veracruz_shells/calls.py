"""Whose a call is, and how many calls a service bears: before their request is there, and after.

A call whose request has not come yet costs its client nothing. So it may be given up at any time,
and is given up when there are too many, or when it takes too long. A call in progress is never
given up; what bounds these is how many one peer may have, and all together.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote


def peer_of(name: str) -> str:
    """What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits.

    Args:
        name: as gRPC has it, such as `ipv4:192.0.2.7:40112` or `ipv6:[2001:db8::1]:40112`.
    """
    kind, _, place = unquote(name).partition(":")
    return peer_of_host(place.rpartition(":")[0].strip("[]"), otherwise=kind)


def peer_of_host(host: str, *, otherwise: str = "") -> str:
    """The same of an address by itself, such as `192.0.2.7` or `fe80::1%eth0`.

    Args:
        host: the address.
        otherwise: for what is none, a Unix socket or nothing we know: all of its kind are one.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return otherwise
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # Whoever has one address of such a network has all 2**64.
    return str(ipaddress.ip_network((address, 64), strict=False))


class CallSlots:
    """At most so many calls in progress, and so many of one peer; for one thread."""

    def __init__(self, most: int, of_peer: int) -> None:
        self._most = most
        self._of_peer = of_peer
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._held.total()

    def take(self, peer: str) -> bool:
        """Have a slot, to be given back; False when there is none for this peer."""
        if self._held.total() >= self._most or self._held[peer] >= self._of_peer:
            return False
        self._held[peer] += 1
        return True

    def give_back(self, peer: str) -> None:
        """End a call of that peer."""
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]


class _Arrival:
    """A call whose request is to come."""

    __slots__ = ("give_up", "peer")

    def __init__(self, peer: str, give_up: Callable[[], object]) -> None:
        self.peer = peer
        self.give_up = give_up


class Arrivals:
    """The calls whose request is to come; overdue ones are given up. For one event loop."""

    def __init__(self, most: int, wait_s: float) -> None:
        """Room for calls that wait for their request.

        Args:
            most: for one more, the oldest gives way of the peer that has most of them.
            wait_s: how long one may take, in seconds.
        """
        self._most = most
        self._wait_s = wait_s
        self._waiting: dict[_Arrival, None] = {}  # a set in order of arrival

    def __len__(self) -> int:
        return len(self._waiting)

    def stop(self) -> None:
        """Give up all that wait; any number of times."""
        for arrival in list(self._waiting):
            self._give_up(arrival)

    @contextmanager
    def waiting(self, peer: str, give_up: Callable[[], object]) -> Iterator[None]:
        """For as long as the request of a call is to come, which `give_up` ends."""
        arrival = _Arrival(peer, give_up)
        if len(self._waiting) >= self._most:
            held = Counter(each.peer for each in self._waiting)
            # Of equals the first, which is the oldest.
            self._give_up(max(self._waiting, key=lambda each: held[each.peer]))
        self._waiting[arrival] = None
        overdue = asyncio.get_running_loop().call_later(self._wait_s, self._give_up, arrival)
        try:
            yield
        finally:
            overdue.cancel()
            self._waiting.pop(arrival, None)

    def _give_up(self, arrival: _Arrival) -> None:
        del self._waiting[arrival]
        arrival.give_up()
