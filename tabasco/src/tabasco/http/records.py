"""What is told of each request over HTTP: a line of the log, and its metrics.

Of a path only the route is told: what else stands in it is whatever a client wrote there.
"""

import logging
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabasco import metrics
from tabasco.traces import HTTP_REQUEST
from veracruz_shells.calls import peer_of_host
from veracruz_shells.log import about
from veracruz_shells.traces import tell, traceparent_in

REFUSED_FOR: Final = "refused_for"
"""In the state of a request's scope: the reason of a refusal."""

_LOG: Final = logging.getLogger(__name__)
_OUTCOMES: Final = {
    401: "unauthenticated",
    403: "permission-denied",
    404: "not-found",
    409: "failed-precondition",
    429: "resource-exhausted",
    503: "unavailable",
}
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})
_ASKED_OFTEN: Final = frozenset({"/livez", "/readyz", "/healthz"})
"""By whoever balances load; told of only when they do not go well."""


class RecordedRequests:
    """Middleware that tells of every request that comes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in _ASKED_OFTEN:
            await self._answer(scope, receive, send)
            return
        headers = ((name.decode("latin-1"), value) for name, value in scope["headers"])
        with HTTP_REQUEST.span(traceparent_in(headers)):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status, came, went = time.monotonic(), 0, 0, 0
        state = scope.setdefault("state", {})

        async def received() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            nonlocal status, went
            status = message.get("status", status)
            went += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, received, sent)
        finally:
            seconds = round(time.monotonic() - begun, 6)
            outcome = outcome_of_status(status)
            metrics.REQUESTS.add(interface="http", outcome=outcome)
            metrics.REQUEST_SECONDS.add(seconds, interface="http")
            metrics.REQUEST_BYTES.add(came, interface="http", direction="in")
            metrics.REQUEST_BYTES.add(went, interface="http", direction="out")
            route = _route_of(scope)
            method = f"{scope['method'] if scope['method'] in _METHODS else '?'} {route}"
            reason = state.get(REFUSED_FOR)
            if scope["path"] not in _ASKED_OFTEN:
                tell(
                    method=method,
                    bytes_in=came,
                    bytes_out=went,
                    outcome=outcome,
                    refusal=reason,
                )
            if outcome != "answered" or route not in _ASKED_OFTEN:
                told = about(
                    peer=peer_of_host(scope["client"][0] if scope["client"] else ""),
                    method=method,
                    bytes_in=came,
                    bytes_out=went,
                    duration_s=seconds,
                    outcome=f"refused: {reason}" if reason else outcome,
                )
                _LOG.info("request ended", extra=told)


def outcome_of_status(status: int) -> str:
    """How a request ended, in the words that gRPC's calls have; 0 for one without an answer."""
    if status in _OUTCOMES:
        return _OUTCOMES[status]
    if status == 0:
        return "cancelled"
    if status < 400:
        return "answered"
    return "invalid-argument" if status < 500 else "internal"


def _route_of(scope: Scope) -> str:
    """The route that a request came to, as it is written in the code; "?" for none."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "?"
