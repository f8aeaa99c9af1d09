"""Connections that are few of each address, with TLS, and heads of requests that come in time.

uvicorn bounds the size of a head and leaves its time open, and would do TLS before it tells anybody
that a client is there. Here a client is counted when it connects, and then it has so long for its
handshake, and so long for each head. TLS is as the files are when it connects.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from tabasco import metrics
from tabasco.http.connections import Connections
from veracruz_shells.calls import peer_of_host
from veracruz_shells.log import LineLimit, about
from veracruz_shells.server_tls import ServerTls

HEAD_TIMEOUT_S: Final = 10.0
CLIENT_CERTIFICATE: Final = "client_certificate"
"""In the state of a request's scope: whether its client showed a certificate of the authorities."""


_LOG: Final = logging.getLogger(__name__)
_REFUSALS: Final = LineLimit()


class TimedHeads(H11Protocol):
    """A connection that is closed when a request's head does not come whole in time.

    The time runs from the connection's beginning, and from the end of an answer on.
    """

    _late: asyncio.TimerHandle | None = None
    _handshake: asyncio.Task[None] | None = None
    _early: bytes | None = None
    """What came in the handshake's last packet: bytes, while the handshake is not over yet."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        room: Connections,
        tls: ServerTls | None,
    ) -> None:
        """A connection that is not there yet; as uvicorn makes them, with `room` and `tls`."""
        super().__init__(config, server_state, app_state)
        self._room = room
        self._tls = tls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client is there; its handshake or its first request is awaited."""
        self.transport = transport
        place = transport.get_extra_info("peername")
        host = place[0] if isinstance(place, tuple) else ""
        if not self._room.add(self, host):
            _tell_refused("too-many", host)
            transport.abort()
            return
        if self._tls is None:
            self._begin(transport)
        else:
            self._early = b""
            handshake = self._shake_hands(transport, self._tls)
            self._handshake = self.loop.create_task(handshake)

    def data_received(self, data: bytes) -> None:
        """Something came; if it completed a head, nothing is awaited any more."""
        if self._early is not None:
            self._early += data
            return
        super().data_received(data)
        if not self._idle():
            self._forget()
        # Not anew for each byte: a client that drips would never be late.
        elif self._late is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._room.remove(self)
        self._forget()
        if self.flow is not None:  # None: it was gone before its handshake was over
            super().connection_lost(exc)

    def is_waiting(self) -> bool:
        """Whether it waits for its client, for a handshake or the rest of a request."""
        return self._early is not None or self._idle() or self.cycle.more_body

    def end(self) -> None:
        """End it at once."""
        self.transport.abort()

    async def _shake_hands(self, transport: asyncio.Transport, tls: ServerTls) -> None:
        try:
            secure = await self.loop.start_tls(
                transport,
                self,
                tls.context(),
                server_side=True,
                ssl_handshake_timeout=HEAD_TIMEOUT_S,
                ssl_shutdown_timeout=1.0,
            )
        except (OSError, ssl.SSLError) as error:  # of TLS the client learns by TLS
            secure = None
            place = transport.get_extra_info("peername")
            _tell_refused(
                "tls" if isinstance(error, ssl.SSLError) else "late-or-gone",
                place[0] if isinstance(place, tuple) else "",
            )
        if secure is None:
            self._room.remove(self)
            transport.abort()
            return
        shown = secure.get_extra_info("ssl_object").getpeercert(binary_form=True) is not None
        self.app_state = {**self.app_state, CLIENT_CERTIFICATE: shown}
        early, self._early = self._early or b"", None
        self._begin(secure)
        if early:
            self.data_received(early)

    def _begin(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._await_head()

    def _idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request
        return cycle is None or cycle.response_complete

    def _await_head(self) -> None:
        self._late = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _give_up(self) -> None:
        self._late = None
        if self._idle() and not self.transport.is_closing():
            # Not `close`, which would wait for a client that does not read its answer.
            self.transport.abort()

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def _tell_refused(reason: str, host: str) -> None:
    metrics.HANDSHAKES_REFUSED.add(reason=reason)
    unlogged = _REFUSALS.take()
    if unlogged is not None:
        told = about(peer=peer_of_host(host), outcome=reason, unlogged=unlogged or None)
        _LOG.info("connection refused", extra=told)


def protocol_with(tls: ServerTls | None, room: Connections) -> Callable[..., TimedHeads]:
    """What makes the connections of one server, which has this room for them."""

    def made(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> TimedHeads:
        return TimedHeads(config, server_state, app_state, room=room, tls=tls)

    return made
