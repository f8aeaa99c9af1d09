"""The front process: one selector loop for all sessions, the guest, Sonora and the bridge.

It holds the TLS key. The bridge hands it one end of a socket pair per session over the control
socket; it neither opens nor accepts anything else. A session that stalls, breaks the protocol or
fails in an unforeseen way is closed, and the others go on.
"""

import contextlib
import enum
import selectors
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from baja import ServerContext
from mexico_city.runtime import Runtime
from mexico_city.session import Session
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors
from veracruz_utils.policy import PolicyIdentity

MAX_SESSIONS: Final = 256
MAX_SESSIONS_EACH: Final = 128
"""Of one principal."""
HANDSHAKE_TIMEOUT_S: Final = 10.0
PROGRESS_TIMEOUT_S: Final = 60.0
"""How long a principal may take over the next byte of a request or upload it has begun."""
IDLE_TIMEOUT_S: Final = 1800.0
_FAREWELL_S: Final = 5.0
_TICK_S: Final = 1.0
_RECEIVE_BYTES: Final = 256 * 1024


class IsolateExit(enum.IntEnum):
    """How the front ended; the exit status of its process."""

    QUORUM = 0
    BRIDGE_GONE = 3
    SONORA_GONE = 4


class _Connection:
    """A session and its socket.

    The bridge may hold another descriptor of the same socket, and with it the flag that makes calls
    return at once. So the calls here say so themselves.
    """

    def __init__(self, channel: socket.socket, session: Session, now: float) -> None:
        self.channel = channel
        self.session = session
        self.unsent = memoryview(b"")
        self.last_progress = now

    def deadline(self) -> float:
        """When to give the session up, in seconds of the monotonic clock."""
        session = self.session
        if session.over and not self.unsent:
            return 0.0
        if not session.established:
            return self.last_progress + HANDSHAKE_TIMEOUT_S
        if session.midway or self.unsent:
            return self.last_progress + PROGRESS_TIMEOUT_S
        if session.waiting:
            return float("inf")
        return self.last_progress + IDLE_TIMEOUT_S

    def receive(self, now: float, into: memoryview) -> None:
        """Take what is there, by way of a buffer that nobody else uses meanwhile."""
        data = into[: self.channel.recv_into(into, 0, socket.MSG_DONTWAIT)]
        if not data:
            raise ConnectionResetError
        if self.session.established:
            self.last_progress = now
        self.session.receive_data(data)

    def send(self, now: float) -> None:
        """Send as much as the socket takes now; afterwards `unsent` is empty when that was all."""
        self._refill()
        if not self.unsent:
            return
        sent = self.channel.send(self.unsent, socket.MSG_DONTWAIT)
        self.unsent = self.unsent[sent:]
        if self.session.established:
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
    that were stirred by either. Sessions at rest cost nothing until the next look at deadlines.
    """

    def __init__(
        self,
        runtime: Runtime,
        context: ServerContext,
        *,
        control: socket.socket,
        private: socket.socket,
    ) -> None:
        self._runtime = runtime
        self._context = context
        self._control = control
        self._private = private
        # One for all: a new one of this size for every few bytes that come costs more than they.
        self._buffer = memoryview(bytearray(_RECEIVE_BYTES))
        self._selector = selectors.DefaultSelector()
        self._connections: dict[_Connection, None] = {}  # a set in order of arrival
        self._stirred: set[_Connection] = set()
        self._next_look = 0.0
        self._ending: IsolateExit | None = None

    def run(self) -> IsolateExit:
        """Serve until the end."""
        guest = self._runtime.guest.channel
        self._selector.register(self._control, selectors.EVENT_READ, self._admit)
        self._selector.register(self._private, selectors.EVENT_READ, self._sonora)
        self._selector.register(guest, selectors.EVENT_READ, self._runtime.guest_readable)
        while self._ending is None:
            for key, _ in self._selector.select(self._patience()):
                if isinstance(key.data, _Connection):
                    self._serve(key.data)
                else:
                    key.data()
            self._turn_over()
        if self._ending is IsolateExit.QUORUM:
            self._say_farewell()
        for connection in list(self._connections):
            self._drop(connection)
        self._selector.close()
        return self._ending

    def _patience(self) -> float:
        """How long the loop may sleep, in seconds: not past the moment when the guest is due."""
        if self._stirred or self._runtime.busy:
            return 0.0
        due = self._runtime.guest.deadline
        return _TICK_S if due is None else min(_TICK_S, max(0.0, due - time.monotonic()))

    def _turn_over(self) -> None:
        """What every turn of the loop ends with: answers, deadlines, the quorum."""
        now = time.monotonic()
        self._runtime.check_guest(now)
        self._runtime.go_on()
        self._runtime.deliver()
        self._flush_stirred(now)
        if now >= self._next_look:
            self._next_look = now + _TICK_S
            for connection in list(self._connections):
                if now >= connection.deadline():
                    self._drop(connection)
        if not self._runtime.guest.alive:
            self._forget_guest()
        if self._runtime.shut_down and self._ending is None:
            self._ending = IsolateExit.QUORUM

    # The four kinds of sources; the guest's is `Runtime.guest_readable`.

    def _admit(self) -> None:
        """The bridge hands over a session."""
        try:
            (descriptor,) = receive_descriptors(self._control, 1)
            channel = socket.socket(fileno=descriptor)
        except (PlatformError, OSError):
            self._ending = IsolateExit.BRIDGE_GONE
            return
        if channel.family != socket.AF_UNIX or not self._make_room():
            channel.close()
            return
        connection = self._connect(channel)
        self._connections[connection] = None
        self._selector.register(channel, selectors.EVENT_READ, connection)

    def _sonora(self) -> None:
        """Sonora has nothing to say after the start: anything here is its end."""
        self._ending = IsolateExit.SONORA_GONE

    def _serve(self, connection: _Connection) -> None:
        """Take what a session has to say; what there is to tell it goes out as the turn ends."""
        if connection not in self._connections:
            return
        self._stirred.add(connection)
        if connection.interest() & selectors.EVENT_READ:
            self._guarded(connection, lambda: connection.receive(time.monotonic(), self._buffer))

    def _forget_guest(self) -> None:
        channel = self._runtime.guest.channel
        if channel.fileno() >= 0:
            self._selector.unregister(channel)
            channel.close()

    # Sessions.

    def _connect(self, channel: socket.socket) -> _Connection:
        session = Session(
            self._context,
            self._runtime.computation.policy,
            self._runtime,
            now=datetime.now(UTC),
            admits=self._admits,
            stirred=lambda: self._stirred.add(connection),
        )
        connection = _Connection(channel, session, time.monotonic())
        return connection

    def _make_room(self) -> bool:
        """Whether there is room for one more; the longest of unfinished handshakes gives way."""
        if len(self._connections) < MAX_SESSIONS:
            return True
        for connection in self._connections:
            if not connection.session.established:
                self._drop(connection)
                return True
        return False

    def _admits(self, identity: PolicyIdentity) -> bool:
        """Whether this principal may have another session: nobody takes the places of all."""
        mine = [each for each in self._connections if each.session.identity == identity]
        return len(mine) < MAX_SESSIONS_EACH

    def _flush_stirred(self, now: float) -> None:
        stirred, self._stirred = self._stirred, set()
        for connection in stirred:
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
            self._stirred.add(connection)
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
        self._connections.pop(connection, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.channel)
        connection.session.close()
        connection.channel.close()

    def _say_farewell(self) -> None:
        """Send every session what is still to be sent, for a few seconds in all."""
        for source in (self._control, self._private):
            self._selector.unregister(source)
        self._runtime.guest.kill()
        self._forget_guest()
        for connection in self._connections:
            connection.session.end()
        self._stirred = set(self._connections)
        deadline = time.monotonic() + _FAREWELL_S
        while self._connections and (now := time.monotonic()) < deadline:
            self._flush_stirred(now)
            if not self._connections:
                return
            for key, _ in self._selector.select(deadline - now):
                self._stirred.add(key.data)
