"""SQLite: one file, any number of processes on one machine.

Processes share the file in write-ahead mode, so readers never wait. Every writing transaction takes
the write lock when it begins (`BEGIN IMMEDIATE`): it waits for the lock up to the busy timeout. A
transaction that begins by reading and then writes would instead fail at once when somebody else
wrote in between. Turning the mode on waits for nothing, so it is tried again until that timeout.
`synchronous=FULL` makes a commit survive a power cut, not only a killed process.
"""

import sqlite3
from pathlib import Path
from typing import Final

import tenacity
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from tabasco.errors import DatabaseError

BUSY_TIMEOUT_MS: Final = 10_000


def _is_busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY  # the low byte is primary


_until_not_busy = tenacity.Retrying(
    retry=tenacity.retry_if_exception(_is_busy),
    stop=tenacity.stop_after_delay(BUSY_TIMEOUT_MS / 1000),
    wait=tenacity.wait_random(0.005, 0.05),
    reraise=True,
)


def sqlite_url(path: Path) -> str:
    """The URL of the SQLite database in the file `path`."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def sqlite_engine(url: URL, *, connections: int, create: bool) -> tuple[Engine, str]:
    """An engine on the file that a URL names, and its name for people.

    Raises:
        DatabaseError: it names no file, or one that cannot be used.
    """
    if url.query or url.host:
        raise DatabaseError("the SQLite database URL has more than a path: give sqlite:///PATH")
    if url.database in (None, "", ":memory:"):
        raise DatabaseError(
            "a database in memory loses the enrolments it acknowledged: give a file"
        )
    path = Path(str(url.database))
    _make_private(path, create=create)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=connections,
        max_overflow=0,
        # Errors are logged, and the values of a statement do not belong there.
        hide_parameters=True,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine, str(path)


def _make_private(path: Path, *, create: bool) -> None:
    """See to it that the file is there and only ours; SQLite gives its side files the same mode.

    A file that exists is never opened here: closing it would drop the locks that SQLite holds on
    it in this process.
    """
    try:
        if path.exists() or not create:
            path.chmod(0o600)
        else:
            path.touch(mode=0o600)
    except FileNotFoundError as error:
        remedy = "make its folder first" if create else "start tabasco serve, or add a root"
        raise DatabaseError(f"there is no database {path}: {remedy}") from error
    except OSError as error:
        raise DatabaseError(f"database {path} cannot be opened: {error.strerror}") from error


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # `_begin` says when a transaction begins, not the driver
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # Whoever can write the file must not have functions of theirs run from its schema.
        "trusted_schema=OFF",
    ):
        _until_not_busy(connection.execute, f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
