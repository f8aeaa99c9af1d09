"""What every request passes through, and what every answer carries."""

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veracruz_shells.local_page.bodies import BODY_S, Bodies, LargeBody
from veracruz_shells.local_page.door import Door, TurnedAwayError

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
MAX_BODY_BYTES: Final = 16 * 1024
REQUEST_S: Final = 120.0
"""How long an upload may take, and the answer to any request: runs go on alone."""
_BEHIND_THE_DOOR: Final = ("/view/", "/do/")


class Guard:
    """Middleware: `app` sees only what may be asked, in time and within bounds.

    Args:
        app: the page.
        door: who is let in.
        large: the paths that take larger bodies, with how large.
        body_s: how long the body of a request may take that is none of these.
    """

    def __init__(
        self, app: ASGIApp, door: Door, large: dict[str, int], *, body_s: float = BODY_S
    ) -> None:
        self._app = app
        self._door = door
        self._large = large
        self._bodies = Bodies(wait_s=body_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            self._admit(scope)
            await self._answer(scope, receive, send_guarded)
        except TurnedAwayError as error:
            # What is left of the body is not waited for.
            headers = {"Connection": "close"}
            answer = PlainTextResponse(str(error), error.status, headers)
            if not started:
                await answer(scope, receive, send_guarded)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._large.get(scope["path"])
        upload = None if limit is None else LargeBody(receive, limit)
        body = upload or await self._bodies.whole(receive, MAX_BODY_BYTES)
        if body is None:
            return
        try:
            async with asyncio.timeout(REQUEST_S):
                await self._app(scope, body, send)
        except TimeoutError:
            late = 504 if upload is None or upload.whole else 408
            raise TurnedAwayError(late, f"this takes longer than {REQUEST_S:.0f} s") from None

    def _admit(self, scope: Scope) -> None:
        if scope["method"] not in {"GET", "POST"}:
            raise TurnedAwayError(405, "GET and POST are answered here")
        headers = Headers(scope=scope)
        self._door.require_ours(scope["method"], headers)
        if scope["path"].startswith(_BEHIND_THE_DOOR):
            self._door.require_session(headers)
        limit = self._large.get(scope["path"], MAX_BODY_BYTES)
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or len(announced) > 18 or int(announced) > limit:
            raise TurnedAwayError(413, f"at most {limit} bytes are taken here")
