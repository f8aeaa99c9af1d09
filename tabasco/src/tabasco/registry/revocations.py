"""What is believed no more: measurements, keys, certificates and instances, each by its value.

A revocation counts from its transaction on. Whoever enrols asks in its own, and every token asks
anew, so what is enrolled already is refused as well (`tabasco.appraisal.revocation`). A key, as one
that somebody else may have, also stops being a root's or a provider's.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.judgement import reappraise
from tabasco.registry.models import (
    LABEL_CHARS,
    InstanceRow,
    InstanceValueRow,
    PlatformKeyRow,
    ProviderRow,
    ReferenceValueRow,
    RevocationRow,
    RootRow,
)
from tabasco.registry.pseudonyms import pseudonym_of
from tabasco.registry.roots import remove_root
from tabasco.verify.named import Subject
from veracruz_utils.frozen import frozen

SIZES: Final = {
    Subject.MEASUREMENT: (20, 32, 48, 64),
    Subject.KEY: (32,),
    Subject.CERTIFICATE: (32,),
    Subject.INSTANCE: (16, 20, 33, 64),
}
"""How many bytes a value has that can be revoked."""


@frozen
class Revocation:
    """A revocation, and why, for people; `enrolments` is how many were live that rest on it."""

    subject: Subject
    value: bytes
    reason: str
    revoked_at: datetime
    enrolments: int = 0


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
    ) -> Revocation:
        """Believe this no more; a second time changes nothing.

        A root with a key that is revoked is removed, and what it vouched for revoked. What a
        provider with such a key said is forgotten.

        Args:
            subject: what the value is of.
            value: of a size of its subject; see `tabasco.verify.named.Subject`.
            reason: for people.
            at: from when on.
            actor: who does it.

        Raises:
            TabascoError: the value has no size of its kind, or stands for nothing.
        """
        _check(subject, value)
        with self._database.writing() as session:
            row = session.scalar(select(RevocationRow).filter_by(value=value))
            if row is not None:
                return _value(row)
            enrolments = _live_with(session, value, at)
            row = RevocationRow(
                subject=subject.value, value=value, reason=reason[:LABEL_CHARS], revoked_at=at
            )
            session.add(row)
            audit.record(
                session, at=at, actor=actor, action=f"revoke-{subject}", subject=_shown(row)
            )
            # Whatever it was revoked as: the digest of a key is of nothing else.
            _remove_root(session, value, at=at, actor=actor)
            _forget_provider(session, value, at=at)
            return _value(row, enrolments)

    def among(self, values: Collection[bytes]) -> frozenset[bytes]:
        """Those of `values` that are revoked."""
        with self._database.reading() as session:
            return revoked_among(session, values)

    def holds(self, value: bytes) -> bool:
        """Whether this one is, asked for each token."""
        return self._by_value(value) is not None

    def all(self) -> list[Revocation]:
        """Every revocation, newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(RevocationRow).order_by(RevocationRow.id.desc()))
            return [_value(row) for row in rows]


def revoked_among(session: Session, values: Collection[bytes]) -> frozenset[bytes]:
    """Those of `values` that are revoked, in a transaction."""
    query = select(RevocationRow.value).where(RevocationRow.value.in_(values))
    return frozenset(session.scalars(query))


def is_revoked(session: Session, value: bytes) -> bool:
    """Whether this one is, in a transaction."""
    return bool(revoked_among(session, (value,)))


def _check(subject: Subject, value: bytes) -> None:
    sizes = SIZES[subject]
    if len(value) not in sizes:
        *first, last = map(str, sizes)
        wanted = f"{', '.join(first)} or {last}" if first else last
        raise TabascoError(
            f"what is revoked as {subject} has {wanted} bytes, this has {len(value)}"
        )
    if not any(value):
        raise TabascoError(
            f"zeros as {subject} are of everything that was not measured: name what it should "
            "be in the appraisal policy instead"
        )


def _live_with(session: Session, value: bytes, at: datetime) -> int:
    query = (
        select(func.count())
        .select_from(InstanceRow)
        .join(InstanceValueRow, InstanceValueRow.instance == InstanceRow.id)
        .where(
            InstanceValueRow.value == value,
            InstanceRow.revoked_at.is_(None),
            InstanceRow.expires_at > at,
        )
    )
    return session.scalar(query) or 0


def _remove_root(session: Session, value: bytes, *, at: datetime, actor: str) -> None:
    """Have a root whose key is revoked be none, as removing it does."""
    for row in session.scalars(select(RootRow).filter_by(removed_at=None)):
        # A manufacturer of TPMs has a certificate besides its key.
        named = (row.public_key, row.certificate or b"")
        if value == row.instance_id or value in [hashlib.sha256(each).digest() for each in named]:
            remove_root(session, row, at=at, actor=actor)


def _forget_provider(session: Session, digest: bytes, *, at: datetime) -> None:
    """Believe nothing of what a provider said whose key is revoked."""
    for row in session.scalars(select(ProviderRow)):
        if hashlib.sha256(row.public_key).digest() == digest:
            session.execute(delete(ReferenceValueRow).filter_by(provider=row.name, removed_at=None))
            session.execute(delete(PlatformKeyRow).filter_by(provider=row.name, removed_at=None))
            reappraise(session, at=at)


def _shown(row: RevocationRow) -> str:
    """How the audit log names it: an instance, as ever, by a digest of its id."""
    if row.subject == Subject.INSTANCE:
        return pseudonym_of(row.value)
    return row.value.hex()


def _value(row: RevocationRow, enrolments: int = 0) -> Revocation:
    return Revocation(Subject(row.subject), row.value, row.reason, row.revoked_at, enrolments)


_BY_VALUE: Final = select(RevocationRow.id).where(RevocationRow.value == bindparam("value"))
