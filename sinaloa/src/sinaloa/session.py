"""One principal's session: opaque bytes, pumped both ways between its principal and a socket.

Each way is a task that holds one piece at a time and waits for whoever is slow, so nothing piles up
here. Either side ending ends the other. `Bridge` asks `stalled`, and cuts off a side that takes
nothing for too long. While nothing passes, a session is two waiting tasks and no thread.
"""

import asyncio
import contextlib
import socket
import time
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Final

from colima.sinaloa import MAX_CHUNK_BYTES
from veracruz_shells.call_handlers import Stream
from veracruz_utils.errors import VeracruzError

# One for all: between filling and emptying it nobody else gets a turn of the event loop.
_BUFFER: Final = memoryview(bytearray(MAX_CHUNK_BYTES))

_LAST_PIECE_S: Final = 0.1
"""For the principal to take the piece that it is being sent, when its session is cut off."""


class SessionEnd(StrEnum):
    """What ended a session."""

    ENDED = "ended"
    """The isolate did, or the principal in good order."""
    LEFT = "left"
    """The principal went away."""
    GAVE_WAY = "gave-way"
    STALLED = "stalled"
    BRIDGE_ENDING = "bridge-ending"
    NOT_SERVED = "not-served"
    """The policy is served no more."""
    FAILED = "failed"


class BridgeSession(ABC):
    """The bytes of one session; owns the socket to the isolate.

    How they come from a principal and go there is a subclass's business. It has a coroutine for
    each way, which tells of each piece by `upload_begun` and `upload_done`, and so of downloads.
    """

    __slots__ = (
        "_download_since",
        "_last_word",
        "_upload_since",
        "bytes_in",
        "bytes_out",
        "channel",
        "cut_off",
        "end",
        "number",
    )

    def __init__(self, channel: socket.socket) -> None:
        """Pump to and from `channel`, which does not block."""
        self.channel = channel
        self._upload_since: float | None = time.monotonic()  # silence counts until the first piece
        self._download_since: float | None = None
        self._last_word: float | None = None  # of the isolate, if the principal said nothing since
        self.cut_off: VeracruzError | None = None
        self.end: SessionEnd | None = None  # if it was cut off
        self.number = 0  # by which the log names it, once it is carried
        self.bytes_in = 0  # that went to the isolate
        self.bytes_out = 0

    @abstractmethod
    async def upload(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand what the principal sends to the isolate; OSError when the isolate takes no more."""

    @abstractmethod
    async def download(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand what the isolate sends to the principal; OSError when either broke off."""

    @abstractmethod
    def end_connection(self) -> None:
        """End the connection of a principal that takes nothing."""

    def upload_begun(self) -> None:
        """A piece came from the principal, for the isolate to take."""
        self._last_word = None
        self._upload_since = time.monotonic()

    def upload_done(self, size: int) -> None:
        """The isolate's socket has taken it."""
        self.bytes_in += size
        self._upload_since = None

    def download_begun(self) -> None:
        """A piece came from the isolate, for the principal to take."""
        self._download_since = time.monotonic()

    def download_done(self, size: int) -> None:
        """The principal's connection has taken it."""
        self.bytes_out += size
        self._download_since = None
        self._last_word = time.monotonic()

    async def pump(self) -> None:
        """Carry bytes until the isolate, the principal or `cut` ends the session.

        Raises:
            VeracruzError: it was cut off, for this reason.
        """
        loop = asyncio.get_running_loop()
        uploading = loop.create_task(self._upload_to_its_end(loop))
        try:
            with contextlib.suppress(OSError):  # the isolate died with bytes unread
                await self.download(loop)
        finally:
            self._download_since = None
            uploading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await uploading
            # Not before: what waits for a socket that is closed waits for another of its number.
            self.channel.close()
        if self.cut_off is not None:
            raise self.cut_off

    async def _upload_to_its_end(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await self.upload(loop)
            self.channel.shutdown(socket.SHUT_WR)
        except OSError:
            self.hang_up()
        finally:
            self._upload_since = None

    def stalled(self, since: float) -> bool:
        """Whether, since then (monotonic), a side took nothing or the principal sent nothing."""
        return any(
            start is not None and start < since
            for start in (self._upload_since, self._download_since)
        )

    def answered(self, since: float) -> bool:
        """Whether the isolate had the last word, before then (monotonic): nothing is under way."""
        return (
            self._upload_since is None
            and self._download_since is None
            and self._last_word is not None
            and self._last_word < since
        )

    def cut(self, why: VeracruzError, end: SessionEnd) -> None:
        """End the session from outside; the principal is told why, if it listens."""
        self.cut_off, self.end = why, end
        self.hang_up()
        if self._download_since is not None:
            asyncio.get_running_loop().call_later(_LAST_PIECE_S, self._end_deaf)

    def _end_deaf(self) -> None:
        """End a session that was cut off while the principal was to take a piece."""
        if self._download_since is not None:
            self.end_connection()

    def hang_up(self) -> None:
        """Let the isolate see the end of the session; idempotent."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)


class StreamSession(BridgeSession):
    """A session over a stream of gRPC."""

    __slots__ = ("_stream",)

    def __init__(self, channel: socket.socket, stream: Stream) -> None:
        super().__init__(channel)
        self._stream = stream

    async def upload(self, loop: asyncio.AbstractEventLoop) -> None:
        """See `BridgeSession.upload`."""
        while (chunk := await self._stream.read()) is not None:
            self.upload_begun()
            await loop.sock_sendall(self.channel, chunk)
            self.upload_done(len(chunk))
            del chunk  # up to 1 MiB, which would be kept until the next one comes

    async def download(self, loop: asyncio.AbstractEventLoop) -> None:
        """See `BridgeSession.download`."""
        while piece := await self._piece(loop):
            self.download_begun()
            await self._stream.write(piece)
            self.download_done(len(piece))
            del piece

    def end_connection(self) -> None:
        """See `BridgeSession.end_connection`."""
        self._stream.end_connection()

    async def _piece(self, loop: asyncio.AbstractEventLoop) -> bytes:
        """What the isolate has sent, at most a chunk; b"" at its end."""
        while True:
            try:
                return bytes(_BUFFER[: self.channel.recv_into(_BUFFER)])
            except BlockingIOError:
                await readable(loop, self.channel)


async def readable(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    """Wait until there is something to read."""
    ready = loop.create_future()
    # By its number: to look a socket up that is not known writes its addresses into an error.
    number = channel.fileno()
    loop.add_reader(number, _done, ready)
    try:
        await ready
    finally:
        loop.remove_reader(number)


async def writable(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    """Wait until there is room to write."""
    ready = loop.create_future()
    number = channel.fileno()
    loop.add_writer(number, _done, ready)
    try:
        await ready
    finally:
        loop.remove_writer(number)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
