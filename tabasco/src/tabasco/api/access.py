"""Who is asking over HTTP: an administrator by a bearer token, in one of two roles."""

from typing import Annotated, Final

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tabasco.access import UnauthenticatedError, authenticated, may_change
from tabasco.administrators import Administrator
from tabasco.api.context import Given

_SCHEME: Final = HTTPBearer(auto_error=False, description="The token of an administrator.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)]


def _reader(context: Given, credentials: _Credentials) -> Administrator:
    if credentials is None:
        raise UnauthenticatedError
    return authenticated(credentials.credentials, context.administrators)


def _admin(
    context: Given, administrator: Annotated[Administrator, Depends(_reader)]
) -> Administrator:
    may_change(administrator, context.database, at=context.now(), over="HTTP")
    return administrator


Reader = Annotated[Administrator, Depends(_reader)]
"""The type of a parameter of a route that any administrator may call."""

Admin = Annotated[Administrator, Depends(_admin)]
"""The type of a parameter of a route that changes something."""
