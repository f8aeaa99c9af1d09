"""Compiled code, kept for the next time that the same program is loaded.

For developers' tools; an isolate gets compiled code from its front process. An entry is bound to
what it was compiled from (see `code_tag`) under a key that nobody but the owner of the cache has,
and is checked before a byte of it reaches the engine. An entry that is not exactly what was
kept, for whatever reason, counts as absent.
"""

import hashlib
import hmac
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, Self

from execution_engine.code_tag import code_context, code_tag
from execution_engine.errors import EngineError
from execution_engine.limits import MIB
from execution_engine.strategy import EngineSettings
from veracruz_utils.digest import Digest
from veracruz_utils.secret import Secret

_KEY_BYTES: Final = 32
_MAC_BYTES: Final = 32
_KEY_NAME: Final = "key"
_SUFFIX: Final = ".code"


class CodeStore(Protocol):
    """Where entries lie; it may lose or garble them."""

    def read(self, name: str) -> bytes | None:
        """What lies under a name, if anything does."""
        ...

    def write(self, name: str, entry: bytes) -> None:
        """Put an entry under a name, if there is room."""
        ...


class CodeCache:
    """Compiled code of programs; for `Program.load`, by as many threads as like.

    Args:
        store: where entries lie.
        key: authenticates them; who has it can run machine code as the owner of the cache.
    """

    def __init__(self, store: CodeStore, key: Secret) -> None:
        if len(key) != _KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes, it must have {_KEY_BYTES}")
        self._store = store
        self._key = key

    @classmethod
    def in_memory(cls, *, max_bytes: int = 256 * MIB) -> Self:
        """A cache that ends with this process, under a key that never leaves it."""
        return cls(_Memory(max_bytes), Secret(secrets.token_bytes(_KEY_BYTES)))

    @classmethod
    def in_directory(cls, path: Path, *, max_bytes: int = 1024 * MIB) -> Self:
        """A cache in a folder of this user's own, which is made if it is not there.

        The key lies in it, in a file that only the user may read. Not for isolates: it is worth
        what the user's account is worth.

        Raises:
            EngineError: the folder or its key is open to others, or cannot be used.
        """
        try:
            return cls(_Directory(path, max_bytes), _key_in(path))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EngineError(f"cannot use the code cache {path}: {reason}") from error

    def find(self, program: Digest, settings: EngineSettings) -> bytes | None:
        """The code kept for this program and these settings by this version of the engine."""
        context = code_context(program, settings)
        entry = self._store.read(_name(context))
        if entry is None:
            return None
        code = entry[_MAC_BYTES:]
        expected = code_tag(self._key, context, Digest.of(code))
        return code if hmac.compare_digest(entry[:_MAC_BYTES], expected) else None

    def keep(self, program: Digest, settings: EngineSettings, code: bytes | bytearray) -> None:
        """Keep code that this process has compiled itself."""
        context = code_context(program, settings)
        self._store.write(_name(context), code_tag(self._key, context, Digest.of(code)) + code)


def _name(context: bytes) -> str:
    return hashlib.sha256(context).hexdigest()


class _Memory:
    """Entries in memory; the one that was not read for longest makes room."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes | None:
        with self._lock:
            entry = self._entries.pop(name, None)
            if entry is not None:
                self._entries[name] = entry
            return entry

    def write(self, name: str, entry: bytes) -> None:
        with self._lock:
            self._entries.pop(name, None)
            if len(entry) > self._max_bytes:
                return
            while sum(map(len, self._entries.values())) + len(entry) > self._max_bytes:
                del self._entries[next(iter(self._entries))]
            self._entries[name] = entry


class _Directory:
    """Entries in files; the one that was not read for longest makes room.

    A file that cannot be read, written or removed counts as absent: a cache must not keep a program
    from being loaded.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        # Whoever may write here could put other files in the place of ours, the key among them.
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EngineError(f"the code cache {path} is open to others: choose another folder")
        self._path = path
        self._max_bytes = max_bytes

    def read(self, name: str) -> bytes | None:
        path = self._path / (name + _SUFFIX)
        try:
            entry = _read_own_file(path, self._max_bytes)
            os.utime(path)
        except OSError:
            return None
        return entry

    def write(self, name: str, entry: bytes) -> None:
        with suppress(OSError):
            if len(entry) <= self._max_bytes:
                self._make_room(len(entry))
                with _draft(self._path, entry) as draft:
                    # By renaming: a reader at the same time sees all of an entry or none of it.
                    draft.replace(self._path / (name + _SUFFIX))

    def _make_room(self, size: int) -> None:
        found = [(each.stat(), each) for each in self._path.glob("*" + _SUFFIX)]
        total = sum(status.st_size for status, _ in found) + size
        for status, each in sorted(found, key=lambda entry: entry[0].st_mtime_ns):
            if total <= self._max_bytes:
                return
            each.unlink(missing_ok=True)
            total -= status.st_size


def _key_in(path: Path) -> Secret:
    """The key of the cache in this folder, made if it does not exist."""
    file = path / _KEY_NAME
    if not file.exists():
        with _draft(path, secrets.token_bytes(_KEY_BYTES)) as draft, suppress(FileExistsError):
            file.hardlink_to(draft)  # whole or not at all; another process may be first
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EngineError(f"the key {file} is open to others: remove the folder")
    key = _read_own_file(file, _KEY_BYTES)
    if len(key) != _KEY_BYTES:
        raise EngineError(f"the key {file} is damaged: remove the folder")
    return Secret(key)


@contextmanager
def _draft(folder: Path, content: bytes) -> Iterator[Path]:
    """A file of this user's alone with this content, gone or renamed afterwards."""
    path = folder / f".{secrets.token_hex(8)}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _read_own_file(path: Path, limit: int) -> bytes:
    """The first `limit` bytes and one more of a file, which is no link."""
    # Without waiting: of a named pipe in its place nobody may ever open the other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        # No more room is asked for than the file takes: memory may be limited.
        return file.read(min(limit, os.fstat(descriptor).st_size) + 1)
