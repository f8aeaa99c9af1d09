"""Keys of platforms whose evidence comes without a certificate, by the platform's instance id.

An Arm CCA token is signed by a key that its maker knows and that no certificate is about, so it has
to be registered: by the operator, or by a provider's bundle (attest keys of a CoRIM). Whoever can
register one vouches for whatever that key signs.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from psa_attestation.tokens.instance_id import INSTANCE_ID_BYTES
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.bundles import OPERATOR, PlatformKey
from tabasco.registry.database import Database
from tabasco.registry.models import PlatformKeyRow, RevocationRow
from tabasco.verify.kinds import EvidenceKind
from veracruz_utils.public_keys import NIST_CURVES, KeyFormatError, der_of, ec_key_of_der

KINDS: Final = (EvidenceKind.ARM_CCA,)
"""The kinds of evidence that are verified with such keys."""


@dataclass(frozen=True, slots=True)
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

        Raises:
            TabascoError: the platform has another key, or there is none of such a kind or id.
        """
        wanted = PlatformKey(kind, instance, der_of(key))
        _check(wanted)
        with self._database.writing() as session:
            row = session.scalar(
                select(PlatformKeyRow).filter_by(kind=kind.value, instance=instance)
            )
            if row is not None and row.public_key != wanted.public_key:
                raise TabascoError(
                    f"platform {instance.hex()} has another key, as number {row.id}: remove that "
                    "one first"
                )
            if row is None:
                row = _row(wanted, OPERATOR, at)
                session.add(row)
                session.flush()
                _record(session, "add-platform-key", row, at, actor)
            return _value(row)

    def remove(self, number: int, *, at: datetime, actor: str = audit.OPERATOR) -> RegisteredKey:
        """Believe a key no more; instances that enrolled by it stay until they expire.

        Raises:
            TabascoError: there is none of this number.
        """
        with self._database.writing() as session:
            row = session.get(PlatformKeyRow, number)
            if row is None:
                raise TabascoError(
                    f"there is no platform key {number}: see tabasco platform-key list"
                )
            value = _value(row)
            _record(session, "remove-platform-key", row, at, actor)
            session.delete(row)
            return value

    def all(self) -> list[RegisteredKey]:
        """Every key, in the order in which they came."""
        with self._database.reading() as session:
            rows = session.scalars(select(PlatformKeyRow).order_by(PlatformKeyRow.id))
            return [_value(row) for row in rows]

    def find(self, kind: EvidenceKind, instance: bytes) -> ec.EllipticCurvePublicKey | None:
        """The key of a platform, unless it is revoked."""
        with self._database.reading() as session:
            row = session.scalar(
                select(PlatformKeyRow).filter_by(kind=kind.value, instance=instance)
            )
            if row is None:
                return None
            digest = hashlib.sha256(row.public_key).digest()
            if session.scalar(select(RevocationRow).filter_by(value=digest)) is not None:
                return None
            return key_of(row.public_key)


def replace_keys(
    session: Session, provider: str, wanted: Iterable[PlatformKey], *, at: datetime
) -> None:
    """Replace, in a writing transaction, the keys that a provider vouched for.

    Raises:
        TabascoError: one is of a platform that somebody else gave another key.
    """
    session.execute(delete(PlatformKeyRow).filter_by(provider=provider))
    for each in wanted:
        _check(each)
        query = select(PlatformKeyRow).filter_by(kind=each.kind.value, instance=each.instance)
        row = session.scalar(query)
        if row is None:
            session.add(_row(each, provider, at))
            session.flush()
        # A provider may confirm a key that somebody else registered, never replace it.
        elif row.public_key != each.public_key:
            raise TabascoError(
                f"the bundle has another key for platform {each.instance.hex()} than {row.provider}"
            )


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
