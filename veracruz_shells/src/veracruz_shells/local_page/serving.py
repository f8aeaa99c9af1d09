"""A page on a socket of this machine alone."""

import asyncio
import errno
import socket
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from veracruz_utils.errors import VeracruzError

LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 64
"""At once; for one more, the one makes room that has asked nothing for longest."""
_REQUEST_S: Final = 10.0
"""Until a connection has said what it wants, whole: who says nothing makes room."""
_GRACE_S: Final = 2


class _Impatient(H11Protocol):
    """A connection that is closed if no request comes on it, or none more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self.silent_since = self.loop.time()
        self._make_room()
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next one."""
        super().on_response_complete()
        self.silent_since = self.loop.time()
        self._wait()

    def _wait(self) -> None:
        self.loop.call_later(_REQUEST_S, self._give_up, self.cycle)

    def _make_room(self) -> None:
        """Close who has asked nothing for longest: connections that idle keep nobody out."""
        there = [each for each in self.connections if isinstance(each, _Impatient)]
        open_ones = [each for each in there if not each.transport.is_closing()]
        if len(open_ones) >= MOST_CONNECTIONS:
            silent = [each for each in open_ones if each is not self and each.silent]
            if silent:
                min(silent, key=lambda each: each.silent_since).transport.close()

    @property
    def silent(self) -> bool:
        """Whether nothing is asked now that is not answered."""
        return bool(getattr(self.cycle, "response_complete", True))

    def _give_up(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last and self.silent:
            self.transport.close()


def page_server(app: ASGIApp, **more: Any) -> uvicorn.Server:  # noqa: ANN401 - uvicorn's own
    """What serves a page, whose lifespan goes with it.

    Args:
        app: the page.
        more: settings of uvicorn's.
    """
    config = uvicorn.Config(
        app,
        lifespan="on",
        # By default uvicorn would set up the logging of the whole process, and log addresses.
        log_config=None,
        # What strangers do wrong is not worth a line each.
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=_Impatient,
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=16 * 1024,
        **more,
    )
    return uvicorn.Server(config)


def authority_of(listening: socket.socket) -> str:
    """Where it listens, as browsers have it."""
    return f"{LOOPBACK}:{listening.getsockname()[1]}"


def listen(port: int, *, option: str) -> socket.socket:
    """A socket on loopback.

    Args:
        port: 0 takes a free one.
        option: by which the user says another one, for the error.

    Raises:
        VeracruzError: the port is taken.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = f"it is taken, give another {option}" if taken else str(error.strerror).lower()
        raise VeracruzError(f"cannot listen on {LOOPBACK}:{port}: {reason}") from error
