"""What is looked at: whole views, and the parts of them that change."""

from typing import Final

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from durango.ui.desk import Desk
from durango.ui.pages import live, page
from durango.ui.showing import Showing
from veracruz_shells.local_page.door import Door
from veracruz_shells.local_page.languages import language_of

VIEWS: Final = {
    "overview": ("standing", "places"),
    "meaning": (),
    "isolate": ("isolate",),
    "part": ("standing", "part"),
    "result": ("standing", "result", "receipts"),
}
"""The views, and what changes in each."""


class Views:
    """The handlers of what is looked at."""

    def __init__(self, desk: Desk, door: Door) -> None:
        self._desk = desk
        self._showing = Showing(desk, door)

    async def whole(self, request: Request) -> Response:
        """A view, with the parts in it that are asked for again."""
        name, language = request.path_params["name"], language_of(request.headers)
        if name not in VIEWS:
            raise HTTPException(404, "there is no such view")
        self._desk.watch()
        parts = {each: Markup(await self.part(each, language)) for each in VIEWS[name]}  # noqa: S704 - of templates that escape
        filled = await self._showing.of(name, language) if not parts or name == "overview" else {}
        return HTMLResponse(page(f"{name}.html", language, parts=parts, **filled))

    async def live(self, request: Request) -> Response:
        """A part of a view that changes; nothing where the browser has it as it is."""
        name, language = request.path_params["name"], language_of(request.headers)
        if all(name not in parts for parts in VIEWS.values()):
            raise HTTPException(404, "there is no such part")
        self._desk.watch()
        seen = request.query_params.get("seen", "")
        found = live(name, language, seen, **await self._showing.of(name, language))
        return Response(status_code=204) if found is None else HTMLResponse(found)

    async def part(self, name: str, language: str) -> str:
        """A part of a view as it is now."""
        found = live(name, language, "", **await self._showing.of(name, language))
        assert found is not None
        return found
