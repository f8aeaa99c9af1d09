"""How often one peer may be refused: who is refused again and again is not listened to for a while.

What is asked for and granted is never counted, so that many honest clients behind one address are
no flood.
"""

import threading
from collections import Counter
from typing import Final

from veracruz_utils.errors import VeracruzError

WINDOW_S: Final = 60.0
REFUSALS_OF_PEER: Final = 600
_MOST_PEERS: Final = 4096


class QuotaError(VeracruzError):
    """This peer was refused too often lately."""


class RefusalQuota:
    """Refusals of each peer, counted in windows of time; safe to share by threads.

    Args:
        of_peer: for one peer, as `calls.peer_of` says, in a window; 0 for as many as it likes.
    """

    def __init__(self, of_peer: int = REFUSALS_OF_PEER) -> None:
        self._of_peer = of_peer
        self._lock = threading.Lock()
        self._began = 0.0
        self._refused: Counter[str] = Counter()

    def check(self, peer: str, *, now: float) -> None:
        """Return if the peer may ask.

        Args:
            peer: who asks.
            now: in seconds of the monotonic clock.

        Raises:
            QuotaError: it was refused as often as is allowed in this window.
        """
        with self._lock:
            self._turn(now)
            if self._of_peer and self._refused[peer] >= self._of_peer:
                raise QuotaError(
                    f"{self._of_peer} requests of this address were refused within "
                    f"{WINDOW_S:.0f} s, which is the limit: try again in a minute"
                )

    def count(self, peer: str, *, now: float) -> None:
        """The peer was refused."""
        with self._lock:
            self._turn(now)
            self._refused[peer] += 1
            if len(self._refused) > _MOST_PEERS:
                # Who floods stays; who was refused a few times begins anew.
                self._refused = Counter(dict(self._refused.most_common(_MOST_PEERS // 2)))

    def _turn(self, now: float) -> None:
        if now >= self._began + WINDOW_S:
            self._began = now
            self._refused.clear()
