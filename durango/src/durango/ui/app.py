"""The page as an ASGI application: which address shows what, and which does what."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from durango.ui.actions import Actions
from durango.ui.choosing import most_bytes
from durango.ui.desk import Desk
from durango.ui.downloads import download
from durango.ui.pages import page
from durango.ui.seat import Seat
from durango.ui.texts import N_
from durango.ui.views import Views
from veracruz_shells.local_page import STATIC
from veracruz_shells.local_page.door import Door, TurnedAwayError
from veracruz_shells.local_page.guard import Guard
from veracruz_shells.local_page.languages import keep_choice, language_of
from veracruz_utils.errors import VeracruzError

PAGES: Final = {
    "overview": N_("Overview"),
    "meaning": N_("What it means"),
    "isolate": N_("The isolate"),
    "part": N_("Your part"),
    "result": N_("Result and receipts"),
}
"""The pages, and what their links say."""
_FORM_BYTES: Final = 64 * 1024
"""What a form has around a file."""

Handler = Callable[[Request], Awaitable[Response]]


def make_app(seat: Seat, door: Door) -> Guard:
    """The page of this principal, behind this door."""
    desk = Desk(seat)
    views = Views(desk, door)
    actions = Actions(desk, views)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with desk:
            yield

    async def get_file(request: Request) -> Response:
        what = door.redeem(request.path_params["ticket"], request.headers)
        try:
            return await download(desk, what)
        except VeracruzError as error:  # a value that the form cannot hold, an isolate that is gone
            return PlainTextResponse(str(error), 409)

    async def enter(request: Request) -> Response:
        session = door.enter((await request.body()).decode(errors="replace"))
        answer = PlainTextResponse(session.key)
        answer.set_cookie(door.cookie, session.cookie, httponly=True, samesite="strict")
        return answer

    routes = [
        Route("/", partial(_shell, "overview"), methods=["GET"]),
        *(Route(f"/{name}", partial(_shell, name), methods=["GET"]) for name in PAGES),
        Route("/enter", enter, methods=["POST"]),
        Route("/view/live/{name}", views.live, methods=["GET"]),
        Route("/view/{name}", views.whole, methods=["GET"]),
        Route("/do/{name}", actions.do, methods=["POST"]),
        Route("/file/{ticket}", get_file, methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={TurnedAwayError: _turned_away, HTTPException: _refused},
    )
    return Guard(app, door, {"/do/choose": most_bytes(seat.policy) + _FORM_BYTES})


async def _shell(name: str, request: Request) -> Response:
    """A page without what is in it: that is for who has a session, and comes by its script."""
    chosen = request.query_params.get("language")
    language = language_of(request.headers, chosen)
    answer = HTMLResponse(page("shell.html", language, pages=PAGES, current=name))
    keep_choice(request, answer)
    return answer


def _turned_away(_: Request, error: Exception) -> Response:
    assert isinstance(error, TurnedAwayError)
    return PlainTextResponse(str(error), error.status, {"Connection": "close"})


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code)
