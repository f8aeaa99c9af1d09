"""Who may administer over the network: whoever has a token (RFC 6750), in one of two roles."""

from datetime import datetime

from tabasco import audit
from tabasco.administrators import Administrator, Administrators, Role
from tabasco.database import Database


class UnauthenticatedError(Exception):
    """There is no token, or it is nobody's: which of the two is nobody's business."""


class ForbiddenError(Exception):
    """The token is of somebody who may not do this."""


def authenticated(token: str, administrators: Administrators) -> Administrator:
    """Whose token this is.

    Raises:
        UnauthenticatedError: nobody's.
    """
    found = administrators.with_token(token)
    if found is None:
        raise UnauthenticatedError
    return found


def may_change(
    administrator: Administrator, database: Database, *, at: datetime, over: str
) -> None:
    """Let pass who may change something; that another tried, `over` what, goes to the audit log.

    Raises:
        ForbiddenError: a reader.
    """
    if administrator.role is Role.ADMIN:
        return
    with database.writing() as session:
        audit.record(
            session,
            at=at,
            actor=administrator.actor,
            action="administer",
            subject=f"over {over}",
            outcome="forbidden",
        )
    raise ForbiddenError("a reader changes nothing: use the token of an admin")
