"""Keys of platforms whose evidence comes without a certificate, by the platform's instance id.

An Arm CCA token is signed by a key that its maker knows and that no certificate is about, so it has
to be registered: by the operator, or by a provider's bundle (attest keys of a CoRIM). Whoever can
register one vouches for whatever that key signs. A key that an operator removed stays removed,
whatever bundles say, until an operator adds it; an enrolment by it ends with it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Delete, Select, delete, select
from sqlalchemy.orm import Session

from psa_attestation.tokens.instance_id import INSTANCE_ID_BYTES
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.bundles import OPERATOR, PlatformKey
from tabasco.registry.database import Database
from tabasco.registry.judgement import reappraise
from tabasco.registry.models import PlatformKeyRow
from tabasco.verify.kinds import EvidenceKind
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import NIST_CURVES, KeyFormatError, der_of, ec_key_of_der

KINDS: Final = (EvidenceKind.ARM_CCA,)
"""The kinds of evidence that are verified with such keys."""


@frozen
class RegisteredKey:
    """A platform's key as it is kept: its row's number, and who vouches for it."""

    number: int
    kind: EvidenceKind
    instance: bytes
    public_key: bytes
    provider: str
    added_at: datetime


class PlatformKeys:
    """The platforms' keys in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        kind: EvidenceKind,
        instance: bytes,
        key: ec.EllipticCurvePublicKey,
        *,
        at: datetime,
        actor: str = audit.OPERATOR,
    ) -> RegisteredKey:
        """Believe evidence of this platform that the key signed; the same again changes nothing.

        Also of a key that was removed.

        Raises:
            TabascoError: the platform has another key, or there is none of such a kind or id.
        """
        wanted = PlatformKey(kind, instance, der_of(key))
        _check(wanted)
        with self._database.writing() as session:
            row = session.scalar(_in_use(kind, instance))
            if row is not None and row.public_key != wanted.public_key:
                raise TabascoError(
                    f"platform {instance.hex()} has another key, as number {row.id}: remove that "
                    "one first"
                )
            if row is None:
                session.execute(_removed(wanted))
                row = _row(wanted, OPERATOR, at)
                session.add(row)
                session.flush()
                _record(session, "add-platform-key", row, at, actor)
            return _value(row)

    def remove(self, number: int, *, at: datetime, actor: str = audit.OPERATOR) -> RegisteredKey:
        """Believe a key no more, until an operator adds it; what enrolled by it ends.

        Raises:
            TabascoError: there is none of this number.
        """
        with self._database.writing() as session:
            row = session.get(PlatformKeyRow, number)
            if row is None or row.removed_at is not None:
                raise TabascoError(
                    f"there is no platform key {number}: see tabasco platform-key list"
                )
            value = _value(row)
            _record(session, "remove-platform-key", row, at, actor)
            row.removed_at = at
            session.flush()
            reappraise(session, at=at)
            return value

    def all(self) -> list[RegisteredKey]:
        """Every key, in the order in which they came."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(PlatformKeyRow).filter_by(removed_at=None).order_by(PlatformKeyRow.id)
            )
            return [_value(row) for row in rows]

    def find(self, kind: EvidenceKind, instance: bytes) -> ec.EllipticCurvePublicKey | None:
        """The key of a platform; whether it is revoked is asked of all that evidence rests on."""
        with self._database.reading() as session:
            row = session.scalar(_in_use(kind, instance))
            return None if row is None else key_of(row.public_key)

    def finder(self, kind: EvidenceKind) -> Callable[[bytes], ec.EllipticCurvePublicKey | None]:
        """Finds the keys for evidence of a kind; in a composite, those of realms."""
        composite = kind is EvidenceKind.COMPOSITE
        return partial(self.find, EvidenceKind.ARM_CCA if composite else kind)


def replace_keys(
    session: Session, provider: str, wanted: Iterable[PlatformKey], *, at: datetime
) -> int:
    """Replace, in a writing transaction, the keys that a provider vouched for.

    Returns:
        How many of them an operator removed: those stay so.

    Raises:
        TabascoError: one is of a platform that somebody else gave another key.
    """
    session.execute(delete(PlatformKeyRow).filter_by(provider=provider, removed_at=None))
    left_out = 0
    for each in wanted:
        _check(each)
        row = session.scalar(_in_use(each.kind, each.instance))
        if session.scalar(_same_removed(each)) is not None:
            left_out += 1
        elif row is None:
            session.add(_row(each, provider, at))
            session.flush()
        # A provider may confirm a key that somebody else registered, never replace it.
        elif row.public_key != each.public_key:
            raise TabascoError(
                f"the bundle has another key for platform {each.instance.hex()} than {row.provider}"
            )
    return left_out


def _in_use(kind: EvidenceKind, instance: bytes) -> Select[PlatformKeyRow]:
    return select(PlatformKeyRow).filter_by(kind=kind.value, instance=instance, removed_at=None)


def _same_removed(key: PlatformKey) -> Select[PlatformKeyRow]:
    same = select(PlatformKeyRow).filter_by(
        kind=key.kind.value, instance=key.instance, public_key=key.public_key
    )
    return same.where(PlatformKeyRow.removed_at.is_not(None))


def _removed(key: PlatformKey) -> Delete:
    same = delete(PlatformKeyRow).filter_by(
        kind=key.kind.value, instance=key.instance, public_key=key.public_key
    )
    return same.where(PlatformKeyRow.removed_at.is_not(None))


def _record(session: Session, action: str, row: PlatformKeyRow, at: datetime, actor: str) -> None:
    subject = f"{row.kind} {row.instance.hex()}"
    audit.record(session, at=at, actor=actor, action=action, subject=subject)


def _check(wanted: PlatformKey) -> None:
    if wanted.kind not in KINDS:
        known = ", ".join(KINDS)
        raise TabascoError(f"evidence of {wanted.kind} needs no platform key, that of {known} does")
    if len(wanted.instance) != INSTANCE_ID_BYTES:
        raise TabascoError(f"{wanted.instance.hex()[:80]!r} is not an instance id of 33 bytes")
    key_of(wanted.public_key)


def key_of(data: bytes) -> ec.EllipticCurvePublicKey:
    """A platform's key, DER SubjectPublicKeyInfo.

    Raises:
        TabascoError: it is not one.
    """
    try:
        return ec_key_of_der(data, NIST_CURVES)
    except KeyFormatError as error:
        raise TabascoError(f"a platform's key {error}") from error


def _row(wanted: PlatformKey, provider: str, at: datetime) -> PlatformKeyRow:
    return PlatformKeyRow(
        kind=wanted.kind.value,
        instance=wanted.instance,
        public_key=wanted.public_key,
        provider=provider,
        added_at=at,
    )


def _value(row: PlatformKeyRow) -> RegisteredKey:
    return RegisteredKey(
        row.id, EvidenceKind(row.kind), row.instance, row.public_key, row.provider, row.added_at
    )
