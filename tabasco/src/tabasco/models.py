"""The tables: trusted roots, enrolment challenges, enrolled instances.

Rows stay inside the modules that own them (`roots`, `challenges`, `instances`); everybody else
gets frozen values. The shape here and the last revision in `migrations` are the same, which a test
compares.
"""

from datetime import UTC, datetime

from sqlalchemy import (
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
    """A key whose native evidence we believe, until `removed_at`."""

    __tablename__ = "roots"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS))
    instance_id: Mapped[bytes] = mapped_column(LargeBinary(33), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(256))
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
    """A challenge we gave out: its SHA-256, so that a reader of the database cannot answer it."""

    __tablename__ = "challenges"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    platform: Mapped[str] = mapped_column(String(NAME_CHARS))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InstanceRow(Base):
    """An enrolled root attestation isolate, and what its native evidence said."""

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
