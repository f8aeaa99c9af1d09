"""Who asks over HTTP, and what one address may make the service do."""

import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veracruz_shells.calls import peer_of_host
from veracruz_shells.refusal_quota import QuotaError, RefusalQuota

_REFUSED = frozenset({401, 403})


class BoundedRefusals:
    """Middleware: a peer that is refused again and again is not listened to for a while."""

    def __init__(self, app: ASGIApp, quota: RefusalQuota) -> None:
        self._app = app
        self._quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = peer_of_host(scope["client"][0] if scope["client"] else "")
        try:
            self._quota.check(peer, now=time.monotonic())
        except QuotaError as error:
            answer = JSONResponse({"error": "busy", "message": str(error)}, 429)
            answer.headers.update({"Retry-After": "60", "Connection": "close"})
            await answer(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                self._quota.count(peer, now=time.monotonic())
            await send(message)

        await self._app(scope, receive, counted)
