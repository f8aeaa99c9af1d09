"""Empty databases in files: migrating one takes longer than most tests, so that they are copied."""

import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import event

from tabasco.registry.database import Database, sqlite_url


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tabasco.db"
        Database.open(sqlite_url(path)).close()
        return path.read_bytes()


@contextlib.contextmanager
def new_database(path: Path) -> Iterator[Database]:
    """A new database in a file, as `Database.open` would have made it.

    Like PostgreSQL in tests it does not wait until the disk has what is written.
    """
    path.write_bytes(_migrated())
    path.chmod(0o600)
    with Database.open(sqlite_url(path)) as database:
        event.listen(database._reader, "connect", _trust_the_system)
        database._reader.dispose()
        yield database


def _trust_the_system(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("pragma synchronous = off")
