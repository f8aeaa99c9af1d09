"""The isolate behind the bridge, as Sonora hands it out: a way to open sessions and to attest.

One connection to Sonora is one isolate; `colima.sonora` has the protocol. A thread watches that
connection and the control socket. Either one closing is the isolate's end; Sonora's last message
says what kind of end it was. Over the control socket the isolate tells which sessions it let in.
The isolate ends with us if we say so (`close`); a bridge that is killed can be started again, and
finds it as it was.
"""

import asyncio
import contextlib
import enum
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Protocol, Self
from weakref import WeakValueDictionary

from colima import FrameDecoder, WireError, decode, frame, read_frame
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
from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors
from sinaloa.errors import SinaloaError, SonoraUnreachableError
from sinaloa.traces import LAUNCH, MINT_TOKEN
from veracruz_shells.traces import tell, traceparent
from veracruz_utils.digest import Digest
from veracruz_utils.errors import UnreachableError

LAUNCH_S: Final = 60.0
"""That Sonora may take to launch an isolate, unless told otherwise; itself it takes up to 40 s."""
_TOKEN_S: Final = 30.0
_STEP_S: Final = 10.0  # for one message, or one session handed over
_END_S: Final = 6.0  # for Sonora's word on an isolate that is gone; it may need 5 to kill it
_BUFFER_BYTES: Final = 1 << 20
_NOTICES_BYTES: Final = 4096
MOST_ASKED: Final = 64
"""Requests that Sonora has not answered; so few that the next is never waited for."""


class End(enum.Enum):
    """How an isolate ended."""

    QUORUM = "every result reader asked for shutdown"
    EXPIRED = "the policy expired"
    IDLE = "nobody had a session for as long as the policy allows"
    FAILURE = "the isolate ended unexpectedly"
    SONORA_GONE = "sonora went away, and the isolate with it"


Describe = Callable[[End], str]
"""Says in words how an isolate ended."""

_ENDINGS: Final = {
    IsolateEnding.QUORUM: End.QUORUM,
    IsolateEnding.EXPIRED: End.EXPIRED,
    IsolateEnding.IDLE: End.IDLE,
    IsolateEnding.FAILURE: End.FAILURE,
}


class Stranger(Protocol):
    """Who has a session and has to say who it is; told when the isolate has let it in."""

    let_in: bool


class IsolateLink:
    """A running isolate; ends with `close`, or on its own; held by Sonora if our process just dies.

    Attributes:
        launched: what Sonora says of it. Only attestation proves any of it.
        had_since: by the monotonic clock, since when we have it.
    """

    def __init__(
        self,
        name: str,
        launched: Launched,
        connection: socket.socket,
        control: socket.socket,
        describe: Describe,
    ) -> None:
        """Watch over an isolate; `launch` makes one."""
        self.launched = launched
        self.had_since = time.monotonic()
        self._describe = describe
        self._name = name
        self._connection = connection
        self._control = control
        self._pending: deque[Future[bytes]] = deque()
        self._asking = threading.Lock()
        self._handing_over = asyncio.Lock()
        self._handed_over = 0
        self._strangers: WeakValueDictionary[int, Stranger] = WeakValueDictionary()
        self._notices = FrameDecoder()
        self._ended = threading.Condition()
        self._end: End | None = None
        self._on_end: Callable[[], None] = lambda: None
        self._watcher = threading.Thread(target=self._watch, name="isolate", daemon=True)
        self._watcher.start()

    @classmethod
    def launch(
        cls,
        sonora: Path,
        policy: bytes,
        *,
        describe: Describe = lambda end: end.value,
        timeout_s: float = LAUNCH_S,
    ) -> Self:
        """An isolate that holds exactly this policy: that of a bridge that is gone, or a new one.

        Args:
            sonora: the Unix socket Sonora listens on.
            policy: the policy's text.
            describe: how errors name the isolate's end.
            timeout_s: how long Sonora may take; longer than it gives an isolate itself
                (`sonora serve --isolate-start`), or its reasons are not heard.

        Raises:
            SonoraUnreachableError: nobody listens there, or does not answer in time.
            SinaloaError: Sonora does not launch one, or is none.
        """
        name = f"sonora at {sonora}"
        connection = _connect(sonora, name)
        try:
            with LAUNCH.span(policy=str(Digest.of(policy))):
                launched, control = _ask_for_isolate(connection, name, policy, timeout_s)
                tell(isolate=launched.isolate_id, found_again=launched.found_again)
        except BaseException:
            connection.close()
            raise
        return cls(name, launched, connection, control, describe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def asked(self) -> int:
        """How many requests Sonora has not answered."""
        return len(self._pending)

    @property
    def end(self) -> End | None:
        """How it ended; None while it runs."""
        return self._end

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, in some thread, once the isolate has ended of itself."""
        with self._ended:
            self._on_end = callback
            over = self._end is not None
        if over:
            callback()

    async def attest(self, challenge: bytes) -> bytes:
        """A PSA token over `challenge` (32 bytes).

        Raises:
            SonoraUnreachableError: Sonora went away or does not answer in time.
            SinaloaError: Sonora does not vouch for the isolate.
        """
        with MINT_TOKEN.span(isolate=self.launched.isolate_id):
            token = await self._token(challenge)
            tell(bytes_in=len(token))
            return token

    async def _token(self, challenge: bytes) -> bytes:
        answer: Future[bytes] = Future()
        with self._asking:
            self.check_running()
            if len(self._pending) >= MOST_ASKED:
                raise SonoraUnreachableError(
                    f"{self._name} has {MOST_ASKED} requests to answer: try again later"
                )
            # In one step with the sending: Sonora answers in the order of the requests it got.
            self._pending.append(answer)
            self._send_to_sonora(MintToken(challenge, traceparent() or ""))
        try:
            # Shielded: it stays in the queue, for a late answer must not pass for that to the next
            # challenge.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(answer)), _TOKEN_S)
        except TimeoutError:
            raise SonoraUnreachableError(f"{self._name} did not answer in {_TOKEN_S:g} s") from None

    async def open_session(self, stranger: Stranger | None = None) -> socket.socket:
        """A new session: this end of a socket pair whose other end the isolate now has.

        Args:
            stranger: told when the isolate has let it in, if somebody still holds it then.

        Raises:
            SonoraUnreachableError, SinaloaError: the isolate ended, or takes no sessions.
            UnreachableError: there is no open file for one.
        """
        self.check_running()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise UnreachableError(
                f"the bridge has no room for a session ({error.strerror}): try again later"
            ) from error
        with theirs:
            ours.settimeout(0)
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            try:
                async with asyncio.timeout(_STEP_S), self._handing_over:
                    await self._hand_over(theirs)
                    # Before any byte of the session is sent, and so before its notice can come.
                    self._handed_over += 1
                    if stranger is not None:
                        self._strangers[self._handed_over] = stranger
            except OSError as error:
                ours.close()
                raise SinaloaError("the isolate takes no session: it is ending or stuck") from error
            except BaseException:
                ours.close()
                raise
        return ours

    async def _hand_over(self, end: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return send_descriptors(self._control, [end.fileno()])
            except BlockingIOError:
                room = asyncio.Event()
                loop.add_writer(self._control, room.set)
                try:
                    await room.wait()
                finally:
                    loop.remove_writer(self._control)

    def close(self) -> None:
        """End the isolate, and wait until Sonora has seen to it; idempotent."""
        with self._ended:
            self._on_end = lambda: None
        with contextlib.suppress(SonoraUnreachableError, OSError):
            self._send_to_sonora(Release())
            # Half of it: Sonora sees our end, and can still say how the isolate had ended before.
            self._connection.shutdown(socket.SHUT_WR)
        self._watcher.join(_END_S)
        self.leave()

    def leave(self) -> None:
        """Go without a word, so that Sonora holds the isolate for another bridge; idempotent."""
        with self._ended:
            self._on_end = lambda: None
        for channel in (self._connection, self._control):
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
        self._watcher.join()
        self._connection.close()
        self._control.close()

    def check_running(self) -> None:
        """Return if it runs.

        Raises:
            SonoraUnreachableError, SinaloaError: it ended, and how.
        """
        if self._end is End.SONORA_GONE:
            raise SonoraUnreachableError(self._end.value)
        if self._end is not None:
            raise SinaloaError(f"the isolate has ended: {self._describe(self._end)}")

    def _send_to_sonora(self, message: MintToken | Release) -> None:
        try:
            self._connection.sendall(frame(TO_SONORA.encode(message)))
        except OSError as error:
            raise SonoraUnreachableError(f"{self._name} went away") from error

    # The watcher's thread.

    def _watch(self) -> None:
        try:
            end = self._await_end()
        except (OSError, WireError):
            end = End.SONORA_GONE
        with self._ended:
            # Before the queue is emptied: an `attest` either sees the end or is in the queue.
            self._end = end
            callback = self._on_end
        with self._asking:
            for answer in self._pending:
                answer.set_exception(SonoraUnreachableError(self._describe(end)))
            self._pending.clear()
        callback()

    def _await_end(self) -> End:
        deadline: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._control, selectors.EVENT_READ)
            while True:
                ready = selector.select(deadline and max(0.0, deadline - time.monotonic()))
                if not ready:
                    return End.FAILURE  # the isolate is gone and Sonora does not say how
                if any(key.fileobj is self._connection for key, _ in ready):
                    end = self._receive()
                    if end is not None:
                        return end
                elif not self._take_notices():
                    selector.unregister(self._control)
                    deadline = time.monotonic() + _END_S

    def _take_notices(self) -> bool:
        """Take what the isolate says on its control socket; False when it has closed it."""
        try:
            data = self._control.recv(_NOTICES_BYTES)
            self._notices.feed(data)
            while (payload := self._notices.next_frame()) is not None:
                stranger = self._strangers.pop(decode(LetIn, payload).session, None)
                if stranger is not None:
                    stranger.let_in = True
        except BlockingIOError:
            return True
        except (OSError, WireError):
            return False  # what it says there makes no sense: it is as good as gone
        return bool(data)

    def _receive(self) -> End | None:
        """Take Sonora's next message; what it says of the isolate's end."""
        message = _read(self._connection)
        match message:
            case None:
                return End.SONORA_GONE
            case Ended(ending):
                return _ENDINGS[ending]
            case Token(token):
                self._next_answer().set_result(token)
            case Failed(reason):
                self._next_answer().set_exception(
                    SinaloaError(f"sonora does not vouch for the isolate: {reason[:300]!r}")
                )
            case Launched():
                raise WireError("sonora launched a second isolate on one connection")
        return None

    def _next_answer(self) -> "Future[bytes]":
        if not self._pending:
            raise WireError("unsolicited answer from sonora")
        return self._pending.popleft()


def _connect(sonora: Path, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_STEP_S)
    try:
        connection.connect(str(sonora))
    except PermissionError as error:
        connection.close()
        raise SonoraUnreachableError(
            f"{name} is closed to this user: start it with --bridge-user or --bridge-group, "
            "and a --socket in a folder that this user can enter"
        ) from error
    except (OSError, ValueError) as error:
        connection.close()
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SonoraUnreachableError(
            f"{name} cannot be reached ({reason.lower()}): "
            "start it with 'sonora serve', or name its socket with --sonora"
        ) from error
    return connection


def _ask_for_isolate(
    connection: socket.socket, name: str, policy: bytes, timeout_s: float
) -> tuple[Launched, socket.socket]:
    try:
        connection.settimeout(timeout_s)
        connection.sendall(frame(TO_SONORA.encode(Launch(policy, traceparent() or ""))))
        launched = _read_launched(connection, name)
        control = _receive_socket(connection)
        connection.settimeout(_STEP_S)
        control.settimeout(0)
    except TimeoutError as error:
        raise SonoraUnreachableError(
            f"{name} launched no isolate within {timeout_s:g} s: a busy or emulated machine needs "
            "longer (sinaloa serve --launch-timeout, and sonora serve --isolate-start)"
        ) from error
    except OSError as error:
        raise SonoraUnreachableError(f"{name} went away while it launched the isolate") from error
    except WireError as error:
        raise SinaloaError(f"{name} does not speak Sonora's protocol: {error}") from error
    return launched, control


def _read_launched(connection: socket.socket, name: str) -> Launched:
    match _read(connection):
        case Launched() as launched:
            return launched
        case Failed(reason):
            raise SinaloaError(f"{name} launches no isolate: {reason[:300]!r}")
        case None:
            raise ConnectionResetError
        case other:
            raise WireError(f"expected Launched, got {type(other).__name__}")


def _read(connection: socket.socket) -> FromSonora | None:
    payload = read_frame(connection.recv)
    return None if payload is None else FROM_SONORA.decode(payload)


def _receive_socket(connection: socket.socket) -> socket.socket:
    """The one socket that comes with the next byte."""
    try:
        (descriptor,) = receive_descriptors(connection, 1)
    except PlatformError as error:
        raise WireError(f"no control socket came with the isolate: {error}") from error
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        os.close(descriptor)
        raise WireError("the descriptor that came with the isolate is not a socket") from error
