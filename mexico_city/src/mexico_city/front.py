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
from mexico_city.descriptors import receive_descriptors
from mexico_city.errors import RuntimeFailure
from mexico_city.runtime import Runtime
from mexico_city.session import Session

MAX_SESSIONS: Final = 256
HANDSHAKE_TIMEOUT_S: Final = 10.0
PROGRESS_TIMEOUT_S: Final = 60.0
"""How long a principal may take over the next byte of a request or upload it has begun."""
IDLE_TIMEOUT_S: Final = 1800.0
_FAREWELL_S: Final = 5.0
_TICK_S: Final = 1.0
_RECEIVE_BYTES: Final = 256 * 1024


class Ending(enum.IntEnum):
    """How the front ended; the exit status of its process."""

    QUORUM = 0
    BRIDGE_GONE = 3
    SONORA_GONE = 4


class _Connection:
    """A session and its socket."""

    def __init__(self, channel: socket.socket, session: Session, now: float) -> None:
        self.channel = channel
        self.session = session
        self.unsent = memoryview(b"")
        self.last_progress = now
        channel.settimeout(0)

    def deadline(self) -> float:
        """When to give the session up, in seconds of the monotonic clock."""
        session = self.session
        if not session.established:
            return self.last_progress + HANDSHAKE_TIMEOUT_S
        if session.midway or self.unsent:
            return self.last_progress + PROGRESS_TIMEOUT_S
        if session.waiting:
            return float("inf")
        return self.last_progress + IDLE_TIMEOUT_S

    def receive(self, now: float) -> None:
        """Take what is there."""
        data = self.channel.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError
        if self.session.established:
            self.last_progress = now
        self.session.receive_data(data)

    def send(self, now: float) -> None:
        """Send what there is to send, as far as the socket takes it."""
        while True:
            if not self.unsent:
                self.unsent = memoryview(self.session.data_to_send())
            if not self.unsent:
                return
            sent = self.channel.send(self.unsent)
            self.unsent = self.unsent[sent:]
            if self.session.established:
                self.last_progress = now

    def interest(self) -> int:
        """What to wait for on the socket."""
        reading = selectors.EVENT_READ if self.session.listening and not self.unsent else 0
        return reading | (selectors.EVENT_WRITE if self.unsent else 0)


class Front:
    """The loop. `run` returns when the computation is over or nobody is left to serve."""

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
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._ending: Ending | None = None

    def run(self) -> Ending:
        """Serve until the end."""
        guest = self._runtime.guest.channel
        self._selector.register(self._control, selectors.EVENT_READ, self._admit)
        self._selector.register(self._private, selectors.EVENT_READ, self._sonora)
        self._selector.register(guest, selectors.EVENT_READ, self._guest)
        while self._ending is None:
            for key, events in self._selector.select(_TICK_S):
                if isinstance(key.data, _Connection):
                    self._serve(key.data, events)
                else:
                    key.data()
            self._turn_over()
        self._say_farewell()
        return self._ending

    def _turn_over(self) -> None:
        """What every turn of the loop ends with: answers, deadlines, the quorum."""
        now = time.monotonic()
        self._runtime.check_guest(now)
        self._runtime.deliver()
        for connection in list(self._connections):
            if now >= connection.deadline():
                self._drop(connection)
            else:
                self._flush(connection, now)
        if self._runtime.guest.channel.fileno() < 0:
            self._forget_guest()
        if self._runtime.shut_down and self._ending is None:
            self._ending = Ending.QUORUM

    # The four kinds of sources.

    def _admit(self) -> None:
        """The bridge hands over a session."""
        try:
            (descriptor,) = receive_descriptors(self._control, 1)
            channel = socket.socket(fileno=descriptor)
        except (RuntimeFailure, OSError):
            self._ending = Ending.BRIDGE_GONE
            return
        if len(self._connections) >= MAX_SESSIONS or channel.family != socket.AF_UNIX:
            channel.close()
            return
        session = Session(
            self._context,
            self._runtime.computation.policy,
            self._runtime,
            now=datetime.now(UTC),
        )
        connection = _Connection(channel, session, time.monotonic())
        self._connections.add(connection)
        self._selector.register(channel, selectors.EVENT_READ, connection)

    def _sonora(self) -> None:
        """Sonora has nothing to say after the start: anything here is its end."""
        self._ending = Ending.SONORA_GONE

    def _guest(self) -> None:
        self._runtime.guest_readable()

    def _serve(self, connection: _Connection, events: int) -> None:
        if connection not in self._connections:
            return
        if events & selectors.EVENT_READ:
            self._guarded(connection, lambda: connection.receive(time.monotonic()))
            self._runtime.deliver()

    def _forget_guest(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data == self._guest:
                self._selector.unregister(key.fileobj)

    # Sessions.

    def _flush(self, connection: _Connection, now: float) -> None:
        """Send what can be sent and wait for what comes next; close a session that is over."""
        self._guarded(connection, lambda: connection.send(now))
        if connection not in self._connections:
            return
        if connection.session.over and not connection.unsent:
            self._drop(connection)
            return
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
        self._connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.channel)
        connection.session.close()
        connection.channel.close()

    def _say_farewell(self) -> None:
        """Send what is still to be sent, for a few seconds at most."""
        deadline = time.monotonic() + _FAREWELL_S
        for connection in list(self._connections):
            connection.session.farewell()
            connection.channel.settimeout(max(0.01, deadline - time.monotonic()))
            self._guarded(connection, lambda open_one=connection: open_one.send(0.0))  # type: ignore[misc]
            self._drop(connection)
