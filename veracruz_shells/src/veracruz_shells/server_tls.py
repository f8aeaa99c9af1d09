"""TLS of a server as its files are, which are read again when they change.

Theory of operation. Certificates are short-lived, and a service that has to be started anew for
each is started anew too late. So the files are looked at for each connection, as cheaply as `stat`
is, and read when one of them is another. Files that do not fit each other, as they may not for a
moment while they are replaced, are not taken: what was there before goes on, and the log says so.
"""

import logging
import ssl
import threading

from veracruz_shells.tls_files import ServerFiles, read_pem
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


@frozen
class ServerPems:
    """The content of a server's files."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


class ServerTls:
    """The files of a server as they are; safe to share by threads.

    Args:
        files: where they are.
        require_client: whether a client without a certificate is refused in the handshake, where
            `files` names authorities; without it, clients may show one.

    Raises:
        VeracruzError: they cannot be read, or do not fit each other.
    """

    def __init__(self, files: ServerFiles, *, require_client: bool) -> None:
        self._files = files
        self._verify = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
        self._lock = threading.Lock()
        self._stamp = _stamp(files)
        self._context, self._pems = self._read()

    def context(self) -> ssl.SSLContext:
        """What a new connection is to use."""
        self._look()
        return self._context

    def pems(self) -> ServerPems:
        """The same, as it is in the files."""
        self._look()
        return self._pems

    def _look(self) -> None:
        with self._lock:
            try:
                stamp = _stamp(self._files)
                if stamp == self._stamp:
                    return
                self._context, self._pems = self._read()
            except VeracruzError as error:
                # Said once for each state of the files; tried again when they change.
                _log.error("the files of TLS are not used, those from before are: %s", error)
                stamp = self._stamp if not self._all_there() else stamp
            else:
                _log.info("new files of TLS are in use")
            self._stamp = stamp

    def _all_there(self) -> bool:
        return all(path.is_file() for path in self._files.paths())

    def _read(self) -> tuple[ssl.SSLContext, ServerPems]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        files = self._files
        pems = ServerPems(
            read_pem(files.certificate, "certificate"),
            read_pem(files.key, "private key"),
            None if files.client_ca is None else read_pem(files.client_ca, "authorities"),
        )
        try:
            # A password is asked for on the terminal otherwise, and a service waits for ever.
            context.load_cert_chain(files.certificate, files.key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise VeracruzError(
                f"certificate {files.certificate} and key {files.key} cannot be used: "
                f"{_reason(error)}: give a chain in PEM and the key of its first certificate"
            ) from error
        if pems.client_ca is not None:
            try:
                context.load_verify_locations(cadata=pems.client_ca.decode("ascii"))
            except (OSError, ValueError) as error:
                raise VeracruzError(
                    f"{files.client_ca} holds no certificates of authorities: give them in PEM"
                ) from error
            context.verify_mode = self._verify
        return context, pems


def _stamp(files: ServerFiles) -> Stamp:
    try:
        found = [path.stat() for path in files.paths()]
    except OSError as error:
        raise VeracruzError(f"{error.filename}: {(error.strerror or '').lower()}") from error
    return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
    return reason.replace("_", " ").lower()[:120]
