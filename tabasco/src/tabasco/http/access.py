"""Who may administer over HTTP: whoever has a token (RFC 6750), in one of two roles."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tabasco.http.context import Given
from tabasco.http.heads import CLIENT_CERTIFICATE
from tabasco.registry import audit
from tabasco.registry.administrators import Administrator, AdministratorRole, Administrators
from tabasco.registry.database import Database

# No auto_error: FastAPI would answer in a form of its own.
_SCHEME: Final = HTTPBearer(auto_error=False, description="The token of an administrator.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)]


class UnauthenticatedError(Exception):
    """No token was given, or an invalid one; the answer does not say which."""


class ForbiddenError(Exception):
    """The token is of somebody who may not do this."""


def authenticated(token: str, administrators: Administrators) -> Administrator:
    """Whose token this is.

    Raises:
        UnauthenticatedError: no administrator has this token.
    """
    found = administrators.with_token(token)
    if found is None:
        raise UnauthenticatedError
    return found


def may_change(administrator: Administrator, database: Database, *, at: datetime) -> None:
    """Let pass who may change something; that another tried goes to the audit log.

    Raises:
        ForbiddenError: a reader.
    """
    if administrator.role is AdministratorRole.ADMIN:
        return
    with database.writing() as session:
        audit.record(
            session,
            at=at,
            actor=administrator.actor,
            action="administer",
            subject="over HTTP",
            outcome="forbidden",
        )
    raise ForbiddenError("a reader changes nothing: use the token of an admin")


def _reader(context: Given, request: Request, credentials: _Credentials) -> Administrator:
    # The certificate first: who has none cannot try tokens.
    if context.certified and not getattr(request.state, CLIENT_CERTIFICATE, False):
        raise UnauthenticatedError
    if credentials is None:
        raise UnauthenticatedError
    return authenticated(credentials.credentials, context.administrators)


def _admin(
    context: Given, administrator: Annotated[Administrator, Depends(_reader)]
) -> Administrator:
    may_change(administrator, context.database, at=context.now())
    return administrator


Reader = Annotated[Administrator, Depends(_reader)]
"""The type of a parameter of a route that any administrator may call."""

Admin = Annotated[Administrator, Depends(_admin)]
"""The type of a parameter of a route that changes something."""
