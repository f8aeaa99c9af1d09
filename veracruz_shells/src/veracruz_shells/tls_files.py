"""Where certificates, keys and authorities of TLS are; nothing here loads TLS."""

from pathlib import Path
from typing import Final

from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_MAX_BYTES: Final = 1 << 20


@frozen
class ServerFiles:
    """Where the files of a server are, all in PEM.

    Attributes:
        certificate: its chain, its own certificate first.
        key: its private key, without a password.
        client_ca: authorities of clients' certificates; None lets in clients without any.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def paths(self) -> list[Path]:
        """Every file."""
        return [self.certificate, self.key, *([self.client_ca] if self.client_ca else [])]


@frozen
class ClientFiles:
    """Where the files of a client are, all in PEM.

    Attributes:
        ca: authorities that the server's certificate has to come from.
        certificate: our own chain, if the server asks for one.
        key: its private key.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Refuse half of a certificate."""
        if (self.certificate is None) != (self.key is None):
            raise VeracruzError("a client's certificate needs its key, and the key its certificate")


def client_files(ca: Path | None, certificate: Path | None, key: Path | None) -> ClientFiles | None:
    """The files of a client as options name them; None where none is named.

    Raises:
        VeracruzError: a certificate is named without its key or without authorities.
    """
    if ca is None and certificate is None and key is None:
        return None
    if ca is None:
        raise VeracruzError(
            "a certificate is shown over TLS alone: name the authority of the server, too"
        )
    return ClientFiles(ca, certificate, key)


def read_pem(path: Path, what: str) -> bytes:
    """The content of a file of TLS.

    Raises:
        VeracruzError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise VeracruzError(f"{what} {path}: {(error.strerror or str(error)).lower()}") from error
    if len(data) > _MAX_BYTES:
        raise VeracruzError(f"{what} {path} has more than {_MAX_BYTES} bytes")
    return data
