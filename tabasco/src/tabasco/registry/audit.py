"""The audit log: what was decided and what an operator did, each entry chained to the one before.

Theory of operation. An entry is written in the transaction of what it records, so neither is there
without the other. Its hash covers its fields and the hash of the entry before: whoever changes,
removes or reorders an entry has to make every later one anew. A *head* is the number and hash of
the newest entry, signed by the result key. A head that was kept elsewhere shows whether the log
still has that past, so that one cut short or made anew is noticed, too.

Entries name public things only: reason codes, names, digests; an instance by its id's digest.
Verifications of tokens are not in it: they change nothing, and are many.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cose.messages import verify1
from psa_attestation.cose.signing import sign1
from psa_attestation.errors import AttestationError
from tabasco.errors import TabascoError
from tabasco.registry.database import Database
from tabasco.registry.models import LABEL_CHARS, NAME_CHARS, AuditRow
from veracruz_utils.frozen import frozen

SERVICE: Final = "service"
OPERATOR: Final = "operator"
DONE: Final = "done"
MAX_HEAD_BYTES: Final = 1024
_LABEL: Final = b"veracruz-tabasco-audit-v1"
_FIRST: Final = bytes(32)
CLOCK_LEEWAY: Final = timedelta(hours=1)
"""By how much the clock may be behind the log."""
DISREGARD: Final = "disregard-time"
_HEAD_LABEL: Final = "veracruz-tabasco-audit-head-v1"
_LIMITS: Final = DecodeLimits(max_bytes=MAX_HEAD_BYTES, max_items=16, max_depth=3)


@frozen
class AuditEntry:
    """An entry: its number from 1 on, what happened, and its hash."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    outcome: str
    hash: bytes

    @classmethod
    def of(cls, row: AuditRow) -> Self:
        """The entry in a row, whether its hash is right or not."""
        return cls(row.id, row.at, row.actor, row.action, row.subject, row.outcome, row.hash)

    def hash_after(self, previous: bytes) -> bytes:
        """What the hash has to be when the entry before has this one."""
        # As a list in JSON, fields cannot run into each other: no two entries have the same text.
        fields = [self.number, self.at.isoformat(), self.actor, self.action]
        text = json.dumps([*fields, self.subject, self.outcome], ensure_ascii=True)
        return hashlib.sha256(_LABEL + previous + text.encode()).digest()


@frozen
class Head:
    """The newest entry's number, 0 when there is none, and its hash (32 bytes)."""

    number: int
    hash: bytes

    def sign(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """This head as COSE_Sign1."""
        return sign1(encode([_HEAD_LABEL, self.number, self.hash]), key)

    @classmethod
    def verified(cls, data: bytes, key: ec.EllipticCurvePublicKey) -> Self:
        """The head that was signed by `key`.

        Raises:
            TabascoError: it was not, or it is something else.
        """
        try:
            value = decode(verify1(data, key), _LIMITS)
        except AttestationError as error:
            raise TabascoError(f"the head is not signed by this key: {error.detail}") from error
        match value:
            case [str(label), int(number), bytes(digest)] if label == _HEAD_LABEL and number >= 0:
                return cls(number, digest)
        raise TabascoError("the signed content is not the head of an audit log")


def record(
    session: Session,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    outcome: str = DONE,
) -> None:
    """Add an entry in a writing transaction, which holds back every other writer."""
    newest = session.scalar(select(AuditRow).order_by(AuditRow.id.desc()).limit(1))
    number, previous = (1, _FIRST) if newest is None else (newest.id + 1, newest.hash)
    entry = AuditEntry(
        number=number,
        at=at,
        actor=actor[:LABEL_CHARS],
        action=action[:NAME_CHARS],
        subject=subject[:LABEL_CHARS],
        outcome=outcome[:NAME_CHARS],
        hash=b"",
    )
    session.add(
        AuditRow(
            id=entry.number,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            outcome=entry.outcome,
            hash=entry.hash_after(previous),
        )
    )


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _disregarded(session: Session) -> int:
    """The number of the last entry whose time does not count."""
    subject = session.scalar(
        select(AuditRow.subject).filter_by(action=DISREGARD).order_by(AuditRow.id.desc()).limit(1)
    )
    return 0 if subject is None else int(subject.split(" ")[0])


def _latest(session: Session, *, after: int) -> AuditRow | None:
    """Of the entries after this one, that of the latest time."""
    return session.scalar(
        select(AuditRow)
        .where(AuditRow.id > after)
        .order_by(AuditRow.at.desc(), AuditRow.id.desc())
        .limit(1)
    )


class AuditLog:
    """The log in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, *, after: int = 0, most: int = 1000) -> list[AuditEntry]:
        """Entries from the one after number `after` on, in order, at most so many."""
        query = select(AuditRow).where(AuditRow.id > after).order_by(AuditRow.id).limit(most)
        with self._database.reading() as session:
            return [AuditEntry.of(row) for row in session.scalars(query)]

    def head(self) -> Head:
        """Where the log is now."""
        with self._database.reading() as session:
            row = session.scalar(select(AuditRow).order_by(AuditRow.id.desc()).limit(1))
            return Head(0, _FIRST) if row is None else Head(row.id, row.hash)

    def verify(self, *, kept: Head | None = None) -> Head:
        """The head of a log whose every entry follows from the one before.

        Args:
            kept: a head from earlier, which the log has to have passed through.

        Raises:
            TabascoError: an entry was changed, removed or put in; or the log is not the one that
                had the kept head.
        """
        number, previous = 0, _FIRST
        # Every log began empty: such a head is kept by all of them, and has no entry to compare.
        if kept is not None and kept.number == 0:
            kept = None
        for entry in self._every():
            number += 1
            if entry.number != number:
                raise TabascoError(
                    f"the audit log has entry {entry.number}, expected entry {number}"
                )
            if entry.hash_after(previous) != entry.hash:
                raise TabascoError(
                    f"entry {number} of the audit log ({entry.action} at {entry.at.isoformat()}) "
                    "is not what was recorded: it or the one before was changed"
                )
            previous = entry.hash
            if kept is not None and kept.number == number and kept.hash != entry.hash:
                raise TabascoError(
                    f"entry {number} has hash {entry.hash.hex()[:12]}, the head that was kept "
                    f"says {kept.hash.hex()[:12]}: the log was rewritten"
                )
        if kept is not None and kept.number > number:
            raise TabascoError(
                f"the audit log ends at entry {number}, the head that was kept is at "
                f"{kept.number}: its end was removed"
            )
        return Head(number, previous)

    def check_clock(self, now: datetime) -> None:
        """Refuse a time that was over long ago: what has expired would be believed again.

        Entries up to one that was disregarded (`disregard_time`) do not count.

        Raises:
            TabascoError: the latest entry is more than an hour later.
        """
        with self._database.reading() as session:
            row = _latest(session, after=_disregarded(session))
            latest = None if row is None else AuditEntry.of(row)
        if latest is not None and latest.at > now + CLOCK_LEEWAY:
            raise TabascoError(
                f"the clock says {_text(now)}, but entry {latest.number} of the audit log is of "
                f"{_text(latest.at)}: set the clock; if it is right, and was wrong when the entry "
                f"was made: tabasco audit disregard-time {latest.number}"
            )

    def disregard_time(self, number: int, *, now: datetime, actor: str = OPERATOR) -> None:
        """Have the times of entries up to this one not count against the clock any more.

        What expired before them may be believed again, so only the very entry that the clock is
        held against can be named, and that it was is an entry itself.

        Raises:
            TabascoError: it is not that entry, or is no more than an hour in the future.
        """
        with self._database.writing() as session:
            latest = _latest(session, after=_disregarded(session))
            if latest is None or latest.at <= now + CLOCK_LEEWAY:
                raise TabascoError("no entry of the audit log is in the future: nothing to do")
            if latest.id != number:
                raise TabascoError(
                    f"the entry of the latest time is {latest.id}, of {_text(latest.at)}: look at "
                    "it (tabasco audit show), and name that one"
                )
            record(
                session,
                at=now,
                actor=actor,
                action=DISREGARD,
                subject=f"{latest.id} {_text(latest.at)}",
            )

    def count(self) -> int:
        """How many entries there are."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(AuditRow)) or 0

    def _every(self) -> Iterator[AuditEntry]:
        after = 0
        while found := self.entries(after=after):
            yield from found
            after = found[-1].number
