"""Bodies of requests: whole, in time, within bounds, and JSON that says everything once.

A body is read before anything else happens, so that a slow or endless one holds no database
connection. Frameworks take the last of two members of one name; two readers may then have seen two
requests, so that is refused here.
"""

import asyncio
import re
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabasco.registry.bundles import MAX_BUNDLE_BYTES
from veracruz_utils.strict_json import JsonError, read_json

MAX_BODY_BYTES: Final = 128 * 1024
BODY_TIMEOUT_S: Final = 10.0
MAX_AT_WORK: Final = 16
"""Requests that are worked on at the same time, each with a connection to the database."""
_JSON: Final = re.compile(rb"application\s*/\s*(?:.*\+)?json")
_LARGE: Final = (
    "/v1/reference-values/bundles",
    "/v1/policies",
    "/v1/policies/explain",
    "/evidence",
)


class BoundedBodies:
    """Middleware: `app` sees only requests whose body came whole, in time and within bounds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turns = asyncio.Semaphore(MAX_AT_WORK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _is_ambiguous(scope):
            message = "a body has Content-Length or Transfer-Encoding, not both"
            await _refuse(400, message)(scope, receive, send)
            return
        limit = MAX_BUNDLE_BYTES if scope["path"].endswith(_LARGE) else MAX_BODY_BYTES
        try:
            _check_announced(scope, limit)
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _whole(receive, limit)
            if _is_json(scope):
                _check_json(body, limit)
        except _RefusedError as error:
            await _refuse(error.status, str(error))(scope, receive, send)
        except TimeoutError:
            await _refuse(408, f"the body did not come within {BODY_TIMEOUT_S:.0f} s")(
                scope, receive, send
            )
        else:
            # Only with the body at hand: a slow client holds no turn.
            async with self._turns:
                await self._app(scope, _replay(body, receive), send)


class HeadAsGet:
    """Middleware: HEAD is answered as GET is, of which the server sends the head alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        # A copy: the server knows by its own that the body is not to be sent.
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _too_large(limit: int) -> _RefusedError:
    return _RefusedError(413, f"the body has more than {limit} bytes")


def _check_announced(scope: Scope, limit: int) -> None:
    """Refuse a body that says itself that it is too large: what comes of it is not waited for."""
    # The server has seen to it that it is one number, of at most 20 digits.
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if any(int(each) > limit for each in lengths):
        raise _too_large(limit)


async def _whole(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _RefusedError(400, "the client went away")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _is_ambiguous(scope: Scope) -> bool:
    """Whether a proxy before us may have seen another end of this request than we do.

    Standard: RFC 9112 section 6.3, on request smuggling.
    """
    names = {name for name, _ in scope["headers"]}
    return {b"content-length", b"transfer-encoding"} <= names


def _is_json(scope: Scope) -> bool:
    """Whether the framework reads the body as JSON: `application/json`, or another `+json`."""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return any(_JSON.fullmatch(kind.partition(b";")[0].strip().lower()) for kind in kinds)


def _check_json(body: bytes, limit: int) -> None:
    """Refuse what the framework's own reader would let through, such as a member twice."""
    try:
        read_json(body, max_bytes=limit)
    except JsonError as error:
        raise _RefusedError(400, f"the body {error}") from None


def _refuse(status: int, message: str) -> JSONResponse:
    words = {400: "invalid-request", 408: "too-slow", 413: "too-large"}
    # What is left of the body is not waited for.
    headers = {"Connection": "close"}
    return JSONResponse({"error": words[status], "message": message}, status, headers)
