"""A session over bare TCP: its bytes go from socket to socket, past this process."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final

from colima import encode, frame
from colima.sinaloa import BulkAnswer, BulkStatus
from sinaloa.pipes import SplicePipe, SplicePipes
from sinaloa.session import BridgeSession, readable, writable

_OPENED: Final = frame(encode(BulkAnswer(BulkStatus.OPENED)))
_AT_ONCE: Final = 16
"""Pipes full of one way of one session in a turn."""
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class BulkSession(BridgeSession):
    """The bytes of one session between two sockets; the principal's stays its caller's to close.

    Attributes:
        opened: whether the principal was told that its bytes may come.
    """

    def __init__(
        self, channel: socket.socket, connection: socket.socket, pipes: SplicePipes
    ) -> None:
        super().__init__(channel)
        self._connection = connection
        self._pipes = pipes
        self.opened = False

    async def pump(self) -> None:
        """Say that it is open, and see `BridgeSession.pump`."""
        self.opened = True
        try:
            self._connection.send(_OPENED)  # the first bytes on a connection: there is room
        except OSError:
            self.channel.close()
            return
        await super().pump()

    async def upload(self, loop: asyncio.AbstractEventLoop) -> None:
        """See `BridgeSession.upload`."""
        ways = self._connection, self.channel
        await self._carry(loop, *ways, self.upload_begun, self.upload_done)

    async def download(self, loop: asyncio.AbstractEventLoop) -> None:
        """See `BridgeSession.download`."""
        ways = self.channel, self._connection
        await self._carry(loop, *ways, self.download_begun, self.download_done)

    def end_connection(self) -> None:
        """See `BridgeSession.end_connection`."""
        with contextlib.suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._connection.shutdown(socket.SHUT_RDWR)

    async def _carry(
        self,
        loop: asyncio.AbstractEventLoop,
        source: socket.socket,
        target: socket.socket,
        begun: Callable[[], None],
        done: Callable[[int], None],
    ) -> None:
        """Carry what comes to its end, a few pipes full before others have a turn."""
        while True:
            await readable(loop, source)
            with self._pipes.lent() as pipe:
                for _ in range(_AT_ONCE):
                    try:
                        size = pipe.fill(source)
                    except BlockingIOError:
                        break
                    if not size:
                        return
                    begun()
                    await _emptied(loop, pipe, target)
                    done(size)


async def _emptied(
    loop: asyncio.AbstractEventLoop, pipe: SplicePipe, target: socket.socket
) -> None:
    while pipe.held:
        try:
            pipe.empty(target)
        except BlockingIOError:
            await writable(loop, target)
