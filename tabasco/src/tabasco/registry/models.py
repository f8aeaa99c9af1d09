"""The tables: trusted roots, challenges, instances; policies, reference values, revocations; audit.

Rows stay inside the modules that own them (`roots`, `challenges`, `instances`); everybody else
gets frozen values. The shape here and the last revision in `migrations` are the same, which a test
compares.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAME_CHARS = 64
LABEL_CHARS = 160


class UtcDateTime(TypeDecorator[datetime]):
    """An aware `datetime`, kept as UTC without zone so that every database compares it alike."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """What is stored: UTC, without its zone."""
        if value is None:
            return None
        assert value.tzinfo is not None, "a time without a zone"
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """What is read: aware, in UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class RootRow(Base):
    """What vouches for attesters that we believe, until `removed_at`.

    A software root's key, or the certificate (DER) of a manufacturer of TPMs; `kind` says which.
    The latter's `instance_id` is a zero and the certificate's digest, which no instance has.
    """

    __tablename__ = "roots"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS))
    instance_id: Mapped[bytes] = mapped_column(LargeBinary(33), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(2048))
    kind: Mapped[str] = mapped_column(String(16), server_default="software")
    certificate: Mapped[bytes | None] = mapped_column(LargeBinary(16 * 1024))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# One name, one root; a removed root gives its name back.
Index(
    "uq_roots_name_in_use",
    RootRow.name,
    unique=True,
    sqlite_where=RootRow.removed_at.is_(None),
    postgresql_where=RootRow.removed_at.is_(None),
)


class ChallengeRow(Base):
    """A challenge that was used, by its SHA-256, until nobody would take it any more."""

    __tablename__ = "challenges"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    platform: Mapped[str] = mapped_column(String(NAME_CHARS))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SharedKeyRow(Base):
    """A symmetric key of the service itself."""

    __tablename__ = "shared_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS), unique=True)
    value: Mapped[bytes] = mapped_column(LargeBinary(64))


class InstanceRow(Base):
    """An enrolled root attestation isolate, and what its native evidence said.

    `evidence` is what hardware proved, by which later policies decide; None where a root vouched.
    `machine` is what it measured of the machine, for results: of `evidence` the part that they
    tell, so that not all of it is read for each; None too for who enrolled before it was kept.
    `revoked_at` is set with the root; what is revoked by its values is in `RevocationRow`.
    """

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[bytes] = mapped_column(LargeBinary(33), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(256))
    platform: Mapped[str] = mapped_column(String(NAME_CHARS))
    measurement: Mapped[bytes] = mapped_column(LargeBinary(64))
    version: Mapped[str] = mapped_column(String(NAME_CHARS))
    root_id: Mapped[int | None] = mapped_column(ForeignKey("roots.id"), index=True)
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    evidence: Mapped[bytes | None] = mapped_column(LargeBinary(1024 * 1024))
    machine: Mapped[bytes | None] = mapped_column(LargeBinary(4 * 1024))


class InstanceValueRow(Base):
    """A value that an enrolment rests on, and whose revocation ends it."""

    __tablename__ = "instance_values"

    instance: Mapped[int] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary(64), primary_key=True, index=True)


class PolicyRow(Base):
    """An appraisal policy as it was put in force; the newest version is the one in force.

    Not if it was withdrawn by the one that was put in its place.
    """

    __tablename__ = "policies"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    document: Mapped[bytes] = mapped_column(LargeBinary(256 * 1024))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReferenceValueRow(Base):
    """A value that a measurement may have, from a provider, for a time; none once removed."""

    __tablename__ = "reference_values"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(NAME_CHARS))
    measurement: Mapped[str] = mapped_column(String(NAME_CHARS))
    value: Mapped[bytes] = mapped_column(LargeBinary(64))
    label: Mapped[str] = mapped_column(String(LABEL_CHARS))
    provider: Mapped[str] = mapped_column(String(LABEL_CHARS))
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


Index(
    "uq_reference_values_value",
    ReferenceValueRow.kind,
    ReferenceValueRow.measurement,
    ReferenceValueRow.value,
    unique=True,
)


class PlatformKeyRow(Base):
    """A key that a platform signs evidence with, which has no certificate; none once removed."""

    __tablename__ = "platform_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(NAME_CHARS))
    instance: Mapped[bytes] = mapped_column(LargeBinary(33))
    public_key: Mapped[bytes] = mapped_column(LargeBinary(256))
    provider: Mapped[str] = mapped_column(String(LABEL_CHARS))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# One platform, one key; a removed one makes room for another.
Index(
    "uq_platform_keys_in_use",
    PlatformKeyRow.kind,
    PlatformKeyRow.instance,
    unique=True,
    sqlite_where=PlatformKeyRow.removed_at.is_(None),
    postgresql_where=PlatformKeyRow.removed_at.is_(None),
)


class RevocationRow(Base):
    """A value that is believed no more, whatever has it; `tabasco.verify.named` says of what."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(16))
    value: Mapped[bytes] = mapped_column(LargeBinary(64), unique=True)
    reason: Mapped[str] = mapped_column(String(LABEL_CHARS))
    revoked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProviderRow(Base):
    """A key whose bundles of reference values are accepted, and the version of the last one."""

    __tablename__ = "providers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(256), unique=True)
    bundle_version: Mapped[int] = mapped_column(BigInteger)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AdministratorRow(Base):
    """Somebody who administers over the network: the SHA-256 of their token, and what they may."""

    __tablename__ = "administrators"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    token_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditRow(Base):
    """One entry of the audit log; `hash` covers all of it and the entry before."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(LABEL_CHARS))
    action: Mapped[str] = mapped_column(String(NAME_CHARS))
    subject: Mapped[str] = mapped_column(String(LABEL_CHARS))
    outcome: Mapped[str] = mapped_column(String(NAME_CHARS))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
