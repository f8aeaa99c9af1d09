"""Enrolment challenges: random, answered once, and only while they live."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from colima.tabasco import CHALLENGE_BYTES
from tabasco.database import Database
from tabasco.errors import BusyError, Reason, RefusalError
from tabasco.models import ChallengeRow


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
            session.execute(delete(ChallengeRow).where(ChallengeRow.expires_at <= at))
            count = session.scalar(select(func.count()).select_from(ChallengeRow)) or 0
            if count >= self._limit:
                raise BusyError("too many enrolments are under way, try again in some minutes")
            session.add(
                ChallengeRow(
                    digest=_digest(challenge), platform=platform, expires_at=at + self._validity
                )
            )
        return challenge

    def use(self, challenge: bytes, platform: str, *, at: datetime) -> None:
        """Use `challenge` up: of any number of concurrent calls one returns.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
        """
        with self._database.writing() as session:
            used = session.scalars(
                update(ChallengeRow)
                .where(
                    ChallengeRow.digest == _digest(challenge),
                    ChallengeRow.platform == platform,
                    ChallengeRow.used_at.is_(None),
                    ChallengeRow.expires_at > at,
                )
                .values(used_at=at)
                .returning(ChallengeRow.id)
            ).all()
            if not used:
                raise RefusalError(Reason.CHALLENGE_NOT_LIVE, _why(session, challenge, at))


def _why(session: Session, challenge: bytes, at: datetime) -> str:
    row = session.scalar(select(ChallengeRow).filter_by(digest=_digest(challenge)))
    if row is None:
        return "unknown"
    if row.used_at is not None:
        return "used"
    return "expired" if row.expires_at <= at else "other platform"


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
