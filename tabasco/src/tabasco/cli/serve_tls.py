"""TLS of the command `tabasco serve`: files for gRPC, and for HTTP if those are others."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from veracruz_shells.console import note
from veracruz_shells.server_tls import ServerTls
from veracruz_shells.tls_files import ServerFiles
from veracruz_utils.address import Address

_F = TypeVar("_F", bound=Callable[..., Any])
_PEM: Final = click.Path(path_type=Path, dir_okay=False)
_OPTIONS: Final = (
    ("--tls-certificate", "The certificate chain of gRPC, and of HTTP if --http-* names no other."),
    ("--tls-key", "The certificate's private key."),
    (
        "--client-ca",
        "Authorities of clients: who has no certificate of theirs has no gRPC, and no rights.",
    ),
    ("--http-certificate", "The certificate chain of HTTP, where it is another than of gRPC."),
    ("--http-key", "The certificate's private key."),
    ("--http-client-ca", "Authorities of administrators' certificates, with --http-certificate."),
)


def tls_options(command: _F) -> _F:
    """Add the options of TLS, passed as `grpc_tls` and `http_tls`, each `ServerFiles | None`."""

    @functools.wraps(command)
    def run(
        *,
        tls_certificate: Path | None,
        tls_key: Path | None,
        client_ca: Path | None,
        http_certificate: Path | None,
        http_key: Path | None,
        http_client_ca: Path | None,
        **others: object,
    ) -> object:
        first = _files("", tls_certificate, tls_key, client_ca)
        own = _files("http-", http_certificate, http_key, http_client_ca)
        return command(grpc_tls=first, http_tls=own or first, **others)

    decorated: Any = run
    for name, text in reversed(_OPTIONS):
        decorated = click.option(name, type=_PEM, metavar="FILE.pem", help=text)(decorated)
    return decorated  # type: ignore[no-any-return]


def warn_of_plain_text(address: Address, tls: ServerTls | None) -> None:
    """Say it where gRPC leaves this machine and everybody between can read and change it."""
    if tls is None and not address.is_loopback:
        note(
            f"warning: gRPC on {address} is plain text: who is between can drop and change what "
            "is asked, though no result can be forged; give --tls-certificate and --tls-key, and "
            "--client-ca to let in whom you know"
        )


def _files(
    which: str, certificate: Path | None, key: Path | None, client_ca: Path | None
) -> ServerFiles | None:
    certificates, keys = f"--{which or 'tls-'}certificate", f"--{which or 'tls-'}key"
    if certificate is not None and key is not None:
        return ServerFiles(certificate, key, client_ca)
    if certificate is not None or key is not None:
        raise click.UsageError(f"give both {certificates} and {keys}, or neither")
    if client_ca is not None:
        raise click.UsageError(f"--{which}client-ca needs {certificates} and {keys}")
    return None
