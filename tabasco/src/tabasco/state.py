"""The state directory: the database and the result-signing key, for our user's eyes only."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tabasco.database import sqlite_url
from tabasco.errors import TabascoError
from veracruz_utils.errors import VeracruzError
from veracruz_utils.files import write_new_file


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """Where a service keeps what must outlive it."""

    path: Path

    @property
    def database_url(self) -> str:
        """The URL of the database inside."""
        return sqlite_url(self.path / "tabasco.db")

    @property
    def key_path(self) -> Path:
        """The file of the result-signing key inside."""
        return self.path / "result-key.pem"

    def prepare(self) -> None:
        """Make the directory (mode 0700) if it is not there.

        Raises:
            TabascoError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TabascoError(f"state directory {self.path}: {error.strerror}") from error

    def result_key(self) -> ec.EllipticCurvePrivateKey:
        """The result-signing key.

        Raises:
            TabascoError: there is none, others can read it, or it is damaged.
        """
        try:
            mode = self.key_path.stat().st_mode
            data = self.key_path.read_bytes()
        except FileNotFoundError as error:
            raise TabascoError(
                f"there is no result-signing key {self.key_path}: make one with tabasco init"
            ) from error
        except OSError as error:
            raise TabascoError(f"result-signing key {self.key_path}: {error.strerror}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise TabascoError(f"others can read {self.key_path}: chmod 600 it, or make a new one")
        return self._parse(data)

    def make_result_key(self) -> ec.EllipticCurvePrivateKey:
        """The result-signing key, made now if there is none; of concurrent callers one makes it.

        Raises:
            VeracruzError: it cannot be written or read.
        """
        if not self.key_path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            try:
                write_new_file(self.key_path, pem, mode=0o600)
            except VeracruzError:
                if not self.key_path.exists():  # otherwise somebody was faster: theirs it is
                    raise
            _sync_directory(self.path)  # principals will pin this key: its name is to stay
        return self.result_key()

    def _parse(self, data: bytes) -> ec.EllipticCurvePrivateKey:
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise self._damaged() from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise self._damaged()
        return key

    def _damaged(self) -> TabascoError:
        return TabascoError(f"{self.key_path} is not a P-256 private key in PEM: restore it")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
