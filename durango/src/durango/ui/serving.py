"""The page of a principal, served until it is interrupted."""

from collections.abc import Callable
from contextlib import closing

import uvicorn

from durango.ui.app import make_app
from durango.ui.seat import Seat
from veracruz_shells.local_page.door import Door
from veracruz_shells.local_page.serving import authority_of, listen, page_server


def serve(seat: Seat, *, port: int, on_link: Callable[[str], object]) -> None:
    """Show the page until the process is interrupted.

    Args:
        seat: whose it is.
        port: where it listens on loopback; 0 takes a free one.
        on_link: is called with the address that lets a browser in, once, and with the next one when
            that was used.

    Raises:
        VeracruzError: the port is taken.
    """
    with closing(listen(port, option="--port")) as listening:
        door = Door(authority_of(listening), on_link=on_link)
        on_link(door.link)
        server_of(seat, door).run(sockets=[listening])


def server_of(seat: Seat, door: Door) -> uvicorn.Server:
    """What serves the page of this principal, behind this door."""
    return page_server(make_app(seat, door))
