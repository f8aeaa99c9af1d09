"""A Sonora that speaks the real wire on a real Unix socket, with isolates that echo."""

import contextlib
import hashlib
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from colima import encode, frame, read_frame
from colima.isolate import LetIn
from colima.sonora import (
    FROM_SONORA,
    TO_SONORA,
    Ended,
    Failed,
    FromSonora,
    IsolateEnding,
    Launch,
    Launched,
    MintToken,
    Release,
    Token,
)
from support.patience import PATIENCE_S

PLATFORM = "linux-software-root"
MEASUREMENT = b"\x5a" * 32
CERTIFICATE_DIGEST = b"\xce" * 32


def echo(channel: socket.socket) -> None:
    """Give back what comes, until it ends."""
    while data := channel.recv(1 << 16):
        channel.sendall(data)


def deaf(channel: socket.socket) -> None:
    """Take nothing, until the other side gives up."""
    wait_for_hang_up(channel)


def flood(channel: socket.socket) -> None:
    """Send without end, whatever comes."""
    with contextlib.suppress(OSError):
        while True:
            channel.sendall(bytes(1 << 20))


def sink(channel: socket.socket) -> None:
    """Count what comes up to its end, then say how much it was."""
    total = 0
    while data := channel.recv(1 << 20):
        total += len(data)
    channel.sendall(str(total).encode())


def wait_for_hang_up(channel: socket.socket) -> None:
    """Wait until the other side closes, with bytes unread or not."""
    poll = select.poll()
    poll.register(channel, select.POLLHUP)
    poll.poll(30_000)


class FakeIsolate:
    """What sits behind a control socket: a thread per session, each running `serve`."""

    def __init__(
        self,
        control: socket.socket,
        serve: Callable[[socket.socket], None],
        lets_in: Callable[[], bool],
    ) -> None:
        self.control = control
        self.serve = serve
        self.lets_in = lets_in
        self.sessions: list[socket.socket] = []
        self.session_ended = threading.Semaphore(0)
        self._threads = [_start(self._admit)]

    def _admit(self) -> None:
        with self.control, contextlib.suppress(OSError):
            while True:
                data, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
                if not data:
                    break
                channel = socket.socket(fileno=descriptors[0])
                self.sessions.append(channel)
                self._threads.append(_start(self._run, channel, len(self.sessions)))

    def let_in(self, number: int) -> None:
        """Say that the session handed over as this one has shaken hands."""
        self.control.sendall(frame(encode(LetIn(number))))

    def _run(self, channel: socket.socket, number: int) -> None:
        with channel, contextlib.suppress(OSError):
            # As with an isolate: a handshake takes bytes of the session.
            if self.lets_in() and channel.recv(1, socket.MSG_PEEK):
                self.let_in(number)
            self.serve(channel)
        self.session_ended.release()

    def die(self) -> None:
        """End as a process does: every descriptor closes."""
        for channel in (self.control, *self.sessions):
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait until it is gone."""
        for thread in self._threads:
            thread.join(PATIENCE_S)


class FakeSonora:
    """Launches fake isolates; misbehaves on demand.

    Attributes:
        launch: makes the answer to `Launch` instead of `Launched`; None for the usual one.
        vouch: makes the answer to a `MintToken`; None answers nothing.
        lets_in: whether its isolates let in whoever comes, from now on.
        found_again: what it says of that to who launches.
        released: whether a bridge has said that its isolate is to end.
    """

    def __init__(self, path: Path, serve: Callable[[socket.socket], None] = echo) -> None:
        self.path = path
        self.serve = serve
        self.launch: Callable[[socket.socket, bytes], FromSonora | None] | None = None
        self.vouch: Callable[[bytes], FromSonora | None] = lambda challenge: Token(b"t" + challenge)
        self.lets_in = False
        self.released = False
        self.found_again = False
        self.policies: list[bytes] = []
        self.isolates: list[FakeIsolate] = []
        self.connections: list[socket.socket] = []
        self.bridge_gone = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._threads = [_start(self._accept)]

    def close(self) -> None:
        """Vanish."""
        self._server.shutdown(socket.SHUT_RDWR)
        self.path.unlink(missing_ok=True)
        self.drop_bridges()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._server.close()
        for isolate in self.isolates:
            isolate.join()

    def drop_bridges(self) -> None:
        """End all connections, as when the process dies; isolates die with it."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for isolate in self.isolates:
            isolate.die()

    def end_isolate(self, ending: IsolateEnding, *, told: bool = True) -> None:
        """Let the isolate end, and say so unless Sonora is stuck."""
        self.isolates[-1].die()
        if told:
            self.say(Ended(ending))

    def say(self, message: FromSonora) -> None:
        """Send a message to the bridge."""
        self.connections[-1].sendall(frame(FROM_SONORA.encode(message)))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections.append(connection)
                self._threads.append(_start(self._bridge, connection))

    def _bridge(self, connection: socket.socket) -> None:
        launched: list[FakeIsolate] = []
        with connection, contextlib.suppress(OSError):
            message = TO_SONORA.decode(read_frame(connection.recv, limit=1 << 21))
            assert isinstance(message, Launch)
            self.policies.append(message.policy)
            if self.launch is not None:
                answer = self.launch(connection, message.policy)
                if answer is not None:
                    connection.sendall(frame(FROM_SONORA.encode(answer)))
            else:
                launched.append(self._launch(connection, message.policy))
            self._mint(connection)
        for isolate in launched:
            isolate.die()
            isolate.join()
        self.bridge_gone.set()

    def _launch(self, connection: socket.socket, policy: bytes) -> FakeIsolate:
        control, theirs = socket.socketpair()
        isolate = FakeIsolate(control, self.serve, lambda: self.lets_in)
        self.isolates.append(isolate)
        launched = launched_with(policy, len(self.isolates), found_again=self.found_again)
        connection.sendall(frame(FROM_SONORA.encode(launched)))
        with theirs:
            socket.send_fds(connection, [b"\0"], [theirs.fileno()])
        return isolate

    def _mint(self, connection: socket.socket) -> None:
        while (payload := read_frame(connection.recv)) is not None:
            message = TO_SONORA.decode(payload)
            if isinstance(message, Release):
                self.released = True
                return
            assert isinstance(message, MintToken)
            answer = self.vouch(message.challenge)
            if answer is not None:
                connection.sendall(frame(FROM_SONORA.encode(answer)))


def _start(target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def launched_with(policy: bytes, number: int = 1, *, found_again: bool = False) -> Launched:
    """What Sonora says of an isolate with this policy."""
    digest = hashlib.sha256(policy).digest()
    return Launched(number, PLATFORM, MEASUREMENT, digest, CERTIFICATE_DIGEST, found_again)


def refuse(_connection: socket.socket, _policy: bytes) -> Failed:
    """An answer to `Launch`."""
    return Failed("16 isolates run already; end one of them first")


def open_descriptors() -> int:
    """How many descriptors this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
