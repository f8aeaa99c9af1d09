"""The front process: one selector loop for all sessions, the guest, Sonora and the bridge.

It holds the TLS key. The bridge hands it one end of a socket pair per session over the control
socket; it neither opens nor accepts anything else. A session that stalls, breaks the protocol or
fails in an unforeseen way is closed, and the others go on. Sonora may hand over the control sockets
of more bridges. One that goes takes its own sessions along, and nothing else; without any, the
isolate waits for another for a time of the policy.
"""

import contextlib
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from baja import ServerContext
from colima import encode, frame
from colima.isolate import IsolateExit, LetIn, sessions_each, sessions_of_isolate
from colima.runtime import RefusalReason
from mexico_city.errors import DeniedError
from mexico_city.lifetime import Lifetime, ending_of
from mexico_city.runtime import Runtime
from mexico_city.session import PROGRESS_TIMEOUT_S, Session, piece_bytes
from platform_services import DescriptorsLostError, PlatformError
from platform_services.descriptors import receive_descriptors
from platform_services.memory import MemoryReturn
from veracruz_utils.policy import PolicyIdentity

_DRAIN_S: Final = 5.0
_TICK_S: Final = 1.0
_ENDINGS_TOLD: Final = {
    IsolateExit.QUORUM: RefusalReason.SHUT_DOWN,
    IsolateExit.EXPIRED: RefusalReason.EXPIRED,
}


class _Bridge:
    """A control socket, and how many sessions came over it."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.handed_over = 0

    def told(self, number: int) -> None:
        """Tell it that this session of its own was let in."""
        # Never waiting: one that does not read its notices harms nobody's sessions but its own.
        with contextlib.suppress(OSError):
            self.control.send(frame(encode(LetIn(number))), socket.MSG_DONTWAIT)


class _Connection:
    """A session and its socket.

    The bridge may hold another descriptor of the same socket and clear its O_NONBLOCK to stop the
    loop. So each call here says MSG_DONTWAIT itself.
    """

    def __init__(
        self, bridge: _Bridge, channel: socket.socket, session: Session, now: float
    ) -> None:
        self.bridge = bridge
        self.number = bridge.handed_over
        self.channel = channel
        self.session = session
        self.unsent = memoryview(b"")
        self.last_progress = now

    def deadline(self) -> float:
        """When to give the session up, in seconds of the monotonic clock."""
        # A principal that takes nothing of its answer must not hold its place and 1 MiB of output.
        if self.unsent and self.session.identity is not None:
            return self.last_progress + PROGRESS_TIMEOUT_S
        if self.session.over and not self.unsent:
            return 0.0
        return self.last_progress + self.session.timeout_s

    def receive(self, now: float, into: memoryview) -> None:
        """Take what is there, by way of a buffer that nobody else uses meanwhile."""
        data = into[: self.channel.recv_into(into, 0, socket.MSG_DONTWAIT)]
        if not data:
            raise ConnectionResetError
        if self.session.identity is not None:  # a handshake gets no more time by trickling
            self.last_progress = now
        self.session.receive_data(data)

    def send(self, now: float) -> None:
        """Send as much as the socket takes now; afterwards `unsent` is empty when that was all."""
        self._refill()
        if not self.unsent:
            return
        sent = self.channel.send(self.unsent, socket.MSG_DONTWAIT)
        self.unsent = self.unsent[sent:]
        if self.session.identity is not None:
            self.last_progress = now
        self._refill()

    def interest(self) -> int:
        """What to wait for on the socket."""
        reading = selectors.EVENT_READ if self.session.listening and not self.unsent else 0
        return reading | (selectors.EVENT_WRITE if self.unsent else 0)

    def _refill(self) -> None:
        if not self.unsent:
            self.unsent = memoryview(self.session.data_to_send())


class Front:
    """The loop. `run` returns when the computation is over or nobody is left to serve.

    A turn of it takes what has arrived, gives the answers that became due and sends to the sessions
    that have something to send by now. Others cost nothing until the next look at deadlines.
    """

    def __init__(
        self,
        runtime: Runtime,
        context: ServerContext,
        lifetime: Lifetime,
        *,
        control: socket.socket,
        private: socket.socket,
    ) -> None:
        self._runtime = runtime
        self._context = context
        self._lifetime = lifetime
        self._bridges: set[_Bridge] = set()
        self._private = private
        principals = len(runtime.computation.policy.identities)
        self._most = sessions_of_isolate(principals)
        self._most_each = sessions_each(principals)
        self._piece_bytes = piece_bytes(self._most)
        # One for all: a new one of this size for every few bytes that come costs more than they.
        self._buffer = memoryview(bytearray(self._piece_bytes))
        self._selector = selectors.DefaultSelector()
        self._connections: dict[_Connection, None] = {}  # a set in order of arrival
        self._ready: set[_Connection] = set()
        self._memory = MemoryReturn()
        self._next_look = 0.0
        self._ending: IsolateExit | None = None
        self._attach(control)

    def run(self) -> IsolateExit:
        """Serve until the end."""
        self._selector.register(self._private, selectors.EVENT_READ, self._sonora)
        self._runtime.work.guest.watched_by(self)
        while self._ending is None:
            for key, _ in self._selector.select(self._select_timeout()):
                if isinstance(key.data, _Connection):
                    self._serve(key.data)
                else:
                    key.data()
            self._end_turn()
        if self._ending in _ENDINGS_TOLD:
            self._drain(self._ending)
        for connection in list(self._connections):
            self._drop(connection)
        self._runtime.work.guest.kill()
        self._selector.close()
        return self._ending

    def _select_timeout(self) -> float:
        """How long to wait for events, in seconds: not past what is due."""
        if self._ready or self._runtime.busy:
            return 0.0
        now = time.monotonic()
        wait = min(_TICK_S, self._lifetime.remaining_s(now))
        due = self._runtime.work.guest.deadline
        return wait if due is None else min(wait, max(0.0, due - now))

    def _end_turn(self) -> None:
        """End a turn of the loop: answers, deadlines, the end of all."""
        now = time.monotonic()
        # First: once the policy's time is over nobody gets an answer any more.
        if self._lifetime.expired(wall=datetime.now(UTC), now=now):
            self._ending = IsolateExit.EXPIRED
            return
        # Answers before sending, sending before deadlines: a session whose answer has just become
        # due is not closed for having waited for it.
        self._runtime.work.check_guest(now)
        self._runtime.work.go_on()
        self._runtime.deliver()
        self._flush_ready(now)
        if now >= self._next_look:
            self._next_look = now + _TICK_S
            self._look_at_deadlines(now)
        if self._runtime.shut_down and self._ending is None:
            self._ending = IsolateExit.QUORUM

    def _look_at_deadlines(self, now: float) -> None:
        for connection in list(self._connections):
            if now >= connection.deadline():
                self._give_up(connection, now)
        self._runtime.forget(now)
        self._memory.turn(now)
        # A run goes on without a session; strangers, who could keep anything alive, do not count.
        in_use = self._runtime.work.guest.deadline is not None or any(
            connection.session.identity is not None for connection in self._connections
        )
        if self._ending is not None:
            return
        if self._lifetime.idled(in_use=in_use, now=now):
            self._ending = IsolateExit.IDLE
        elif self._lifetime.abandoned(attached=bool(self._bridges), now=now):
            self._ending = IsolateExit.BRIDGE_GONE

    # The four kinds of sources; the guest's is `Runtime.guest_readable`.

    def _admit(self, bridge: _Bridge) -> None:
        """A bridge hands over a session."""
        try:
            (descriptor,) = receive_descriptors(bridge.control, 1)
            channel = socket.socket(fileno=descriptor)
        except DescriptorsLostError:
            bridge.handed_over += 1  # it is closed, and its principal sees that; the others go on
            return
        except (PlatformError, OSError):
            self._detach(bridge)
            return
        bridge.handed_over += 1
        # Only a Unix socket: with any other the isolate would be on the network itself.
        if channel.family != socket.AF_UNIX or not self._make_room():
            channel.close()
            return
        session = Session(
            self._context,
            self._runtime.computation.policy,
            self._runtime,
            now=datetime.now(UTC),
            admits=lambda identity: self._admits(connection, identity),
            ready=lambda: self._ready.add(connection),
            piece_bytes=self._piece_bytes,
        )
        connection = _Connection(bridge, channel, session, time.monotonic())
        self._connections[connection] = None
        self._selector.register(channel, selectors.EVENT_READ, connection)

    def _sonora(self) -> None:
        """Sonora hands over code of a core, or another bridge's control socket.

        All else it may say is its end.
        """
        try:
            (descriptor,) = receive_descriptors(self._private, 1)
            if self._runtime.work.take_prepared(descriptor):
                return
            control = socket.socket(fileno=descriptor)
        except DescriptorsLostError:
            return  # that bridge sees its end, and Sonora may hand over another
        except (PlatformError, OSError):
            self._ending = IsolateExit.SONORA_GONE
            return
        self._attach(control)

    def _serve(self, connection: _Connection) -> None:
        """Take what a session has sent; what there is to send goes out as the turn ends."""
        # An earlier event of the same batch may have dropped it, to make room for another.
        if connection not in self._connections:
            return
        self._ready.add(connection)
        if connection.interest() & selectors.EVENT_READ:
            self._guarded(connection, lambda: connection.receive(time.monotonic(), self._buffer))

    def watch(self, channel: socket.socket) -> None:
        """See `guest_link.ChannelWatcher`."""
        self._selector.register(channel, selectors.EVENT_READ, self._runtime.work.guest_readable)

    def forget(self, channel: socket.socket) -> None:
        """See `guest_link.ChannelWatcher`."""
        self._selector.unregister(channel)

    def _attach(self, control: socket.socket) -> None:
        """Take sessions from here, too."""
        bridge = _Bridge(control)
        self._bridges.add(bridge)
        self._selector.register(control, selectors.EVENT_READ, partial(self._admit, bridge))

    def _detach(self, bridge: _Bridge) -> None:
        """A bridge is gone, and its sessions with it."""
        for connection in list(self._connections):
            if connection.bridge is bridge:
                self._drop(connection)
        self._bridges.remove(bridge)
        self._selector.unregister(bridge.control)
        bridge.control.close()

    # Sessions.

    def _make_room(self) -> bool:
        """Whether there is room for one more; the longest of unfinished handshakes gives way."""
        if len(self._connections) < self._most:
            return True
        # Strangers give way: a handshake costs them nothing, and must not keep principals out. Of
        # the bridge that has most of them: a flood that comes over one leaves the others theirs.
        strangers = [each for each in self._connections if each.session.identity is None]
        if not strangers:
            return False
        of_bridge = Counter(each.bridge for each in strangers)
        self._drop(max(strangers, key=lambda each: of_bridge[each.bridge]))  # of equals the first
        return True

    def _admits(self, connection: _Connection, identity: PolicyIdentity) -> bool:
        """Whether this principal may have another session, this one; its bridge is told if so."""
        mine = [each for each in self._connections if each.session.identity == identity]
        if len(mine) >= self._most_each:
            return False
        connection.bridge.told(connection.number)
        return True

    def _give_up(self, connection: _Connection, now: float) -> None:
        """End a session whose time is up; who is let in and reads is told why."""
        session = connection.session
        if session.identity is None or session.over or connection.unsent:
            self._drop(connection)
            return
        self._guarded(connection, session.give_up)
        connection.last_progress = now
        self._ready.add(connection)

    def _flush_ready(self, now: float) -> None:
        ready, self._ready = self._ready, set()
        for connection in ready:
            if connection in self._connections:
                self._flush(connection, now)

    def _flush(self, connection: _Connection, now: float) -> None:
        """Send what can be sent and wait for what comes next; close a session that is over."""
        self._guarded(connection, lambda: connection.send(now))
        if connection not in self._connections:
            return
        if connection.session.over and not connection.unsent:
            self._drop(connection)
            return
        if connection.session.backlog and not connection.unsent:
            self._ready.add(connection)
        self._watch(connection)

    def _watch(self, connection: _Connection) -> None:
        interest = connection.interest()
        known = self._selector.get_map().get(connection.channel)
        if known is None:
            if interest:
                self._selector.register(connection.channel, interest, connection)
        elif not interest:
            self._selector.unregister(connection.channel)
        elif known.events != interest:
            self._selector.modify(connection.channel, interest, connection)

    def _guarded(self, connection: _Connection, step: Callable[[], None]) -> None:
        """Do a step of one session; whatever goes wrong in it ends that session alone."""
        try:
            step()
        except BlockingIOError:
            pass
        except Exception:  # noqa: BLE001 - a session must not take the others with it
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        if self._connections.pop(connection, connection) is None:
            self._memory.session_left()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.channel)
        connection.session.close()
        connection.channel.close()

    def _drain(self, ending: IsolateExit) -> None:
        """Tell every session why it ends, for a few seconds in all."""
        self._selector.unregister(self._private)
        for bridge in self._bridges:
            self._selector.unregister(bridge.control)
        self._runtime.work.guest.kill()
        wiped = ending is IsolateExit.EXPIRED
        if wiped:  # before anybody is told, who may be slow to read it
            self._runtime.wipe()
        why = DeniedError(
            _ENDINGS_TOLD[ending], found=ending_of(self._runtime.computation.policy, ending)
        )
        for connection in list(self._connections):
            self._guarded(connection, partial(connection.session.end, why, at_once=wiped))
        self._ready = set(self._connections)
        deadline = time.monotonic() + _DRAIN_S
        while self._connections and (now := time.monotonic()) < deadline:
            self._flush_ready(now)
            if not self._connections:
                return
            for key, _ in self._selector.select(deadline - now):
                self._ready.add(key.data)
