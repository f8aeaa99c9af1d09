"""The state directory: the database and the result-signing keys, for our user's eyes only.

The current key is `result-key.pem`. One that was rotated out is in `old-result-keys`, and the name
of its file says until when it signs: `KID.until-SECONDS.pem`, in seconds since 1970.
"""

import os
import re
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tabasco.errors import TabascoError
from tabasco.registry.key_ring import KeyRing, ResultKey
from veracruz_shells.files import write_new_file
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

DEFAULT_TENANT: Final = "default"
_OLD_NAME: Final = re.compile(r"[0-9a-f]{64}\.until-([0-9]{1,11})\.pem")


@frozen
class StateDirectory:
    """Where a service keeps what must outlive it."""

    path: Path
    tenant: str = DEFAULT_TENANT

    @property
    def home(self) -> Path:
        """The state directory that this is, or that this tenant's is in."""
        return self.path if self.tenant == DEFAULT_TENANT else self.path.parents[1]

    @property
    def database_url(self) -> str:
        """The URL of the database: the one inside, or the one that the tenant was added with."""
        if self.database_file.is_file():
            return self.database_file.read_text(encoding="utf-8").strip()
        # Who wants keys alone, such as the demonstration, loads no database library.
        from tabasco.registry.database import sqlite_url  # noqa: PLC0415

        return sqlite_url(self.path / "tabasco.db")

    @property
    def has_database(self) -> bool:
        """Whether there is a database inside, or one that the tenant was added with."""
        return self.database_file.is_file() or (self.path / "tabasco.db").is_file()

    @property
    def database_file(self) -> Path:
        """The file with the URL of a tenant's database, if that is not inside."""
        return self.path / "database-url"

    @property
    def tenants_path(self) -> Path:
        """The folder of the state directories of tenants."""
        return self.path / "tenants"

    def tenant_named(self, name: str) -> "StateDirectory":
        """The state directory of a tenant, whether it is there or not."""
        return StateDirectory(self.tenants_path / name, name)

    @property
    def key_path(self) -> Path:
        """The file of the result-signing key inside."""
        return self.path / "result-key.pem"

    @property
    def old_keys_path(self) -> Path:
        """The folder of keys that were rotated out."""
        return self.path / "old-result-keys"

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
        """The current result-signing key.

        Raises:
            TabascoError: there is none, others can read it, or it is damaged.
        """
        return _read_key(self.key_path)

    def make_result_key(self) -> ec.EllipticCurvePrivateKey:
        """The result-signing key, made now if there is none; of concurrent callers one makes it.

        Raises:
            VeracruzError: it cannot be written or read.
        """
        if not self.key_path.exists():
            try:
                write_new_file(self.key_path, _new_key(), mode=0o600)
            except VeracruzError:
                if not self.key_path.exists():  # otherwise somebody was faster: theirs it is
                    raise
            _sync_directory(self.path)  # principals will pin this key: its name is to stay
        return self.result_key()

    def key_ring(self) -> KeyRing:
        """Every result-signing key, as the files are at any time.

        Raises:
            TabascoError: one of them cannot be used.
        """
        return KeyRing(self.result_keys, stamp=self._stamp)

    def result_keys(self) -> list[ResultKey]:
        """The current key and those that were rotated out, newest first.

        Raises:
            TabascoError: one of them cannot be used.
        """
        current = ResultKey.of(self.result_key())
        old = [ResultKey.of(_read_key(path), expires) for path, expires in self._old_files()]
        held = [key for key in old if key.digest != current.digest]
        return [current, *sorted(held, key=lambda key: key.expires_at or _EVER, reverse=True)]

    def rotate(self, *, until: datetime) -> ResultKey:
        """Sign with a new key from now on, which is given back; the one so far signs `until` then.

        Whoever calls this sees to it that nobody else does at the same time. If we die midway, the
        old key is in both places, which counts as the current one.

        Raises:
            VeracruzError: a key cannot be read or written.
        """
        old = ResultKey.of(self.result_key())
        self.old_keys_path.mkdir(mode=0o700, exist_ok=True)
        name = f"{old.kid}.until-{int(until.timestamp())}.pem"
        kept = self.old_keys_path / name
        write_new_file(kept, self.key_path.read_bytes(), mode=0o600, force=True)
        # The old key is safe on disk before the current one is replaced.
        _sync_directory(self.old_keys_path)
        try:
            write_new_file(self.key_path, _new_key(), mode=0o600, force=True)
        except VeracruzError:
            kept.unlink()  # it is still the current one
            raise
        _sync_directory(self.path)
        return ResultKey.of(self.result_key())

    def drop(self, kid: str) -> bool:
        """Delete a key that was rotated out; False if there is none of this name."""
        found = [path for path, _ in self._old_files() if path.name.startswith(f"{kid}.")]
        for path in found:
            path.unlink(missing_ok=True)
        if found:
            _sync_directory(self.old_keys_path)
        return bool(found)

    def drop_expired(self, at: datetime) -> None:
        """Delete every key that signs no more."""
        for path, expires in self._old_files():
            if expires <= at:
                path.unlink(missing_ok=True)

    def _old_files(self) -> list[tuple[Path, datetime]]:
        if not self.old_keys_path.is_dir():
            return []
        matched = [(path, _OLD_NAME.fullmatch(path.name)) for path in self.old_keys_path.iterdir()]
        return [
            (path, datetime.fromtimestamp(int(match[1]), UTC))
            for path, match in matched
            if match is not None
        ]

    def _stamp(self) -> tuple[int, ...]:
        stamp: list[int] = []
        for path in (self.key_path, self.old_keys_path):
            with suppress(FileNotFoundError):
                found = os.stat(path)  # noqa: PTH116 - for every result: Path costs as much again
                stamp += [found.st_ino, found.st_mtime_ns]
        return tuple(stamp)


_EVER: Final = datetime.max.replace(tzinfo=UTC)


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise TabascoError(
            f"there is no result-signing key {path}: make one with tabasco init"
        ) from error
    except OSError as error:
        raise TabascoError(f"result-signing key {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise TabascoError(f"other users can read {path}: run chmod 600 on it, or make a new key")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _damaged(path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise _damaged(path)
    return key


def _damaged(path: Path) -> TabascoError:
    return TabascoError(f"{path} is not a P-256 private key in PEM: restore it")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
