"""Which bridges have which isolate, and which isolates are held for a bridge to come.

An isolate belongs to Sonora: whoever of the same user asks for the same policy gets it, beside the
bridges that have it or after them. The last bridge that goes without a word (killed, or out of
memory) leaves it here, with all that principals have sent; the last that says so ends it. How long
it waits is the isolate's own affair, by its policy; meanwhile it counts among those that run.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sonora.errors import LaunchError
from sonora.isolates import Isolate
from sonora.records import ending_of, tell_end
from sonora.token_limit import TOKENS_EACH, TokenLimit
from veracruz_utils.frozen import frozen

MAX_BRIDGES: Final = 4
"""Of one isolate."""


@dataclass(slots=True, eq=False)
class Holding:
    """An isolate, and whose it is.

    Attributes:
        isolate: the isolate.
        owner: the user id of its bridges.
        bridges: their connections; none while it is held for another.
        tokens: how often it was vouched for, whichever bridge asked.
    """

    isolate: Isolate
    owner: int
    bridges: set[socket.socket]
    tokens: TokenLimit = field(default_factory=lambda: TokenLimit(MAX_BRIDGES * TOKENS_EACH))

    def wake_bridges(self) -> None:
        """Have the thread of each bridge find that there is nothing more to receive."""
        for bridge in self.bridges:
            with contextlib.suppress(OSError):
                bridge.shutdown(socket.SHUT_RD)


@frozen
class Share:
    """What a bridge has of an isolate.

    Attributes:
        holding: the isolate, and who else has it.
        control: the socket over which this bridge hands it sessions.
        found_again: whether it was there before.
    """

    holding: Holding
    control: socket.socket
    found_again: bool


class Holders:
    """The isolates of all bridges; for all threads."""

    def __init__(self) -> None:
        self._holdings: list[Holding] = []
        self._lock = threading.Lock()
        self._launched = threading.Condition(self._lock)
        self._launching: set[tuple[bytes, int]] = set()
        self._closed = False

    def obtain(
        self,
        policy_digest: bytes,
        owner: int,
        bridge: socket.socket,
        launch: Callable[[], Isolate],
    ) -> Share:
        """The isolate of this policy and user for `bridge`: the one there is, or a new one.

        Args:
            policy_digest: of the policy.
            owner: the user id of the bridge.
            bridge: its connection.
            launch: gives a new isolate.

        Raises:
            LaunchError: there is none, or it has as many bridges as it may.
        """
        with self._alone(policy_digest, owner):
            found = self._take(policy_digest, owner, bridge)
            return found or self._add(launch(), owner, bridge)

    def leave(self, holding: Holding, bridge: socket.socket, *, hold: bool) -> bool:
        """This bridge is gone; whether its isolate is to end now.

        Args:
            holding: what it had.
            bridge: its connection.
            hold: whether it went without a word, so that another may come in its place.
        """
        isolate = holding.isolate
        with self._lock:
            if bridge not in holding.bridges:
                return False  # others have it by now
            holding.bridges.remove(bridge)
            if holding.bridges:
                return False
            if hold and not self._closed:
                isolate.held = True
                if not isolate.ended.is_set():
                    return False
            self._holdings.remove(holding)
            return True

    def counts(self) -> dict[tuple[str, ...], float]:
        """How many a bridge has, and how many are held for one."""
        with self._lock:
            held = sum(not each.bridges for each in self._holdings)
            return {("with-bridge",): len(self._holdings) - held, ("held",): held}

    def close(self) -> None:
        """End all that is held, and hold nothing any more."""
        with self._lock:
            self._closed = True
            held = [each.isolate for each in self._holdings if not each.bridges]
        for isolate in held:
            isolate.close()

    @contextlib.contextmanager
    def _alone(self, policy_digest: bytes, owner: int) -> Iterator[None]:
        """Until the end of the block nobody else asks for this: two would launch one each."""
        wanted = (policy_digest, owner)
        with self._launched:
            self._launched.wait_for(lambda: wanted not in self._launching)
            self._launching.add(wanted)
        try:
            yield
        finally:
            with self._launched:
                self._launching.remove(wanted)
                self._launched.notify_all()

    def _add(self, isolate: Isolate, owner: int, bridge: socket.socket) -> Share:
        holding = Holding(isolate, owner, {bridge})
        with self._lock:
            self._holdings.append(holding)
        isolate.on_end = partial(self._ended, holding)
        if isolate.ended.is_set():  # before there was anything to call
            self._ended(holding)
        return Share(holding, isolate.control, found_again=False)

    def _take(self, policy_digest: bytes, owner: int, bridge: socket.socket) -> Share | None:
        """The isolate there is, for one bridge more; None without one."""
        with self._lock:
            for holding in self._holdings:
                isolate = holding.isolate
                if (isolate.policy_digest, holding.owner) != (policy_digest, owner):
                    continue
                if isolate.ended.is_set():
                    continue
                # The threads of bridges that are gone may not have seen their end yet.
                holding.bridges -= {each for each in holding.bridges if _hung_up(each)}
                if len(holding.bridges) >= MAX_BRIDGES:
                    raise LaunchError(
                        f"the isolate of this policy has {MAX_BRIDGES} bridges, which is the "
                        "limit: end one of them first"
                    )
                with contextlib.suppress(LaunchError):  # it is ending, for whatever reason
                    control = isolate.take_bridge()
                    holding.bridges.add(bridge)
                    isolate.held = False
                    return Share(holding, control, found_again=True)
        return None

    def _ended(self, holding: Holding) -> None:
        """An isolate has ended; in the launcher's thread."""
        with self._lock:
            holding.wake_bridges()
            if holding.bridges or holding not in self._holdings:
                return
            self._holdings.remove(holding)
        isolate = holding.isolate
        isolate.close()
        outcome = ending_of(isolate).name.lower()
        tell_end(isolate, peer=holding.owner, outcome=outcome, without_bridge=True)


def _hung_up(connection: socket.socket) -> bool:
    """Whether the other end is closed, not only shut down for writing."""
    poll = select.poll()
    try:
        poll.register(connection, 0)
    except (OSError, ValueError):
        return True  # closed here as well
    return bool(poll.poll(0))  # of no event that can be asked for: a hang-up
