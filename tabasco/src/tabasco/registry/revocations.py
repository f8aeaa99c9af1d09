"""What is believed no more: measurements and keys. Instances are revoked in `instances`.

A revoked measurement counts for root attesters, which enrol no more, and for runtimes, whose tokens
are refused from then on. A revoked key, named by the SHA-256 of its DER SubjectPublicKeyInfo, can
neither enrol nor be a root.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.models import LABEL_CHARS, RevocationRow, RootRow
from tabasco.registry.roots import remove_root
from tabasco.verify.named import Subject

_SIZES: Final = frozenset({32, 48, 64})


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation, and why, for people."""

    subject: Subject
    value: bytes
    reason: str
    revoked_at: datetime


class Revocations:
    """The revocations in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_value = database.lookup(_BY_VALUE)

    def add(
        self,
        subject: Subject,
        value: bytes,
        reason: str,
        *,
        at: datetime,
        actor: str = audit.OPERATOR,
    ) -> None:
        """Believe this no more; a second time changes nothing.

        A root with a key that is revoked is removed, and what it vouched for revoked.

        Args:
            subject: what the value is of.
            value: a measurement (32, 48 or 64 bytes), or a key's digest (32 bytes).
            reason: for people.
            at: from when on.
            actor: who does it.

        Raises:
            TabascoError: the value has no size of its kind.
        """
        if len(value) not in _SIZES or (subject is Subject.KEY and len(value) != 32):
            sizes = "32" if subject is Subject.KEY else "32, 48 or 64"
            raise TabascoError(f"a {subject} has {sizes} bytes, this has {len(value)}")
        with self._database.writing() as session:
            if session.scalar(select(RevocationRow).filter_by(value=value)) is not None:
                return
            session.add(
                RevocationRow(
                    subject=subject.value,
                    value=value,
                    reason=reason[:LABEL_CHARS],
                    revoked_at=at,
                )
            )
            audit.record(
                session,
                at=at,
                actor=actor,
                action=f"revoke-{subject}",
                subject=value.hex(),
            )
            if subject is Subject.KEY:
                _remove_root(session, value, at=at, actor=actor)

    def holds(self, value: bytes) -> bool:
        """Whether this measurement, or the key with this digest, is revoked."""
        # By the value alone: both are digests, and none is of a program and of a key at once.
        return self._by_value(value) is not None

    def holds_key(self, public_key: bytes) -> bool:
        """Whether this key (DER SubjectPublicKeyInfo) is revoked."""
        return self.holds(hashlib.sha256(public_key).digest())

    def all(self) -> list[Revocation]:
        """Every revocation, newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(RevocationRow).order_by(RevocationRow.id.desc()))
            return [
                Revocation(Subject(row.subject), row.value, row.reason, row.revoked_at)
                for row in rows
            ]


def _remove_root(session: Session, digest: bytes, *, at: datetime, actor: str) -> None:
    """Have a root whose key is revoked be none, as removing it does."""
    for row in session.scalars(select(RootRow).filter_by(removed_at=None)):
        if hashlib.sha256(row.public_key).digest() == digest:
            remove_root(session, row, at=at, actor=actor)


_BY_VALUE: Final = select(RevocationRow.id).where(RevocationRow.value == bindparam("value"))
