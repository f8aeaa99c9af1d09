"""One principal's session: opaque bytes, pumped both ways between a gRPC stream and a socket.

Each way is a task that holds one piece at a time and waits for whoever is slow, so nothing piles up
here. Either side ending ends the other. `Bridge` asks `stalled`, and cuts off a side that takes
nothing for too long. While nothing passes, a session is two waiting tasks and no thread.
"""

import asyncio
import contextlib
import socket
import time
from typing import Final

from colima.sinaloa import MAX_CHUNK_BYTES
from veracruz_shells.call_handlers import Stream
from veracruz_utils.errors import VeracruzError

# One for all: between filling and emptying it nobody else gets a turn of the event loop.
_BUFFER: Final = memoryview(bytearray(MAX_CHUNK_BYTES))

_LAST_PIECE_S: Final = 0.1
"""For the principal to take the piece that it is being sent, when its session is cut off."""


class BridgeSession:
    """The bytes of one session; owns the socket to the isolate."""

    __slots__ = (
        "_channel",
        "_download_since",
        "_last_word",
        "_stream",
        "_upload_since",
        "bytes_in",
        "bytes_out",
        "cut_off",
    )

    def __init__(self, channel: socket.socket, stream: Stream) -> None:
        """Pump between `channel`, which does not block, and a stream."""
        self._channel = channel
        self._stream = stream
        self._upload_since: float | None = time.monotonic()  # silence counts until the first piece
        self._download_since: float | None = None
        self._last_word: float | None = None  # of the isolate, if the principal said nothing since
        self.cut_off: VeracruzError | None = None
        self.bytes_in = 0  # that went to the isolate
        self.bytes_out = 0

    async def pump(self) -> None:
        """Carry bytes until the isolate, the principal or `cut` ends the session.

        Raises:
            VeracruzError: it was cut off, for this reason.
        """
        loop = asyncio.get_running_loop()
        uploading = loop.create_task(self._upload(loop))
        try:
            await self._download(loop)
        finally:
            self._download_since = None
            uploading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await uploading
            # Not before: what waits for a socket that is closed waits for another of its number.
            self._channel.close()
        if self.cut_off is not None:
            raise self.cut_off

    async def _upload(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand what the principal sends to the isolate, until either has no more of it."""
        try:
            while (chunk := await self._stream.read()) is not None:
                self._last_word = None
                self._upload_since = time.monotonic()
                await loop.sock_sendall(self._channel, chunk)
                self.bytes_in += len(chunk)
                self._upload_since = None
            self._channel.shutdown(socket.SHUT_WR)
        except OSError:
            self.hang_up()
        finally:
            self._upload_since = None

    async def _download(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand what the isolate sends to the principal, until either has enough."""
        try:
            while piece := await self._piece(loop):
                self._download_since = time.monotonic()
                await self._stream.write(piece)
                self.bytes_out += len(piece)
                self._download_since = None
                self._last_word = time.monotonic()
        except OSError:
            pass  # the isolate died with bytes unread

    async def _piece(self, loop: asyncio.AbstractEventLoop) -> bytes:
        """What the isolate has sent, at most a chunk; b"" at its end."""
        while True:
            try:
                return bytes(_BUFFER[: self._channel.recv_into(_BUFFER)])
            except BlockingIOError:
                await _readable(loop, self._channel)

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

    def cut(self, why: VeracruzError) -> None:
        """End the session from outside; the principal is told why, if it listens."""
        self.cut_off = why
        self.hang_up()
        if self._download_since is not None:
            asyncio.get_running_loop().call_later(_LAST_PIECE_S, self._end_deaf)

    def _end_deaf(self) -> None:
        """End a session that was cut off while the principal was to take a piece."""
        if self._download_since is not None:
            self._stream.end_connection()

    def hang_up(self) -> None:
        """Let the isolate see the end of the session; idempotent."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)


async def _readable(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    """Wait until there is something to read."""
    ready = loop.create_future()
    loop.add_reader(channel, _done, ready)
    try:
        await ready
    finally:
        loop.remove_reader(channel)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
