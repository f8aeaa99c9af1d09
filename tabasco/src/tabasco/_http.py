"""The service over HTTP, if what it needs is installed."""

from pathlib import Path
from typing import TYPE_CHECKING

from tabasco._options import current_time
from tabasco.administrators import Administrators
from tabasco.database import Database
from tabasco.errors import TabascoError
from tabasco.service import AttestationService
from veracruz_utils.endpoint import Endpoint

if TYPE_CHECKING:
    from tabasco.api import HttpService


def http_service(
    service: AttestationService,
    database: Database,
    address: Endpoint,
    tls: tuple[Path, Path] | None,
) -> "HttpService":
    """`service` over HTTP, not listening yet; with the certificate and key of `tls`.

    Raises:
        VeracruzError: the extra is not installed, or it cannot be served so.
    """
    try:
        from tabasco.api import Context, HttpService, TlsFiles, create_app  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise TabascoError(
            f"HTTP needs {error.name}: pip install 'veracruz-tabasco[http]', or leave --http away"
        ) from error
    context = Context(service, database, Administrators(database), current_time)
    return HttpService(create_app(context), address, tls=None if tls is None else TlsFiles(*tls))
