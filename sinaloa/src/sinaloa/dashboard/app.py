"""The delegate's page as an ASGI application; what it shows is asked for once a second at most."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sinaloa.dashboard.standing import BridgeStanding
from sinaloa.dashboard.texts import LABELS, texts
from veracruz_shells import quantities
from veracruz_shells.local_page import STATIC
from veracruz_shells.local_page.door import Door, TurnedAwayError
from veracruz_shells.local_page.guard import Guard
from veracruz_shells.local_page.languages import LANGUAGES, keep_choice, language_of

Look = Callable[[], Awaitable[BridgeStanding]]
"""Gives what the bridge has now."""

_FRESH_S: Final = 1.0
_SEEN_CHARS: Final = 16


class _Glance:
    """What all who look at the page are shown: one look at the bridge for all of them."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._looking = asyncio.Lock()
        self._found: BridgeStanding | None = None
        self._at = 0.0

    async def now(self) -> BridgeStanding:
        async with self._looking:
            if self._found is None or time.monotonic() - self._at > _FRESH_S:
                self._found, self._at = await self._look(), time.monotonic()
            return self._found


def make_app(look: Look, door: Door) -> Guard:
    """The page of this bridge, behind this door."""
    glance = _Glance(look)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield

    async def shell(request: Request) -> Response:
        language = language_of(request.headers, request.query_params.get("language"))
        answer = HTMLResponse(_page("shell.html", language))
        keep_choice(request, answer)
        return answer

    async def view(request: Request) -> Response:
        language = language_of(request.headers)
        inner = _page("bridge.html", language, bridge=await glance.now())
        version = hashlib.sha256(inner.encode()).hexdigest()[:_SEEN_CHARS]
        if request.query_params.get("seen") == version:
            return Response(status_code=204)
        return HTMLResponse(_page("live.html", language, version=version, inner=inner))

    async def enter(request: Request) -> Response:
        session = door.enter((await request.body()).decode(errors="replace"))
        answer = PlainTextResponse(session.key)
        answer.set_cookie(door.cookie, session.cookie, httponly=True, samesite="strict")
        return answer

    routes = [
        Route("/", shell, methods=["GET"]),
        Route("/enter", enter, methods=["POST"]),
        Route("/view/bridge", view, methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={TurnedAwayError: _turned_away, HTTPException: _refused},
    )
    return Guard(app, door, {})


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader("sinaloa.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    spoken = texts(language)
    made.install_gettext_translations(spoken, newstyle=True)  # type: ignore[attr-defined] # of the extension
    made.globals.update(language=language, languages=LANGUAGES)
    made.filters["said"] = spoken.gettext
    made.filters["label"] = lambda label: spoken.gettext(LABELS[label])
    made.filters["number"] = partial(quantities.number, language=language)
    made.filters["span"] = partial(quantities.span, language=language)
    return made


def _page(name: str, language: str, /, **filled: object) -> str:
    return _environment(language).get_template(name).render(**filled)


def _turned_away(_: Request, error: Exception) -> Response:
    assert isinstance(error, TurnedAwayError)
    return PlainTextResponse(str(error), error.status, {"Connection": "close"})


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code)
