"""The database: opened safely, brought up to date, and one transaction at a time.

SQLite by default, PostgreSQL by a URL; what differs is in `_sqlite` and `_postgresql`. On both,
transactions that write come one after the other and see what all before them did; those that read
see one state and wait for nobody.

Migrations run inside one writing transaction, so of two processes that start together one migrates
and the other finds the work done, and a failing migration leaves the old state.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Final, Self

from sqlalchemy import Engine, Select, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, SQLAlchemyError
from sqlalchemy.orm import Session

from tabasco.errors import DatabaseError, TabascoError
from tabasco.registry.postgresql import postgresql_engine
from tabasco.registry.sqlite import sqlite_engine, sqlite_url

__all__ = ["NEWEST", "Database", "Lookup", "sqlite_url"]

NEWEST: Final = "0009"
"""The revision that `migrations` end with."""
_REVISIONS: Final = text("select version_num from alembic_version")
_NO_ROOM: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class Database:
    """An open database at its newest revision; safe to share between threads."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._reader = engine
        self._writer = engine.execution_options(writing=True)
        self._name = name
        assert engine.dialect.dbapi is not None
        self._driver_error: type[Exception] = engine.dialect.dbapi.Error

    @classmethod
    def open(cls, url: str, *, connections: int = 8, create: bool = True) -> Self:
        """The database at `url`, brought up to date; a file readable by us alone.

        Args:
            url: `sqlite:///PATH` or `postgresql://USER@HOST/NAME`.
            connections: how many threads can be inside a transaction at the same time.
            create: make the file if it is not there.

        Raises:
            DatabaseError: it cannot be opened, or was written by a newer Tabasco.
        """
        engine, name = _engine(url, connections=connections, create=create)
        database = cls(engine, name)
        try:
            database.migrate()
        except BaseException:
            engine.dispose()
            raise
        return database

    @classmethod
    def revision_of(cls, url: str) -> str | None:
        """Which revision a database has, which may be none; nothing is made or changed.

        Raises:
            DatabaseError: it cannot be opened.
        """
        with cls(*_engine(url, connections=1, create=False)) as database:
            return database._revision()

    @property
    def url(self) -> str:
        """Where it is; there is no password in it."""
        return self._reader.url.render_as_string()

    def migrate(self) -> None:
        """Bring the tables to the newest revision that this software knows.

        Raises:
            DatabaseError: they cannot be brought there, or have one that it does not know.
        """
        if self._is_up_to_date():
            return
        # A quarter of what a start takes, and wanted only when there is work for it.
        from tabasco.registry.migrating import UnknownRevisionError, upgrade  # noqa: PLC0415

        with self._translated(), self._writer.begin() as connection:
            try:
                upgrade(connection)
            except UnknownRevisionError as error:
                raise DatabaseError(
                    f"database {self._name} has a revision that this tabasco does not know: "
                    "use the newer tabasco that wrote it"
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

    def _is_up_to_date(self) -> bool:
        return self._revision() == NEWEST

    def _revision(self) -> str | None:
        with self.reading() as session:
            if not inspect(session.connection()).has_table("alembic_version"):
                return None
            return ", ".join(session.scalars(_REVISIONS)) or None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        # What is too great for its column, or text with a character that no column holds: not a
        # failure of the database, but a value that somebody gave.
        except (DataError, OverflowError, UnicodeEncodeError) as error:
            raise TabascoError(
                "a number, time or text is none that the database can hold: give a smaller number, "
                "a time between the years 1 and 9999, or text without control characters"
            ) from error
        except (SQLAlchemyError, self._driver_error) as error:
            driver = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else error
            cause = " ".join(str(driver or type(error).__name__).split())[:300]
            # SQLite says either of these on a disk without room, depending on what it was about.
            if getattr(driver, "sqlite_errorcode", 0) & 0xFF in _NO_ROOM:
                cause += ": is its disk full?"
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
        compiled = statement.compile(engine)
        self._text = str(compiled)
        (self._name,) = compiled.params
        self._positional = compiled.positional
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
            # Closing gives it back to the pool, which rolls back what the driver began by itself.
            closing(self._engine.raw_connection()) as connection,
            closing(connection.cursor()) as cursor,
        ):
            given = (parameter,) if self._positional else {self._name: parameter}
            cursor.execute(self._text, given)
            row = cursor.fetchone()
        if row is None:
            return None
        return [
            value if reader is None else reader(value)
            for reader, value in zip(self._readers, row, strict=True)
        ]


def _engine(url: str, *, connections: int, create: bool) -> tuple[Engine, str]:
    forms = "sqlite:///PATH or postgresql://USER@HOST/NAME"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(f"the database URL is malformed: give {forms}") from error
    if parsed.drivername == "sqlite":
        return sqlite_engine(parsed, connections=connections, create=create)
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return postgresql_engine(parsed, connections=connections)
    raise DatabaseError(f"a {parsed.drivername[:40]!r} database URL is not supported: give {forms}")
