"""Who may administer over the network, and what: people and programs with a token.

A token is 32 random bytes behind a prefix that scanners for leaked secrets can look for. It is
shown once; the database has its SHA-256, which is enough for a secret that nobody can guess, and
looking that up by value tells an attacker who measures time nothing about any token. A reader sees
everything that an administrator can; only an administrator changes anything.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import bindparam, delete, select

from psa_attestation.jose.base64url import to_base64url
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.models import AdministratorRow
from veracruz_utils.frozen import frozen
from veracruz_utils.secret import Secret

TOKEN_PREFIX: Final = "veracruz_tabasco_"  # noqa: S105 - what is before every token
_TOKEN: Final = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class AdministratorRole(StrEnum):
    """What somebody may do."""

    READER = "reader"
    ADMIN = "admin"


@frozen
class Administrator:
    """Somebody who may administer."""

    name: str
    role: AdministratorRole
    added_at: datetime

    @property
    def actor(self) -> str:
        """What the audit log calls them."""
        return f"administrator {self.name}"


class Administrators:
    """The administrators in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_digest = database.lookup(_BY_DIGEST)

    def add(self, name: str, role: AdministratorRole, *, at: datetime) -> Secret:
        """Add an administrator: their token, which is not kept.

        Raises:
            TabascoError: the name is malformed or in use.
        """
        if not _NAME.fullmatch(name):
            raise TabascoError(f"{name[:80]!r} is not a name: use letters, digits, . _ -")
        token = TOKEN_PREFIX + to_base64url(secrets.token_bytes(32))
        with self._database.writing() as session:
            if session.scalar(select(AdministratorRow).filter_by(name=name)) is not None:
                raise TabascoError(f"there is an administrator {name!r} already: remove that one")
            session.add(
                AdministratorRow(
                    name=name, role=role.value, token_digest=_digest(token), added_at=at
                )
            )
            audit.record(
                session,
                at=at,
                actor=audit.OPERATOR,
                action="add-administrator",
                subject=f"{name} {role}",
            )
        return Secret(token.encode())

    def remove(self, name: str, *, at: datetime) -> None:
        """Remove an administrator: their token is no longer valid.

        Raises:
            TabascoError: nobody has this name.
        """
        with self._database.writing() as session:
            gone = delete(AdministratorRow).filter_by(name=name).returning(AdministratorRow.id)
            if session.scalar(gone) is None:
                raise TabascoError(
                    f"there is no administrator {name[:80]!r}: see tabasco administrator list"
                )
            audit.record(
                session,
                at=at,
                actor=audit.OPERATOR,
                action="remove-administrator",
                subject=name,
            )

    def all(self) -> list[Administrator]:
        """Everybody who may, by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(AdministratorRow).order_by(AdministratorRow.name))
            return [
                Administrator(row.name, AdministratorRole(row.role), row.added_at) for row in rows
            ]

    def with_token(self, token: str) -> Administrator | None:
        """The administrator with this token, or None."""
        if not _TOKEN.fullmatch(token):
            return None
        # Looked up by digest: how long the index takes tells nothing about a token.
        digest = _digest(token)
        found = self._by_digest(digest)
        if found is None:
            return None
        name, role, added_at, kept = found
        if not hmac.compare_digest(kept, digest):
            return None
        return Administrator(name, AdministratorRole(role), added_at)


_BY_DIGEST: Final = select(
    AdministratorRow.name,
    AdministratorRow.role,
    AdministratorRow.added_at,
    AdministratorRow.token_digest,
).where(AdministratorRow.token_digest == bindparam("digest"))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
