"""Empty databases in files: migrating one takes longer than most tests, so that they are copied."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tabasco.registry.database import Database, sqlite_url


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tabasco.db"
        Database.open(sqlite_url(path)).close()
        return path.read_bytes()


@contextlib.contextmanager
def new_database(path: Path) -> Iterator[Database]:
    """A new database in a file, as `Database.open` would have made it."""
    path.write_bytes(_migrated())
    path.chmod(0o600)
    with Database.open(sqlite_url(path)) as database:
        yield database
