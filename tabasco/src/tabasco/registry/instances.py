"""The register of instances: root attestation isolates that proved what they are."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.models import InstanceRow, RootRow


class InstanceState(StrEnum):
    """Whether what an instance signs is believed, and if not, why."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Instance:
    """An enrolled instance.

    `measurement` and `version` are of the root attestation isolate itself; `root` names the root
    whose evidence vouched for it, None where the platform's hardware did.
    """

    instance_id: bytes
    public_key: bytes
    platform: str
    measurement: bytes
    version: str
    root: str | None
    enrolled_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    def state(self, at: datetime) -> InstanceState:
        """What it is at this time; revoked is for ever."""
        if self.revoked_at is not None:
            return InstanceState.REVOKED
        return InstanceState.EXPIRED if self.expires_at <= at else InstanceState.LIVE


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is to be written about an instance: every field already verified."""

    instance_id: bytes
    public_key: bytes
    platform: str
    measurement: bytes
    version: str
    root_number: int | None
    enrolled_at: datetime
    expires_at: datetime


class Instances:
    """The instances in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id = database.lookup(_BY_ID)

    def enrol(self, enrolment: Enrolment) -> None:
        """Write the instance down; when this returns, it is on disk.

        The same key on the same platform may enrol again, which renews it; never a revoked key.

        Raises:
            RefusalError: `ROOT_UNKNOWN`, `KEY_TAKEN` or `KEY_REVOKED`.
        """
        with self._database.writing() as session:
            _refuse_unvouched(session, enrolment)
            row = session.scalar(select(InstanceRow).filter_by(instance_id=enrolment.instance_id))
            if row is None:
                row = InstanceRow(
                    instance_id=enrolment.instance_id, public_key=enrolment.public_key
                )
                session.add(row)
            # A key that was stolen and revoked would otherwise come back by enrolling again.
            elif row.revoked_at is not None:
                raise RefusalError(RejectionReason.KEY_REVOKED)
            # A root of one platform must not take over what the hardware of another vouched for.
            elif row.platform != enrolment.platform:
                raise RefusalError(RejectionReason.KEY_TAKEN, "other platform")
            row.platform = enrolment.platform
            row.measurement = enrolment.measurement
            row.version = enrolment.version
            row.root_id = enrolment.root_number
            row.enrolled_at = enrolment.enrolled_at
            row.expires_at = enrolment.expires_at
            audit.record(
                session,
                at=enrolment.enrolled_at,
                actor=audit.SERVICE,
                action="enrol",
                subject=f"{enrolment.platform} {_pseudonym(enrolment.instance_id)}",
            )

    def find(self, instance_id: bytes) -> Instance | None:
        """The instance with this id, live or not."""
        found = self._by_id(instance_id)
        return None if found is None else Instance(*found)

    def all(self) -> list[Instance]:
        """Every instance there ever was, newest enrolment first."""
        with self._database.reading() as session:
            found = session.execute(
                _WITH_ROOT.order_by(InstanceRow.enrolled_at.desc(), InstanceRow.id.desc())
            )
            return [_value(*row) for row in found]

    def revoke(self, instance_id: bytes, *, at: datetime, actor: str = audit.OPERATOR) -> Instance:
        """From now on nothing this instance signs is believed; a second time changes nothing.

        Raises:
            TabascoError: there is no such instance.
        """
        with self._database.writing() as session:
            row = session.scalar(select(InstanceRow).filter_by(instance_id=instance_id))
            if row is None:
                raise TabascoError(
                    f"there is no instance {instance_id.hex()[:80]}: see tabasco instance list"
                )
            if row.revoked_at is None:
                row.revoked_at = at
                audit.record(
                    session,
                    at=at,
                    actor=actor,
                    action="revoke-instance",
                    subject=_pseudonym(instance_id),
                )
            session.flush()
            return _value(*session.execute(_WITH_ROOT.where(InstanceRow.id == row.id)).one())


_WITH_ROOT: Final = select(InstanceRow, RootRow.name).outerjoin(
    RootRow, InstanceRow.root_id == RootRow.id
)
_BY_ID: Final = (
    select(
        InstanceRow.instance_id,
        InstanceRow.public_key,
        InstanceRow.platform,
        InstanceRow.measurement,
        InstanceRow.version,
        RootRow.name,
        InstanceRow.enrolled_at,
        InstanceRow.expires_at,
        InstanceRow.revoked_at,
    )
    .outerjoin(RootRow, InstanceRow.root_id == RootRow.id)
    .where(InstanceRow.instance_id == bindparam("instance_id"))
)
"""The fields of an `Instance`, in their order."""


def _refuse_unvouched(session: Session, enrolment: Enrolment) -> None:
    """The root may have been removed since its evidence was verified."""
    if enrolment.root_number is not None:
        live = select(RootRow.id).filter_by(id=enrolment.root_number, removed_at=None)
        if session.scalar(live.with_for_update()) is None:
            raise RefusalError(RejectionReason.ROOT_UNKNOWN, "removed meanwhile")
    # A key that signs both native evidence and runtime tokens could pass one off as the other.
    if session.scalar(select(RootRow.id).filter_by(instance_id=enrolment.instance_id)) is not None:
        raise RefusalError(RejectionReason.KEY_TAKEN, "a root's key")


def _pseudonym(instance_id: bytes) -> str:
    """What the audit log calls an instance: no id of a machine stands in it for good."""
    return hashlib.sha256(instance_id).hexdigest()


def _value(row: InstanceRow, root: str | None) -> Instance:
    return Instance(
        instance_id=row.instance_id,
        public_key=row.public_key,
        platform=row.platform,
        measurement=row.measurement,
        version=row.version,
        root=root,
        enrolled_at=row.enrolled_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
