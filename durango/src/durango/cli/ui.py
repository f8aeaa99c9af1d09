"""`durango ui`: the computation on a page of one's own browser."""

import tempfile
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from durango.cli.membership import Access, access_options
from durango.cli.options import (
    certificate_option,
    key_option,
    key_password_option,
    load_identity,
)
from durango.errors import DurangoError
from durango.identity import require_member
from veracruz_shells.console import emit, json_option, note
from veracruz_shells.files import write_new_file

_OPENING: Final = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>durango ui</title>
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}">
<a href="{link}">the page</a></html>
"""


@click.command("ui")
@access_options
@certificate_option()
@key_option()
@key_password_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    envvar="DURANGO_UI_PORT",
    help="Where the page is, on this machine alone.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in your usual browser.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder for the openings of what you send (mode 0600); the page offers them as well.",
)
@json_option
def ui_command(
    *,
    access: Access,
    certificate: Path,
    key: Path,
    key_password: Path | None,
    port: int,
    opens: bool,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Show the computation of POLICY on a page in your browser: read, check, send, fetch.

    The page is for this machine alone, and for the browser that is opened by the link that is
    printed, which works once. Your key stays in this process. Ctrl-C ends it.
    """
    identity = load_identity(certificate, key, key_password)
    require_member(access.policy, identity)
    try:
        from durango.ui.seat import Seat  # noqa: PLC0415
        from durango.ui.serving import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DurangoError(
            f"the page needs {error.name}: pip install 'veracruz-durango[ui]'"
        ) from error
    seat = Seat(
        access.policy,
        identity,
        access.tabasco_key,
        access.sinaloa,
        access.tabasco,
        access.tabasco_tls,
        access.timeout_s,
        keep,
    )
    # To be interrupted is how it ends.
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="durango-ui-") as folder:
        serve(seat, port=port, on_link=_Links(Path(folder) if opens else None, as_json=as_json))


class _Links:
    """Tells the links: the first is opened, if that is wanted, and all are printed."""

    def __init__(
        self,
        folder: Path | None,
        open_page: Callable[[str], object] = webbrowser.open,
        *,
        as_json: bool = False,
    ) -> None:
        self._folder = folder
        self._open_page = open_page
        self._as_json = as_json
        self._first = True

    def __call__(self, link: str) -> None:
        if not self._first:
            note(f"the link was used; for another browser: {link}")
            return
        self._first = False
        note("open this link in your browser; it works once, and Ctrl-C ends the page:")
        emit({"link": link}, link, as_json=self._as_json)
        if self._folder is not None:
            # Not the link itself: every user of this machine can read what programs are started
            # with, and the browser is one.
            page = self._folder / "open.html"
            write_new_file(page, _OPENING.format(link=link).encode(), mode=0o600)
            self._open_page(page.as_uri())
