"""Challenges: authentic, answered once, and only while they live.

Theory of operation. A challenge carries its time and an authentication code, under a key that is in
the database or that services were given: so giving one out writes nothing, whoever asks and however
often, and any service with the key accepts what another gave out. What is kept is which were used,
in the database, until they would have expired: used once by services that share a database; by
services that share the key alone, once at each of them, which is as far as nothing shared can go.

Strangers can use challenges for nothing, too, by answers that are refused. Of those half of the
room is kept, and beyond that they are forgotten: a refused answer changed nothing, so its challenge
may be answered again. What is accepted is always written down first, or it is not accepted: a full
table lets nothing in, and strangers cannot fill it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from colima.tabasco import CHALLENGE_BYTES
from tabasco.errors import BusyError, RefusalError, RejectionReason
from tabasco.registry.database import Database
from tabasco.registry.models import ChallengeRow
from tabasco.registry.shared_keys import shared_key
from veracruz_utils.frozen import frozen
from veracruz_utils.secret import Secret

# Seconds in 4 bytes would end in 2106. Time, 11 random bytes and 16 of code make CHALLENGE_BYTES.
_TIME_BYTES: Final = 5
_RANDOM_BYTES: Final = 11
_MAC_LABEL: Final = b"veracruz-tabasco-challenge-v1\0"
_LEEWAY: Final = timedelta(seconds=30)
_KEY_NAME: Final = "challenges"
MIN_KEY_BYTES: Final = 32


@frozen
class TakenChallenge:
    """A live challenge that is being answered.

    Attributes:
        challenge: its bytes.
        purpose: what it was given out for.
        kept: whether it is written down as used.
    """

    challenge: bytes
    purpose: str
    kept: bool


class Challenges:
    """The challenges of services that share a key.

    Args:
        database: has the used ones, at most `limit` that have not expired, and the key.
        validity: how long one is good for; clocks of services may differ by 30 seconds.
        limit: of used ones.
        key: at least 32 bytes, for services that share no database; None for the database's own.
        random: bytes that nobody can guess.
    """

    def __init__(
        self,
        database: Database,
        *,
        validity: timedelta,
        limit: int,
        key: Secret | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._validity = validity
        self._limit = limit
        self._random = random
        self.key: Final = key or shared_key(database, _KEY_NAME)

    def issue(self, purpose: str, *, at: datetime) -> bytes:
        """A fresh 32-byte challenge for `purpose`, such as a platform; nothing is written."""
        head = int(at.timestamp()).to_bytes(_TIME_BYTES) + self._random(_RANDOM_BYTES)
        return head + self._code(head, purpose)

    def check(self, challenge: bytes, purpose: str, *, at: datetime) -> None:
        """Return if `challenge` is live; it stays so.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
        """
        self._issued(challenge, purpose, at)
        with self._database.reading() as session:
            _refuse_used(session, challenge)

    def use(self, challenge: bytes, purpose: str, *, at: datetime) -> TakenChallenge:
        """Use `challenge` up, as far as there is room; `settle` has to follow what is accepted.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
        """
        issued = self._issued(challenge, purpose, at)
        with self._database.writing() as session:
            _refuse_used(session, challenge)
            kept = _used(session, at) < self._limit // 2
            if kept:
                session.add(self._row(challenge, purpose, issued, at))
        return TakenChallenge(challenge, purpose, kept)

    def settle(self, taken: TakenChallenge, *, at: datetime) -> None:
        """Have a challenge be used for good: of any number of concurrent answers one gets here.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`.
            BusyError: too many were used and have not expired.
        """
        if taken.kept:
            return
        issued = self._issued(taken.challenge, taken.purpose, at)
        with self._database.writing() as session:
            _refuse_used(session, taken.challenge)
            if _used(session, at) >= self._limit:
                raise BusyError("too many challenges were answered, try again in some minutes")
            session.add(self._row(taken.challenge, taken.purpose, issued, at))

    def _row(self, challenge: bytes, purpose: str, issued: datetime, at: datetime) -> ChallengeRow:
        return ChallengeRow(
            digest=_digest(challenge),
            platform=purpose,
            # A service whose clock is late must not find it forgotten and take it again.
            expires_at=issued + self._validity + _LEEWAY,
            used_at=at,
        )

    def _issued(self, challenge: bytes, purpose: str, at: datetime) -> datetime:
        """When a challenge that is ours and of this time was given out."""
        head, code = challenge[: _TIME_BYTES + _RANDOM_BYTES], challenge[-16:]
        # The code first: nobody learns of a time or a row by what is not from us.
        if len(challenge) != CHALLENGE_BYTES or not hmac.compare_digest(
            code, self._code(head, purpose)
        ):
            raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "unknown")
        issued = datetime.fromtimestamp(int.from_bytes(head[:_TIME_BYTES]), UTC)
        if not issued - _LEEWAY <= at < issued + self._validity:
            raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "expired")
        return issued

    def _code(self, head: bytes, purpose: str) -> bytes:
        # The purpose is under the code: a nonce of a session is no challenge of an enrolment.
        message = _MAC_LABEL + head + purpose.encode()
        return hmac.digest(self.key.reveal(), message, "sha256")[:16]


def _refuse_used(session: Session, challenge: bytes) -> None:
    if session.scalar(select(ChallengeRow.id).filter_by(digest=_digest(challenge))) is not None:
        raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "used")


def _used(session: Session, at: datetime) -> int:
    """How many there are that were used, without those that nobody would take any more."""
    session.execute(delete(ChallengeRow).where(ChallengeRow.expires_at <= at))
    return session.scalar(select(func.count()).select_from(ChallengeRow)) or 0


# Digests are kept, which are short and of one length in every database.
def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
