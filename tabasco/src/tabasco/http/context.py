"""What the routes work on."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from tabasco.registry.administrators import Administrators
from tabasco.registry.database import Database
from tabasco.service.attestation import AttestationService
from veracruz_utils.frozen import frozen


@frozen
class Context:
    """The service, the database behind it, who may administer, and the time.

    Attributes:
        certified: whether who administers needs a certificate, too, of authorities that were named.
    """

    service: AttestationService
    database: Database
    administrators: Administrators
    now: Callable[[], datetime]
    certified: bool = False


def _context(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


Given = Annotated[Context, Depends(_context)]
"""The type of a route's parameter that is the application's context."""
