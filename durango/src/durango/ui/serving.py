"""The page on a socket of this machine alone."""

import errno
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Final

import uvicorn

from durango.errors import DurangoError
from durango.ui.app import make_app
from durango.ui.door import Door
from durango.ui.seat import Seat

_GRACE_S: Final = 2
_MOST_AT_ONCE: Final = 64
_LOOPBACK: Final = "127.0.0.1"


def serve(seat: Seat, *, port: int, on_link: Callable[[str], object]) -> None:
    """Show the page until the process is interrupted.

    Args:
        seat: whose it is.
        port: where it listens on loopback; 0 takes a free one.
        on_link: is called with the address that lets a browser in, once, and with the next one when
            that was used.

    Raises:
        DurangoError: the port is taken.
    """
    with closing(listen(port)) as listening:
        door = Door(authority_of(listening), on_link=on_link)
        on_link(door.link)
        server_of(seat, door).run(sockets=[listening])


def server_of(seat: Seat, door: Door) -> uvicorn.Server:
    """What serves the page of this principal, behind this door."""
    config = uvicorn.Config(
        make_app(seat, door),
        lifespan="on",
        # By default uvicorn would set up the logging of the whole process, and log addresses.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=_MOST_AT_ONCE,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=16 * 1024,
    )
    return uvicorn.Server(config)


def authority_of(listening: socket.socket) -> str:
    """Where it listens, as browsers have it."""
    return f"{_LOOPBACK}:{listening.getsockname()[1]}"


def listen(port: int) -> socket.socket:
    """A socket on loopback.

    Raises:
        DurangoError: the port is taken.
    """
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "it is taken, give another --port" if taken else str(error.strerror).lower()
        raise DurangoError(f"cannot listen on {_LOOPBACK}:{port}: {reason}") from error
