"""The database: opened safely, brought up to date, and one transaction at a time.

SQLite is the one database today. Theory of operation: any number of processes (a service, commands
of its operator) share the file in write-ahead mode, so readers never wait. Every writing
transaction takes the write lock when it begins (`BEGIN IMMEDIATE`): it waits for the lock up to the
busy timeout, and what it reads cannot change before it commits. A transaction that begins by
reading and then writes would instead fail at once when somebody else wrote in between.
`synchronous=FULL` makes a commit survive a power cut, not only a killed process.

Migrations run inside one such transaction, so of two processes that start together one migrates
and the other finds the work done, and a failing migration leaves the old state.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from tabasco.errors import DatabaseError

BUSY_TIMEOUT_MS: Final = 10_000
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def sqlite_url(path: Path) -> str:
    """The URL of the SQLite database in the file `path`."""
    return URL.create("sqlite", database=str(path)).render_as_string()


class Database:
    """An open database at its newest revision; safe to share between threads."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._reader = engine
        self._writer = engine.execution_options(writing=True)
        self._name = name

    @classmethod
    def open(cls, url: str, *, connections: int = 8, create: bool = True) -> Self:
        """The database at `url`, brought up to date, its file readable by us alone.

        Args:
            url: `sqlite:///PATH`.
            connections: how many threads can be inside a transaction at the same time.
            create: make it if it is not there.

        Raises:
            DatabaseError: not a SQLite file we can open, or written by a newer Tabasco.
        """
        path = _sqlite_path(url)
        _make_private(path, create=create)
        engine = create_engine(
            URL.create("sqlite", database=str(path)),
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        database = cls(engine, str(path))
        try:
            database.migrate()
        except BaseException:
            engine.dispose()
            raise
        return database

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to `revision`, by default the newest this software knows."""
        config = alembic.config.Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self._translated(), self._writer.begin() as connection:
            config.attributes["connection"] = connection
            try:
                alembic.command.upgrade(config, revision)
            except alembic.util.CommandError as error:
                raise DatabaseError(
                    f"database {self._name} has a revision that this tabasco does not know, "
                    "it was written by a newer one: use that one"
                ) from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session in one transaction that only reads."""
        with self._translated(), Session(self._reader) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session in one transaction that holds the write lock; committed when the block ends.

        An exception in the block undoes everything.
        """
        with self._translated(), Session(self._writer) as session, session.begin():
            yield session

    def lookup(self, statement: Select[*tuple[Any, ...]]) -> "Lookup":
        """A select with one parameter and at most one row, prepared."""
        return Lookup(self._reader, statement, self._translated)

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            driver = error if isinstance(error, sqlite3.Error) else getattr(error, "orig", None)
            cause = driver or type(error).__name__
            raise DatabaseError(f"database {self._name} cannot be used: {cause}") from error


class Lookup:
    """A select with one parameter and at most one row, to be run often; made by `Database.lookup`.

    It is put into SQL once, and runs without a transaction: a single statement sees a single state
    of the database anyway.
    """

    def __init__(
        self,
        engine: Engine,
        statement: Select[*tuple[Any, ...]],
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._engine = engine
        self._text = str(statement.compile(engine))
        self._translated = translated
        dialect = engine.dialect
        self._readers = [
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in statement.selected_columns
        ]

    def __call__(self, parameter: object) -> list[Any] | None:
        """The row, if there is one."""
        with (
            self._translated(),
            closing(self._engine.raw_connection()) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute(self._text, (parameter,))
            row = cursor.fetchone()
        if row is None:
            return None
        return [
            value if reader is None else reader(value)
            for reader, value in zip(self._readers, row, strict=True)
        ]


def _sqlite_path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("the database URL is not one: give sqlite:///PATH") from error
    if parsed.drivername != "sqlite" or parsed.query or parsed.host:
        raise DatabaseError(
            f"a {parsed.drivername[:40]!r} database URL is not supported: give sqlite:///PATH"
        )
    if parsed.database in (None, "", ":memory:"):
        raise DatabaseError("a database in memory forgets what it acknowledged: give a file")
    return Path(str(parsed.database))


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
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
