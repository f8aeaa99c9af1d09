"""The appraisal policies in a database: one is in force, the newest, and versions only grow."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.models import PolicyRow


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as it was set: its text, and the SHA-256 of that."""

    version: int
    digest: bytes
    document: bytes
    set_at: datetime

    @property
    def policy(self) -> AppraisalPolicy:
        """What it says."""
        return AppraisalPolicy.parse(self.document)

    @property
    def identifier(self) -> str:
        """How results name it."""
        return f"veracruz-tabasco/appraisal/{self.version}/{self.digest.hex()}"


class Policies:
    """The policies in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_in_force(
        self, document: bytes, *, at: datetime, actor: str = audit.OPERATOR
    ) -> StoredPolicy:
        """Have this policy (TOML) decide from now on; the one in force again changes nothing.

        Raises:
            TabascoError: it cannot be read, or its version is not newer than the one in force.
        """
        policy = AppraisalPolicy.parse(document)
        stored = StoredPolicy(policy.version, hashlib.sha256(document).digest(), document, at)
        with self._database.writing() as session:
            newest = session.scalar(select(PolicyRow).order_by(PolicyRow.version.desc()).limit(1))
            if newest is not None and newest.digest == stored.digest:
                return _value(newest)
            if newest is not None and newest.version >= stored.version:
                raise TabascoError(
                    f"the policy has version {stored.version}, version {newest.version} is in "
                    "force: give it a higher version, also to return to an older policy"
                )
            session.add(
                PolicyRow(
                    version=stored.version, digest=stored.digest, document=document, set_at=at
                )
            )
            audit.record(
                session,
                at=at,
                actor=actor,
                action="set-policy",
                subject=f"{stored.version} {stored.digest.hex()}",
            )
        return stored

    def in_force(self) -> StoredPolicy | None:
        """The policy that decides now; None accepts nothing."""
        with self._database.reading() as session:
            row = session.scalar(select(PolicyRow).order_by(PolicyRow.version.desc()).limit(1))
            return None if row is None else _value(row)

    def all(self) -> list[StoredPolicy]:
        """Every policy there was, newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(PolicyRow).order_by(PolicyRow.version.desc()))
            return [_value(row) for row in rows]


def _value(row: PolicyRow) -> StoredPolicy:
    return StoredPolicy(row.version, row.digest, row.document, row.set_at)
