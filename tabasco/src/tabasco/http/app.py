"""The ASGI application: its routes, and errors in one form that says no more than gRPC does.

RefusalError       403    its reason and the reason's sentence
bad request        400    `invalid-request`: which member is wrong, and nothing of its content
no or bad token    401    `unauthenticated`
wrong role         403    `forbidden`
TabascoError       409    to administrators only: its text
BusyError          429    `busy`
NotReadyError      503    `not-ready`, of `/readyz` and `/healthz` alone
anything else      500    `internal`; the log has more
"""

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from colima import WireError
from psa_attestation.errors import AttestationError
from tabasco.errors import BusyError, ClockError, DatabaseError, RefusalError, TabascoError
from tabasco.http.access import ForbiddenError, UnauthenticatedError
from tabasco.http.attestation_routes import router as attestation
from tabasco.http.bodies import BoundedBodies, HeadAsGet
from tabasco.http.context import Context
from tabasco.http.health_routes import NotReadyError
from tabasco.http.health_routes import router as health
from tabasco.http.peers import BoundedRefusals
from tabasco.http.records import REFUSED_FOR
from tabasco.http.registry_routes import router as administration
from veracruz_shells.refusal_quota import RefusalQuota

API_VERSION: Final = "1.0.0"
_log = logging.getLogger(__name__)
_WORDS: Final = {400: "invalid-request", 404: "not-found", 405: "method-not-allowed"}


def create_app(context: Context, *, quota: RefusalQuota | None = None) -> FastAPI:
    """The application; it starts nothing and closes nothing of `context`.

    Args:
        context: what the routes work on.
        quota: of refusals of each peer, which other services may count, too.
    """
    app = _routes()
    app.state.context = context
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    app.add_middleware(BoundedBodies)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BoundedRefusals, quota=quota or RefusalQuota(0))
    return app


def description() -> dict[str, Any]:
    """The interface in OpenAPI."""
    return _routes().openapi()


def _routes() -> FastAPI:
    app = FastAPI(
        title="Tabasco",
        summary="Attestation service of Veracruz",
        version=API_VERSION,
        openapi_url="/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(health)
    app.include_router(attestation)
    app.include_router(administration)
    return app


def _answer(status: int, error: str, message: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": error, "message": message}, status_code=status, headers=headers)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusalError)
    _log.info("refused: %s (%s)", error.reason.value, error.detail or "no detail")
    setattr(request.state, REFUSED_FOR, error.reason.value)
    return _answer(403, error.reason.value, error.reason.sentence)


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    return _answer(400, "invalid-request", str(error)[:300])


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])[:120]
    what = first["msg"][:200]
    if first["type"] == "model_attributes_type":
        what = "not a JSON object: send one, with Content-Type: application/json"
    return _answer(400, "invalid-request", f"{place}: {what}")


def _unauthenticated(_request: Request, _error: Exception) -> JSONResponse:
    message = (
        "this needs the token of an administrator, as Authorization: Bearer, and where the "
        "service names authorities a client's certificate of theirs"
    )
    return _answer(401, "unauthenticated", message, **{"WWW-Authenticate": "Bearer"})


def _forbidden(_request: Request, error: Exception) -> JSONResponse:
    return _answer(403, "forbidden", str(error))


def _conflict(_request: Request, error: Exception) -> JSONResponse:
    return _answer(409, "refused", str(error)[:1000])


def _busy(_request: Request, error: Exception) -> JSONResponse:
    return _answer(429, "busy", str(error), **{"Retry-After": "60"})


def _not_ready(_request: Request, error: Exception) -> JSONResponse:
    return _answer(503, "not-ready", str(error), **{"Retry-After": "5"})


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    word = _WORDS.get(error.status_code, "refused")
    return _answer(error.status_code, word, str(error.detail)[:300])


def _internal(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed", exc_info=error)
    return _answer(500, "internal", "the service failed, its log has more")


_HANDLERS: Final = {
    RefusalError: _refused,
    AttestationError: _malformed,
    WireError: _malformed,
    RequestValidationError: _invalid,
    UnauthenticatedError: _unauthenticated,
    ForbiddenError: _forbidden,
    BusyError: _busy,
    NotReadyError: _not_ready,
    DatabaseError: _internal,
    ClockError: _internal,
    TabascoError: _conflict,
    HTTPException: _http,
    Exception: _internal,
}
