"""Which bridge has which isolate, and which isolates are held for a bridge to come.

A bridge that goes without a word (killed, or out of memory) leaves its isolate here, with all that
principals have sent. The next one of the same user that asks for the same policy gets it. How long
it waits is the isolate's own affair, by its policy; meanwhile it counts among those that run.
"""

import contextlib
import logging
import select
import socket
import threading
from dataclasses import dataclass
from functools import partial
from typing import Final

from sonora.errors import LaunchError
from sonora.isolates import Isolate
from sonora.token_limit import TokenLimit

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Holding:
    """An isolate, and whose it is.

    Attributes:
        isolate: the isolate.
        owner: the user id of its bridges.
        bridge: the connection of the bridge that has it; None while it is held for another.
        tokens: how often it was vouched for, whichever bridge asked.
    """

    isolate: Isolate
    owner: int
    bridge: socket.socket | None
    tokens: TokenLimit


class Holders:
    """The isolates of all bridges; for all threads."""

    def __init__(self) -> None:
        self._holdings: list[Holding] = []
        self._lock = threading.Lock()
        self._closed = False

    def add(self, isolate: Isolate, owner: int, bridge: socket.socket) -> Holding:
        """A new isolate of this bridge."""
        holding = Holding(isolate, owner, bridge, TokenLimit())
        with self._lock:
            self._holdings.append(holding)
        return holding

    def take(self, policy_digest: bytes, owner: int, bridge: socket.socket) -> Holding | None:
        """An isolate of this policy and user whose bridge is gone, for `bridge`; None without one.

        Its `control` is a new one, and the old one of no use any more.
        """
        with self._lock:
            for holding in self._holdings:
                # The thread of the bridge before may not have seen its end yet.
                free = holding.bridge is None or _hung_up(holding.bridge)
                isolate = holding.isolate
                if (isolate.policy_digest, holding.owner, free) != (policy_digest, owner, True):
                    continue
                with contextlib.suppress(LaunchError):  # it is ending, for whatever reason
                    isolate.take_bridge()
                    holding.bridge = bridge
                    return holding
        return None

    def leave(self, holding: Holding, bridge: socket.socket, *, hold: bool) -> bool:
        """This bridge is gone; whether its isolate is to end now.

        Args:
            holding: what it had.
            bridge: its connection.
            hold: whether it went without a word, so that another may come in its place.
        """
        isolate = holding.isolate
        with self._lock:
            if holding.bridge is not bridge:
                return False  # another has it by now
            if hold and not self._closed:
                holding.bridge = None
                isolate.held = True
                isolate.on_end = partial(self._ended, holding)
                if not isolate.ended.is_set():
                    return False
            self._holdings.remove(holding)
            return True

    def close(self) -> None:
        """End all that is held, and hold nothing any more."""
        with self._lock:
            self._closed = True
            held = [each.isolate for each in self._holdings if each.bridge is None]
        for isolate in held:
            isolate.close()

    def _ended(self, holding: Holding) -> None:
        """An isolate ended while it was held; in the launcher's thread."""
        with self._lock:
            if holding.bridge is not None or holding not in self._holdings:
                return
            self._holdings.remove(holding)
        holding.isolate.close()
        _LOG.info("isolate %d ended without a bridge", holding.isolate.isolate_id)


def _hung_up(connection: socket.socket) -> bool:
    """Whether the other end is closed, not only shut down for writing."""
    poll = select.poll()
    try:
        poll.register(connection, 0)
    except (OSError, ValueError):
        return True  # closed here as well
    return bool(poll.poll(0))  # of no event that can be asked for: a hang-up
