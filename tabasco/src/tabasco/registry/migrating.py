"""Bringing the tables of a database to the newest revision, by Alembic."""

from pathlib import Path
from typing import Final

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy import Connection

from tabasco.errors import TabascoError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


class UnknownRevisionError(TabascoError):
    """A database has a revision that no migration leads from."""


def upgrade(connection: Connection) -> None:
    """Run what migrations there are for a database, in the transaction of `connection`.

    Raises:
        UnknownRevisionError: it was written by a newer Tabasco.
    """
    config = alembic.config.Config()
    # Alembic interpolates % in its options, and a path may have one.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        raise UnknownRevisionError(str(error)) from error
