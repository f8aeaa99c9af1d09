"""Symmetric keys of the service itself, which services share by sharing a database."""

import secrets
from typing import Final

from sqlalchemy import select

from tabasco.registry.database import Database
from tabasco.registry.models import SharedKeyRow
from veracruz_utils.secret import Secret

_KEY_BYTES: Final = 32


def shared_key(database: Database, name: str) -> Secret:
    """The key of this name, made now if there is none; of concurrent callers one makes it."""
    wanted = select(SharedKeyRow.value).filter_by(name=name)
    with database.reading() as session:
        found = session.scalar(wanted)
    if found is None:
        with database.writing() as session:
            found = session.scalar(wanted)
            if found is None:
                found = secrets.token_bytes(_KEY_BYTES)
                session.add(SharedKeyRow(name=name, value=found))
    return Secret(found)
