"""PostgreSQL: a server that several services share, on as many machines.

Writing transactions take one advisory lock when they begin and so come one after the other, as on
SQLite: what one reads cannot change before it commits, whichever service it belongs to. Reading
transactions see one state of the database (repeatable read) and wait for nobody.
"""

from importlib.util import find_spec
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event

from tabasco.errors import DatabaseError

LOCK_TIMEOUT_MS: Final = 10_000
CONNECT_TIMEOUT_S: Final = 10
_VANISHED: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # in milliseconds
}
"""A server that vanished without a word is noticed; the kernel would wait a quarter of an hour."""
# PostgreSQL takes a signed number of 64 bits: this one is positive, as its first byte is "t".
_LOCK: Final = int.from_bytes(b"tabasco\0")
"""The advisory lock of those who write."""


def postgresql_engine(url: URL, *, connections: int) -> tuple[Engine, str]:
    """An engine on the server that a URL names, and its name for people.

    Raises:
        DatabaseError: the driver is missing, or the URL holds a password.
    """
    if url.password is not None:
        raise DatabaseError(
            "the database URL has a password, which every user of this machine can see: "
            "put the password into ~/.pgpass or the file that PGPASSFILE names"
        )
    if find_spec("psycopg") is None:
        raise DatabaseError(
            "the driver for PostgreSQL is missing: pip install 'veracruz-tabasco[postgresql]'"
        )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,  # the server may have been started anew
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S} | _VANISHED,
    )
    event.listen(engine, "begin", _begin)
    return engine, url.render_as_string(hide_password=True)


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writing", False):
        # The first statement decides what is seen: nothing may come before the lock is ours.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
