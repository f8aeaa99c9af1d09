"""TLS of gRPC, from files."""

import re
from typing import Final

from veracruz_shells.grpc_setup import grpc
from veracruz_shells.server_tls import ServerPems, ServerTls
from veracruz_shells.tls_files import ClientFiles, read_pem

TLS_REMEDY: Final = (
    "name the authority that its certificate comes from, show a certificate if it asks for one, "
    "and see that neither has expired; or one of the two speaks plain text"
)
_FAILURE: Final = re.compile(r"[Hh]andshake (?:failed|read failed)|TSI_[A-Z_]+|WRONG_VERSION")
_REASON: Final = re.compile(r"[A-Z]{4,}(?:_[A-Z0-9]+)+")


def server_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """What a server shows and asks for, as its files are at each handshake."""
    held: list[ServerPems] = [tls.pems()]

    def newer() -> grpc.ServerCertificateConfiguration | None:
        pems = tls.pems()
        if pems == held[0]:
            return None  # as before
        held[0] = pems
        return _configuration(pems)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(held[0]),
        newer,  # type: ignore[arg-type]  # gRPC says that None means no change
        require_client_authentication=held[0].client_ca is not None,
    )


def channel_credentials(files: ClientFiles) -> grpc.ChannelCredentials:
    """What a client believes and shows.

    Raises:
        VeracruzError: a file cannot be read.
    """
    return grpc.ssl_channel_credentials(
        root_certificates=read_pem(files.ca, "authorities"),
        private_key=None if files.key is None else read_pem(files.key, "private key"),
        certificate_chain=(
            None if files.certificate is None else read_pem(files.certificate, "certificate")
        ),
    )


def handshake_failure(details: str) -> str | None:
    """Why a handshake failed, from the details of a call that did; None for other failures."""
    if not _FAILURE.search(details):
        return None
    reasons = [each for each in _REASON.findall(details) if not each.startswith("TSI_")]
    return (reasons[-1] if reasons else "the handshake failed").replace("_", " ").lower()


def _configuration(pems: ServerPems) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(pems.key, pems.certificate)], root_certificates=pems.client_ca
    )
