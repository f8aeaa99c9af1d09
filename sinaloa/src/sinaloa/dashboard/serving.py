"""`--dashboard`: the delegate's page beside the bridge, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

import click

from sinaloa.dashboard.counting import Counts, Totals
from sinaloa.dashboard.standing import BridgeStanding
from veracruz_shells.console import note
from veracruz_shells.event_loop import event_loop
from veracruz_shells.metrics import also_recorded_into
from veracruz_utils.errors import VeracruzError

_ANSWER_S: Final = 5.0
_END_S: Final = 5.0
_MOST_PORT: Final = 65535

dashboard_option = click.option(
    "--dashboard",
    type=click.IntRange(0, _MOST_PORT),
    metavar="PORT",
    help="Show what the bridge does on a page of this machine, at this port of 127.0.0.1; 0 takes "
    "a free one. The link, which lets one browser in, is told. Needs the extra dashboard.",
)
"""Adds `--dashboard`."""


@contextmanager
def dashboard(port: int | None, look: Callable[[Counts], BridgeStanding]) -> Iterator[None]:
    """Serve the page for as long as the `with` block lasts.

    Args:
        port: of loopback; None for no page, which costs nothing.
        look: gives what the bridge has, with these counts; runs in the bridge's event loop.

    Raises:
        VeracruzError: the extra is not installed, or the port is taken.
    """
    if port is None:
        yield
        return
    try:
        from sinaloa.dashboard.app import make_app  # noqa: PLC0415 - the extra
        from veracruz_shells.local_page.door import Door  # noqa: PLC0415
        from veracruz_shells.local_page.serving import (  # noqa: PLC0415
            authority_of,
            listen,
            page_server,
        )
    except ModuleNotFoundError as error:
        raise VeracruzError(
            f"--dashboard needs {error.name}: pip install 'veracruz-sinaloa[dashboard]', or leave"
            " it away"
        ) from error

    totals = Totals()

    async def now() -> BridgeStanding:
        return look(totals.now())

    async def asked() -> BridgeStanding:
        answer = asyncio.run_coroutine_threadsafe(now(), event_loop())
        return await asyncio.wait_for(asyncio.wrap_future(answer), _ANSWER_S)

    with (
        closing(listen(port, option="--dashboard")) as listening,
        also_recorded_into(totals.take),
    ):
        door = Door(authority_of(listening), on_link=_tell)
        server = page_server(make_app(asked, door))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="dashboard", daemon=True
        )
        thread.start()
        _tell(door.link)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(_END_S)


def _tell(link: str) -> None:
    """Where the page is; the word in it lets one browser in, so it goes to no log as a field."""
    note(f"sinaloa: dashboard on {link}")
