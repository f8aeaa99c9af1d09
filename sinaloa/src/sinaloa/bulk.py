"""The bridge's second address: sessions over bare TCP, for those who send or fetch much.

A connection begins with one small frame, which says whose session it is to be, and gets one back
(`colima.sinaloa`). All that holds of a session over gRPC holds of one here: it takes a place of its
policy, and gives way, is cut off and drained as the others. What has not said its word costs a
socket and a task, has a few seconds, and gives way to others that come.
"""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any, Final, Self

from colima import WireError, decode, encode, frame
from colima.framing import HEADER_BYTES, payload_length
from colima.sinaloa import (
    BULK_VERSION,
    MAX_OPENING_BYTES,
    MAX_REASON_CHARS,
    POLICY_KEY,
    BulkAnswer,
    BulkStatus,
    OpenBulk,
)
from sinaloa.bridge import Bridge
from sinaloa.bulk_session import BulkSession
from sinaloa.pipes import SplicePipes
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.call_handlers import Caller
from veracruz_shells.calls import Arrivals, peer_of_host
from veracruz_shells.event_loop import event_loop
from veracruz_shells.listening import listen
from veracruz_shells.tcp import settle
from veracruz_shells.traces import TRACEPARENT, traceparent_in
from veracruz_utils.address import Address
from veracruz_utils.errors import UnreachableError, VeracruzError

_LOG: Final = logging.getLogger(__name__)
_OPENINGS: Final = 64
"""Connections that have not said what they want."""
_OPENING_S: Final = 10.0
_PARTINGS: Final = 64
_PARTING_S: Final = 2.0
"""For what is on its way to a principal that still sends, before its connection is closed."""
_NO_FILES_S: Final = 0.1
_SPILL: Final = memoryview(bytearray(64 * 1024))


class BulkListener:
    """Takes sessions over TCP for a bridge, for as long as the `with` block lasts."""

    def __init__(self, address: Address, bridge: Bridge, *, opening_s: float = _OPENING_S) -> None:
        """Nothing listens yet.

        Args:
            address: where to listen; port 0 takes a free one.
            bridge: has the sessions.
            opening_s: how long a client may take to say what it wants, in seconds.
        """
        self._address = address
        self._bridge = bridge
        self._pipes = SplicePipes()
        self._arrivals = Arrivals(_OPENINGS, opening_s)
        self._parting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return str(self._address)

    def __enter__(self) -> Self:
        """Start to listen.

        Raises:
            VeracruzError: the address cannot be listened on.
        """
        self._listener = listen(self._address)
        self._listener.settimeout(0)
        port = int(self._listener.getsockname()[1])
        self._address = Address(self._address.host, port)
        self._bridge.bulk_port = port
        event_loop().call_soon_threadsafe(self._begin, self._accept())
        return self

    def __exit__(self, *_: object) -> None:
        self._bridge.bulk_port = 0
        asyncio.run_coroutine_threadsafe(self._end(), event_loop()).result()
        self._listener.close()
        self._pipes.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, place = await loop.sock_accept(self._listener)
            except OSError:  # who called has gone again, or there are too many open files
                await asyncio.sleep(_NO_FILES_S)
                continue
            self._begin(self._serve(connection, peer_of_host(place[0])))

    async def _serve(self, connection: socket.socket, peer: str) -> None:
        with connection:
            try:
                settle(connection)
                await self._carry(connection, peer)
                await self._part(connection)
            except OSError:
                return  # it is gone
            except Exception:  # noqa: BLE001 - one connection must not end the service
                _LOG.exception("connection failed")

    async def _carry(self, connection: socket.socket, peer: str) -> None:
        """A session from its first word to its end, or to its refusal."""
        opened: list[BulkSession] = []

        def session(channel: socket.socket) -> BulkSession:
            opened.append(BulkSession(channel, connection, self._pipes))
            return opened[-1]

        try:
            with self._bridge.records.opening(peer):
                said = await self._opening(connection, peer)
            if said is not None:
                caller = Caller(
                    peer,
                    {POLICY_KEY: said.policy_digest.hex()},
                    traceparent_in([(TRACEPARENT, said.traceparent)]),
                )
                await self._bridge.carry(caller, session)
        except VeracruzError as error:
            # A session that is open has no place for a word of ours: the principal sees its end.
            if not any(each.opened for each in opened):
                connection.send(frame(encode(_refusal(error))))

    async def _opening(self, connection: socket.socket, peer: str) -> OpenBulk | None:
        """Whose session a client wants; None if it does not say."""
        reading = asyncio.ensure_future(_read_opening(connection))
        with self._arrivals.waiting(peer, reading.cancel):
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                if not reading.cancelled():
                    reading.cancel()
                    raise
                return None

    async def _part(self, connection: socket.socket) -> None:
        """End a connection so that what was sent last arrives: what comes is read, and dropped.

        A connection that is closed with something unread is reset, and may lose what it had sent.
        """
        connection.shutdown(socket.SHUT_WR)
        if self._parting >= _PARTINGS:
            return
        self._parting += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PARTING_S):
                while await loop.sock_recv_into(connection, _SPILL):
                    pass
        except TimeoutError:
            pass
        finally:
            self._parting -= 1


async def _read_opening(connection: socket.socket) -> OpenBulk:
    """Read the first word and no byte more.

    Raises:
        CallError: it is none.
        OSError: the client is gone.
    """
    try:
        header = await _exactly(connection, HEADER_BYTES)
        size = payload_length(header, limit=MAX_OPENING_BYTES)
        said = decode(OpenBulk, await _exactly(connection, size))
    except WireError as error:
        raise CallError(
            CallStatus.INVALID_ARGUMENT, f"this is a port for sessions of durango: {error}"
        ) from error
    if said.version != BULK_VERSION:
        raise CallError(
            CallStatus.FAILED_PRECONDITION,
            f"the client speaks version {said.version}, this bridge {BULK_VERSION}: use gRPC",
        )
    return said


async def _exactly(connection: socket.socket, size: int) -> bytes:
    loop, found = asyncio.get_running_loop(), b""
    while len(found) < size:
        piece = await loop.sock_recv(connection, size - len(found))
        if not piece:
            raise ConnectionResetError
        found += piece
    return found


def _refusal(error: VeracruzError) -> BulkAnswer:
    reason = " ".join(str(error).split())[:MAX_REASON_CHARS]
    if isinstance(error, UnreachableError):
        return BulkAnswer(BulkStatus.ENDING, reason)
    if isinstance(error, CallError) and error.status is CallStatus.RESOURCE_EXHAUSTED:
        return BulkAnswer(BulkStatus.BUSY, reason)
    return BulkAnswer(BulkStatus.REFUSED, reason)
