"""Who asks, as far as the network shows it, and how often anybody may ask.

A bridge cannot tell principals from strangers: TLS ends in the isolate. It knows two things of a
peer that cost something to fake: its address, and whether the isolate let in a session that came
from there (`colima.isolate.LetIn`), which takes the key of a certificate in the policy. Peers that
were let in have a share of their own that no stranger can use up.
"""

import ipaddress
from collections import Counter, OrderedDict
from typing import Final

from veracruz_shells.call_errors import CallError, CallStatus

ATTESTATIONS: Final = 600
"""In a window, for all together: half of what Sonora gives, whose windows begin at other times."""
RESERVED: Final = 200
"""Of these, for peers that were let in before."""
ATTESTATIONS_EACH: Final = 120
"""For one peer that was not let in yet."""
ATTESTATIONS_EACH_SCARCE: Final = 20
"""The same, once strangers have taken half of what is there for them."""
ATTESTATIONS_EACH_KNOWN: Final = 300
"""For one peer that was."""
_PEERS_OF_SITE: Final = 2
"""One site may have as much as so many of its peers."""
_LEAST_SHARE: Final = 10
"""What a site of peers that were let in has of the reserve, however many sites there are."""
WINDOW_S: Final = 60.0
_MOST_KNOWN: Final = 4096


def site_of(peer: str) -> str:
    """What counts as one site: of a peer of IPv6 its network of 48 bits, else the peer itself."""
    try:
        network = ipaddress.IPv6Network(peer)
    except ValueError:
        return peer
    return str(network.supernet(new_prefix=48))


class KnownPeers:
    """The peers that were let in, the latest few thousand of them.

    Attributes:
        sites: how many of them each site has.
    """

    def __init__(self, most: int = _MOST_KNOWN) -> None:
        self._most = most
        self._peers: OrderedDict[str, None] = OrderedDict()
        self.sites: Counter[str] = Counter()

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    def add(self, peer: str) -> None:
        """A session from there was let in."""
        if peer not in self._peers:
            self.sites[site_of(peer)] += 1
        self._peers[peer] = None
        self._peers.move_to_end(peer)
        if len(self._peers) > self._most:
            forgotten, _ = self._peers.popitem(last=False)
            self.sites -= Counter([site_of(forgotten)])


class AttestationQuota:
    """How often the isolate was attested for whom lately, counted in windows of time.

    A site of peers that were let in has a share of the reserve. What they take beyond it comes out
    of what is there for everybody, as all that strangers take.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._taken: Counter[str] = Counter()
        self._taken_at: Counter[str] = Counter()
        self._reserve: Counter[str] = Counter()
        self._common = 0

    def taken(self, *, now: float) -> int:
        """How many were given out in this window, of `ATTESTATIONS`."""
        return self._common + self._reserve.total() if now < self._began + WINDOW_S else 0

    def take(self, peer: str, *, sites: int, now: float) -> None:
        """Count one more for `peer`.

        Args:
            peer: as `calls.peer_of` says.
            sites: how many there are of peers that were let in, this one's among them; 0 when it
                was not let in.
            now: in seconds of the monotonic clock.

        Raises:
            CallError: it had its share, or all of its kind had theirs.
        """
        if now >= self._began + WINDOW_S:
            self._began = now
            self._common = 0
            self._taken.clear()
            self._taken_at.clear()
            self._reserve.clear()
        common = ATTESTATIONS - RESERVED
        if sites:
            each = ATTESTATIONS_EACH_KNOWN
        else:
            each = ATTESTATIONS_EACH if 2 * self._common < common else ATTESTATIONS_EACH_SCARCE
        site = site_of(peer)
        if self._taken[peer] >= each or self._taken_at[site] >= _PEERS_OF_SITE * each:
            raise _refused(f"{each} attestations in {WINDOW_S:.0f} s from one address")
        if self._reserve[site] < _share(sites) and self._reserve.total() < RESERVED:
            self._reserve[site] += 1
        elif self._common < common:
            self._common += 1
        else:
            raise _refused(f"all attestations of {WINDOW_S:.0f} s are given out")
        self._taken[peer] += 1
        self._taken_at[site] += 1


def _share(sites: int) -> int:
    """What one of so many sites has of the reserve; with one left for who is let in next."""
    return max(_LEAST_SHARE, RESERVED // (sites + 1)) if sites else 0


def _refused(why: str) -> CallError:
    return CallError(CallStatus.RESOURCE_EXHAUSTED, f"{why}, which is the limit: try again later")
