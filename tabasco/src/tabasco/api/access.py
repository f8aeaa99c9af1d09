"""Who is asking: an administrator by a bearer token (RFC 6750), in one of two roles."""

from typing import Annotated, Final

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tabasco import audit
from tabasco.administrators import Administrator, Role
from tabasco.api.context import Given

_SCHEME: Final = HTTPBearer(auto_error=False, description="The token of an administrator.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)]


class UnauthenticatedError(Exception):
    """There is no token, or it is nobody's: which of the two is nobody's business."""


class ForbiddenError(Exception):
    """The token is of somebody who may not do this."""


def _reader(context: Given, credentials: _Credentials) -> Administrator:
    if credentials is None:
        raise UnauthenticatedError
    found = context.administrators.with_token(credentials.credentials)
    if found is None:
        raise UnauthenticatedError
    return found


def _admin(
    context: Given, administrator: Annotated[Administrator, Depends(_reader)]
) -> Administrator:
    if administrator.role is not Role.ADMIN:
        with context.database.writing() as session:
            audit.record(
                session,
                at=context.now(),
                actor=administrator.actor,
                action="administer",
                subject="over HTTP",
                outcome="forbidden",
            )
        raise ForbiddenError("a reader changes nothing: use the token of an admin")
    return administrator


Reader = Annotated[Administrator, Depends(_reader)]
"""The type of a parameter of a route that any administrator may call."""

Admin = Annotated[Administrator, Depends(_admin)]
"""The type of a parameter of a route that changes something."""
