"""Challenges: random, answered once, and only while they live. Kept, or stateless.

A kept challenge is a row from the moment it is given out. A stateless one carries its time and an
authentication code under a key that several services share, so that any of them accepts what
another gave out, and giving one out costs no row. That it is used once is then for the record of
used ones, in the database: exactly once for services that share the database; for services that
share the key alone, once at each of them, which is as far as nothing shared can go. An enrolment
that is repeated so enrols the same key once more, no other.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from colima.tabasco import CHALLENGE_BYTES
from tabasco.errors import BusyError, RefusalError, RejectionReason
from tabasco.registry.database import Database
from tabasco.registry.models import ChallengeRow
from veracruz_utils.secret import Secret

# Seconds in 4 bytes would end in 2106. Time, 11 random bytes and 16 of code make CHALLENGE_BYTES.
_TIME_BYTES: Final = 5
_RANDOM_BYTES: Final = 11
_MAC_LABEL: Final = b"veracruz-tabasco-challenge-v1\0"
_LEEWAY: Final = timedelta(seconds=30)
MIN_KEY_BYTES: Final = 32


class ChallengeSource(Protocol):
    """Gives challenges out, and takes each once."""

    def issue(self, platform: str, *, at: datetime) -> bytes:
        """A fresh 32-byte challenge for this purpose, or a `BusyError`."""
        ...

    def check(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Refuse it as `CHALLENGE_NOT_LIVE` where `use` would; it stays as it is."""
        ...

    def use(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Use it up, or refuse it as `CHALLENGE_NOT_LIVE`."""
        ...


class Challenges:
    """The challenges in a database, at most `limit` that have not expired (used or not)."""

    def __init__(
        self,
        database: Database,
        *,
        validity: timedelta,
        limit: int,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._validity = validity
        self._limit = limit
        self._random = random

    def issue(self, platform: str, *, at: datetime) -> bytes:
        """A fresh 32-byte challenge for an enrolment on `platform`.

        Raises:
            BusyError: too many are outstanding.
        """
        challenge = self._random(CHALLENGE_BYTES)
        with self._database.writing() as session:
            _make_room(session, at, self._limit)
            session.add(
                ChallengeRow(
                    digest=_digest(challenge), platform=platform, expires_at=at + self._validity
                )
            )
        return challenge

    def check(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Refuse `challenge` where `use` would; it stays as it is.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
        """
        with self._database.reading() as session:
            live = select(ChallengeRow.id).where(*_live(challenge, platform, at))
            if session.scalar(live) is None:
                raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, _why(session, challenge, at))

    def use(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Use `challenge` up: of any number of concurrent calls one returns.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
        """
        with self._database.writing() as session:
            used = session.scalars(
                update(ChallengeRow)
                .where(*_live(challenge, platform, at))
                .values(used_at=at)
                .returning(ChallengeRow.id)
            ).all()
            if not used:
                raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, _why(session, challenge, at))


class StatelessChallenges:
    """Challenges that carry their own time and proof of where they come from.

    Args:
        database: records used ones, at most `limit` that have not expired.
        key: shared by the services that accept each other's, at least 32 bytes.
        validity: how long one is good for; clocks of services may differ by 30 seconds.
        limit: of used ones.
        random: bytes that nobody can guess.
    """

    def __init__(
        self,
        database: Database,
        *,
        key: Secret,
        validity: timedelta,
        limit: int,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._key = key
        self._validity = validity
        self._limit = limit
        self._random = random

    def issue(self, platform: str, *, at: datetime) -> bytes:
        """A fresh 32-byte challenge for an enrolment on `platform`; nothing is written."""
        head = int(at.timestamp()).to_bytes(_TIME_BYTES) + self._random(_RANDOM_BYTES)
        return head + self._code(head, platform)

    def check(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Refuse `challenge` where `use` would; it stays as it is.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
        """
        self._check_code(challenge, platform, at)
        with self._database.reading() as session:
            _refuse_used(session, challenge)

    def use(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Use `challenge` up: of any number of concurrent calls on one database one returns.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
            BusyError: too many were used and have not expired.
        """
        issued = self._check_code(challenge, platform, at)
        with self._database.writing() as session:
            _refuse_used(session, challenge)
            _make_room(session, at, self._limit)
            session.add(
                ChallengeRow(
                    digest=_digest(challenge),
                    platform=platform,
                    # A service whose clock is late must not find it forgotten and take it again.
                    expires_at=issued + self._validity + _LEEWAY,
                    used_at=at,
                )
            )

    def _check_code(self, challenge: bytes, platform: str, at: datetime) -> datetime:
        """When a challenge of ours was issued, if it may still be answered at `at`."""
        head, code = challenge[: _TIME_BYTES + _RANDOM_BYTES], challenge[-16:]
        # The code first: nobody learns of a time or a row by what is not from us.
        if len(challenge) != CHALLENGE_BYTES or not hmac.compare_digest(
            code, self._code(head, platform)
        ):
            raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "unknown")
        issued = datetime.fromtimestamp(int.from_bytes(head[:_TIME_BYTES]), UTC)
        if not issued - _LEEWAY <= at < issued + self._validity:
            raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "expired")
        return issued

    def _code(self, head: bytes, platform: str) -> bytes:
        # The purpose is under the code: a nonce of a session is no challenge of an enrolment.
        message = _MAC_LABEL + head + platform.encode()
        return hmac.digest(self._key.reveal(), message, "sha256")[:16]


def _live(challenge: bytes, platform: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    """What is true of the row of a challenge that may be answered."""
    return (
        ChallengeRow.digest == _digest(challenge),
        ChallengeRow.platform == platform,
        ChallengeRow.used_at.is_(None),
        ChallengeRow.expires_at > at,
    )


def _refuse_used(session: Session, challenge: bytes) -> None:
    if session.scalar(select(ChallengeRow.id).filter_by(digest=_digest(challenge))) is not None:
        raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "used")


def _make_room(session: Session, at: datetime, limit: int) -> None:
    session.execute(delete(ChallengeRow).where(ChallengeRow.expires_at <= at))
    count = session.scalar(select(func.count()).select_from(ChallengeRow)) or 0
    if count >= limit:
        raise BusyError("too many enrolments are under way, try again in some minutes")


def _why(session: Session, challenge: bytes, at: datetime) -> str:
    row = session.scalar(select(ChallengeRow).filter_by(digest=_digest(challenge)))
    if row is None:
        return "unknown"
    if row.used_at is not None:
        return "used"
    return "expired" if row.expires_at <= at else "other platform"


# Digests are kept: whoever reads the database learns no challenge that could still be answered.
def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
