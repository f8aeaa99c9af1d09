"""The service over HTTP, if what it needs is installed."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tabasco.errors import TabascoError
from tabasco.registry.administrators import Administrators
from tabasco.registry.database import Database
from tabasco.registry.state import DEFAULT_TENANT
from tabasco.service.attestation import AttestationService
from veracruz_shells.refusal_quota import RefusalQuota
from veracruz_shells.tls_files import ServerFiles
from veracruz_utils.address import Address

if TYPE_CHECKING:
    from tabasco.http import HttpService

Served = tuple[AttestationService, Database]
"""A tenant's service and the database behind it."""


def http_service(
    tenants: Mapping[str, Served],
    address: Address,
    tls: ServerFiles | None,
    quota: RefusalQuota,
    now: Callable[[], datetime],
) -> "HttpService":
    """Services over HTTP, not listening yet.

    Args:
        tenants: by name; `default` is at the root, the others are at `/tenants/NAME`.
        address: where to listen.
        tls: None for plain HTTP; with authorities of clients, who administers needs a
            certificate of theirs.
        quota: of refusals of each peer.
        now: the time.

    Raises:
        VeracruzError: the extra is not installed, or it cannot be served so.
    """
    try:
        from tabasco.http import (  # noqa: PLC0415 - an extra
            Context,
            HttpService,
            RecordedRequests,
            create_app,
        )
    except ModuleNotFoundError as error:
        raise TabascoError(
            f"HTTP needs {error.name}: pip install 'veracruz-tabasco[http]', or leave --http away"
        ) from error
    contexts = {
        name: Context(
            service,
            database,
            Administrators(database),
            now,
            certified=tls is not None and tls.client_ca is not None,
        )
        for name, (service, database) in tenants.items()
    }
    # Once for all tenants: at the root, through which all requests come.
    app = create_app(contexts.pop(DEFAULT_TENANT), quota=quota)
    for name, context in contexts.items():
        app.mount(f"/tenants/{name}", create_app(context))
    app.add_middleware(RecordedRequests)
    return HttpService(app, address, tls=tls)
