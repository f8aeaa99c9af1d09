"""Reference values: what measurements may be, said by an operator or by providers who sign bundles.

An appraisal policy draws on them where it says `"reference-values"` instead of a list. A bundle is
a JWS over JSON or a signed CoRIM, by a provider whose key an operator registered; each has a
version, which has to be newer than the last one imported, so that an old bundle cannot return.
A bundle is imported whole or not at all, and replaces what its provider said before (`bundles`).
A value that an operator removed stays removed, whatever bundles say, until an operator adds it. A
change applies to who is enrolled from its transaction on (`judgement`).
"""

import hashlib
import re
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.bundles import Provider, ReferenceValue, read_bundle
from tabasco.registry.database import Database
from tabasco.registry.judgement import accepted_values, reappraise
from tabasco.registry.models import LABEL_CHARS, PlatformKeyRow, ProviderRow, ReferenceValueRow
from tabasco.registry.platform_keys import replace_keys
from tabasco.registry.revocations import is_revoked
from tabasco.verify.kinds import EvidenceKind
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import der_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@frozen
class ImportedBundle:
    """What came of a bundle.

    Attributes:
        provider: whose it was, with its version.
        count: of the values and keys that are accepted by it.
        left_out: of those that an operator removed, and that stay so.
        ended: enrolments that are accepted no more.
    """

    provider: Provider
    count: int
    left_out: int
    ended: int


class ReferenceValues:
    """The reference values in a database, and their providers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, value: ReferenceValue, *, at: datetime, actor: str = audit.OPERATOR
    ) -> ReferenceValue:
        """Write a value down, also one that was removed.

        Raises:
            TabascoError: it makes no sense, or is there already.
        """
        value.check()
        with self._database.writing() as session:
            found = session.scalar(_same(value))
            if found is not None and found.removed_at is None:
                raise TabascoError(f"this value is there already, as number {found.id}")
            if found is not None:
                session.delete(found)
                session.flush()
            row = _row(value, at)
            session.add(row)
            session.flush()
            _record(
                session,
                "add-reference-value",
                f"{value.measurement} {value.value.hex()}",
                at,
                actor,
            )
            return _value(row)

    def remove(self, number: int, *, at: datetime, actor: str = audit.OPERATOR) -> ReferenceValue:
        """Accept a value no more, until an operator adds it again.

        Raises:
            TabascoError: there is none of this number.
        """
        with self._database.writing() as session:
            row = _present(session, number)
            value = _value(row)
            row.removed_at = at
            _record(
                session,
                "remove-reference-value",
                f"{value.measurement} {value.value.hex()}",
                at,
                actor,
            )
            session.flush()
            reappraise(session, at=at)
            return value

    def get(self, number: int) -> ReferenceValue:
        """The value of this number.

        Raises:
            TabascoError: there is none.
        """
        with self._database.reading() as session:
            return _value(_present(session, number))

    def all(self) -> list[ReferenceValue]:
        """Every value, in the order in which they came."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(ReferenceValueRow).filter_by(removed_at=None).order_by(ReferenceValueRow.id)
            )
            return [_value(row) for row in rows]

    def accepted(self, kind: EvidenceKind, measurement: str, *, at: datetime) -> list[bytes]:
        """What this measurement may be at this time."""
        with self._database.reading() as session:
            return [row.value for row in accepted_values(session, kind, measurement, at=at)]

    # Providers and their bundles.

    def add_provider(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        *,
        at: datetime,
        actor: str = audit.OPERATOR,
    ) -> Provider:
        """Accept bundles signed by this key from now on.

        Raises:
            TabascoError: the name or the key is in use.
        """
        if not _NAME.fullmatch(name):
            raise TabascoError(
                f"{name[:80]!r} is not a name for a provider: use letters, digits, . _ -"
            )
        public_key = der_of(key)
        with self._database.writing() as session:
            taken = session.scalar(
                select(ProviderRow).where(
                    (ProviderRow.name == name) | (ProviderRow.public_key == public_key)
                )
            )
            if taken is not None:
                raise TabascoError(f"this name or key is in use, by provider {taken.name!r}")
            session.add(
                ProviderRow(name=name, public_key=public_key, bundle_version=0, added_at=at)
            )
            _record(session, "add-provider", name, at, actor)
        return Provider(name, public_key, 0)

    def providers(self) -> list[Provider]:
        """The providers, by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(ProviderRow).order_by(ProviderRow.name))
            return [Provider(row.name, row.public_key, row.bundle_version) for row in rows]

    def import_bundle(
        self, bundle: bytes, *, at: datetime, actor: str = audit.OPERATOR
    ) -> ImportedBundle:
        """Replace what a provider said by what it says in this bundle.

        Raises:
            TabascoError: no registered provider signed it, it is not newer than the last one, or a
                value in it makes no sense.
        """
        provider, found = read_bundle(bundle, self.providers(), at=at)
        version = found.version
        with self._database.writing() as session:
            # Removed, or revoked, while its signature was verified.
            row = session.scalar(select(ProviderRow).filter_by(public_key=provider.public_key))
            if row is None or is_revoked(session, hashlib.sha256(row.public_key).digest()):
                raise TabascoError(f"the key of provider {provider.name} is removed or revoked")
            if version <= row.bundle_version:
                raise TabascoError(
                    f"the bundle of {provider.name} has version {version}, version "
                    f"{row.bundle_version} was imported already: a bundle must be newer"
                )
            row.bundle_version = version
            session.execute(
                delete(ReferenceValueRow).filter_by(provider=provider.name, removed_at=None)
            )
            left_out = replace_keys(session, provider.name, found.keys, at=at)
            for value in found.values:
                there = session.scalar(_same(value))
                if there is None:
                    session.add(_row(value, at))
                    session.flush()
                elif there.removed_at is not None:
                    left_out += 1
            _record(session, "import-bundle", f"{provider.name} version {version}", at, actor)
            ended = reappraise(session, at=at)
        count = len(found.values) + len(found.keys) - left_out
        return ImportedBundle(
            Provider(provider.name, provider.public_key, version), count, left_out, ended
        )

    def remove_provider(self, name: str, *, at: datetime, actor: str = audit.OPERATOR) -> int:
        """Believe nothing of what a provider said, nor says; how many values and keys those were.

        Added again it begins anew, with a bundle of any version.

        Raises:
            TabascoError: there is none of this name.
        """
        with self._database.writing() as session:
            row = session.scalar(select(ProviderRow).filter_by(name=name))
            if row is None:
                raise TabascoError(
                    f"there is no provider {name[:80]!r}: see tabasco reference-values provider "
                    "list"
                )
            session.delete(row)
            count = sum(
                len(
                    session.scalars(
                        delete(table).filter_by(provider=name, removed_at=None).returning(table.id)
                    ).all()
                )
                for table in (ReferenceValueRow, PlatformKeyRow)
            )
            _record(session, "remove-provider", name, at, actor)
            reappraise(session, at=at)
            return count


def _present(session: Session, number: int) -> ReferenceValueRow:
    row = session.get(ReferenceValueRow, number)
    if row is None or row.removed_at is not None:
        raise TabascoError(
            f"there is no reference value {number}: see tabasco reference-values list"
        )
    return row


def _same(value: ReferenceValue) -> Select[ReferenceValueRow]:
    return select(ReferenceValueRow).filter_by(
        kind=value.kind.value, measurement=value.measurement, value=value.value
    )


def _record(session: Session, action: str, subject: str, at: datetime, actor: str) -> None:
    audit.record(session, at=at, actor=actor, action=action, subject=subject)


def _row(value: ReferenceValue, at: datetime) -> ReferenceValueRow:
    return ReferenceValueRow(
        kind=value.kind.value,
        measurement=value.measurement,
        value=value.value,
        label=value.label[:LABEL_CHARS],
        provider=value.provider,
        not_before=value.not_before,
        not_after=value.not_after,
        added_at=at,
    )


def _value(row: ReferenceValueRow) -> ReferenceValue:
    return ReferenceValue(
        kind=EvidenceKind(row.kind),
        measurement=row.measurement,
        value=row.value,
        label=row.label,
        provider=row.provider,
        not_before=row.not_before,
        not_after=row.not_after,
        number=row.id,
    )
