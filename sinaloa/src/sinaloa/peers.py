"""Who asks, as far as the network shows it, and how often anybody may ask.

A bridge cannot tell principals from strangers: TLS ends in the isolate. It knows two things of a
peer that cost something to fake: its address, and whether the isolate let in a session that came
from there (`colima.isolate.LetIn`), which takes the key of a certificate in the policy. Peers that
were let in have a share of their own that no stranger can use up.
"""

import ipaddress
from collections import Counter, OrderedDict
from typing import Final
from urllib.parse import unquote

from veracruz_shells.service import CallError, CallStatus

ATTESTATIONS: Final = 600
"""In a window, for all together: half of what Sonora gives, whose windows begin at other times."""
RESERVED: Final = 200
"""Of these, for peers that were let in before."""
ATTESTATIONS_EACH: Final = 120
"""For one peer that was not let in yet."""
ATTESTATIONS_EACH_KNOWN: Final = 300
"""For one peer that was."""
WINDOW_S: Final = 60.0
_MOST_KNOWN: Final = 4096


def peer_of(name: str) -> str:
    """What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits.

    Args:
        name: as gRPC has it, such as `ipv4:192.0.2.7:40112` or `ipv6:[2001:db8::1]:40112`.
    """
    kind, _, place = unquote(name).partition(":")
    host = place.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return kind  # a Unix socket, or nothing we know: all of its kind are one
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # Whoever has one address of such a network has all 2**64.
    return str(ipaddress.ip_network((address, 64), strict=False))


class KnownPeers:
    """The peers that were let in, the latest few thousand of them."""

    def __init__(self, most: int = _MOST_KNOWN) -> None:
        self._most = most
        self._peers: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    def add(self, peer: str) -> None:
        """A session from there was let in."""
        self._peers[peer] = None
        self._peers.move_to_end(peer)
        if len(self._peers) > self._most:
            self._peers.popitem(last=False)


class AttestationQuota:
    """How often the isolate was attested for whom lately, counted in windows of time."""

    def __init__(self) -> None:
        self._began = 0.0
        self._strangers: Counter[str] = Counter()
        self._known: Counter[str] = Counter()

    def take(self, peer: str, *, known: bool, now: float) -> None:
        """Count one more for `peer`, at `now` in seconds of the monotonic clock.

        Raises:
            CallError: it had its share, or all of its kind had theirs.
        """
        if now >= self._began + WINDOW_S:
            self._began = now
            self._strangers.clear()
            self._known.clear()
        mine, each = (
            (self._known, ATTESTATIONS_EACH_KNOWN)
            if known
            else (self._strangers, ATTESTATIONS_EACH)
        )
        if mine[peer] >= each:
            raise _refused(f"{each} attestations in {WINDOW_S:.0f} s from one address")
        strangers, friends = self._strangers.total(), self._known.total()
        if strangers + friends >= ATTESTATIONS or (
            not known and strangers >= ATTESTATIONS - RESERVED
        ):
            raise _refused(f"all attestations of {WINDOW_S:.0f} s are given out")
        mine[peer] += 1


def _refused(why: str) -> CallError:
    return CallError(CallStatus.RESOURCE_EXHAUSTED, f"{why}, which is the limit: try again later")
