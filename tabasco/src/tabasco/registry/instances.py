"""The register of instances: root attestation isolates that proved what they are.

An instance is kept with every value that its enrolment rests on (its key, measurements, who signed
its evidence), and whether one of them is revoked is looked up with it, always. So a revocation
counts for whoever is enrolled from its transaction on. An enrolment is written in one transaction
with the question whether it still may be, and writers come one after the other.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from tabasco.appraisal.kept import MAX_KEPT_BYTES, keep, keep_machine, kept_machine, machine_of
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.appraisal.revocation import PREFIX, revocation_checks
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.judgement import judge, policy_in_force
from tabasco.registry.models import InstanceRow, InstanceValueRow, RevocationRow, RootRow
from tabasco.registry.pseudonyms import pseudonym_of
from tabasco.registry.revocations import Revocations, revoked_among
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import Proven
from veracruz_utils.frozen import frozen

OWN: Final = "enrolling"
"""What the instance's own key and id are called among what its enrolment rests on."""


class InstanceState(StrEnum):
    """Whether what an instance signs is believed, and if not, why."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@frozen
class Instance:
    """An enrolled instance.

    `measurement` and `version` are of the root attestation isolate itself; `root` names the root
    whose evidence vouched for it, None where the platform's hardware did. `measured` is
    what that hardware measured of the machine around it, as it is kept.
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
    measured: bytes | None

    @property
    def machine(self) -> dict[str, bytes]:
        """What hardware measured of the machine it is in, by register; empty where none did."""
        return kept_machine(self.measured)

    def state(self, at: datetime) -> InstanceState:
        """What it is at this time; revoked is for ever."""
        if self.revoked_at is not None:
            return InstanceState.REVOKED
        # Not before it began either: it was enrolled while the clock was wrong, and ends too late.
        live = self.enrolled_at - audit.CLOCK_LEEWAY <= at < self.expires_at
        return InstanceState.LIVE if live else InstanceState.EXPIRED


@frozen
class Enrolment:
    """What is to be written about an instance: every field already verified.

    `named` is what it rests on; `proven` what its hardware proved, None where a root vouched.
    """

    instance_id: bytes
    public_key: bytes
    platform: str
    measurement: bytes
    version: str
    root_number: int | None
    enrolled_at: datetime
    expires_at: datetime
    named: tuple[Named, ...]
    proven: Proven | None = None


class Instances:
    """The instances in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id = database.lookup(_BY_ID)

    def enrol(self, enrolment: Enrolment) -> Enrolment:
        """Write the instance down; when this returns, it is on disk.

        The same key on the same platform may enrol again, which renews it; never a revoked key.

        Returns:
            What was written; it ends no later than what it was accepted by.

        Raises:
            RefusalError: `ROOT_UNKNOWN`, `KEY_TAKEN`, `EVIDENCE_UNACCEPTABLE`, or something that it
                rests on is revoked.
        """
        with self._database.writing() as session:
            _refuse_unvouched(session, enrolment)
            _refuse_revoked(session, enrolment.named)
            enrolment = _accepted(session, enrolment)
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
            row.evidence = None if enrolment.proven is None else _kept(enrolment.proven)
            row.machine = keep_machine(machine_of(enrolment.proven))
            session.flush()
            session.execute(delete(InstanceValueRow).filter_by(instance=row.id))
            session.add_all(
                InstanceValueRow(instance=row.id, value=value)
                for value in {each.value for each in enrolment.named}
            )
            audit.record(
                session,
                at=enrolment.enrolled_at,
                actor=audit.SERVICE,
                action="enrol",
                subject=f"{enrolment.platform} {pseudonym_of(enrolment.instance_id)}",
            )
            return enrolment

    def refuse_revoked(self, named: Iterable[Named]) -> None:
        """Refuse what is revoked, before anything costly is done for it; `enrol` asks again.

        Raises:
            RefusalError: one of `named` is.
        """
        with self._database.reading() as session:
            _refuse_revoked(session, named)

    def find(self, instance_id: bytes) -> Instance | None:
        """The instance with this id, live or not."""
        found = self._by_id(instance_id)
        return None if found is None else Instance(*found)

    def all(self) -> list[Instance]:
        """Every instance there ever was, newest enrolment first."""
        with self._database.reading() as session:
            found = session.execute(
                _EVERY.order_by(InstanceRow.enrolled_at.desc(), InstanceRow.id.desc())
            )
            return [Instance(*tuple(row)) for row in found]

    def revoke(self, instance_id: bytes, *, at: datetime, actor: str = audit.OPERATOR) -> Instance:
        """From now on nothing this instance signs is believed; a second time changes nothing.

        Raises:
            TabascoError: there is no such instance.
        """
        with self._database.reading() as session:
            row = session.scalar(select(InstanceRow.id).filter_by(instance_id=instance_id))
            if row is None:
                raise TabascoError(
                    f"there is no instance {instance_id.hex()[:80]}: see tabasco instance list"
                )
        Revocations(self._database).add(Subject.INSTANCE, instance_id, "", at=at, actor=actor)
        found = self.find(instance_id)
        assert found is not None, "rows of instances stay"
        return found


_VALUE_REVOKED_AT: Final = (
    select(func.min(RevocationRow.revoked_at))
    .join(InstanceValueRow, InstanceValueRow.value == RevocationRow.value)
    .where(InstanceValueRow.instance == InstanceRow.id)
    .correlate(InstanceRow)
    .scalar_subquery()
)
_EVERY: Final = select(
    InstanceRow.instance_id,
    InstanceRow.public_key,
    InstanceRow.platform,
    InstanceRow.measurement,
    InstanceRow.version,
    RootRow.name,
    InstanceRow.enrolled_at,
    InstanceRow.expires_at,
    func.coalesce(InstanceRow.revoked_at, _VALUE_REVOKED_AT).label("revoked_at"),
    InstanceRow.machine,
).outerjoin(RootRow, InstanceRow.root_id == RootRow.id)
"""The fields of an `Instance`, in their order."""
_BY_ID: Final = _EVERY.where(InstanceRow.instance_id == bindparam("instance_id"))


def _refuse_unvouched(session: Session, enrolment: Enrolment) -> None:
    """The root may have been removed since its evidence was verified."""
    if enrolment.root_number is not None:
        live = select(RootRow.id).filter_by(id=enrolment.root_number, removed_at=None)
        if session.scalar(live.with_for_update()) is None:
            raise RefusalError(RejectionReason.ROOT_UNKNOWN, "removed meanwhile")
    # A key that signs both native evidence and runtime tokens could pass one off as the other.
    if session.scalar(select(RootRow.id).filter_by(instance_id=enrolment.instance_id)) is not None:
        raise RefusalError(RejectionReason.KEY_TAKEN, "a root's key")


def _refuse_revoked(session: Session, named: Iterable[Named]) -> None:
    for check in revocation_checks(named, lambda values: revoked_among(session, values)):
        if not check.passed:
            raise RefusalError(_reason(check.name), check.name[:80])


def _reason(check: str) -> RejectionReason:
    if check.endswith(f".{OWN}"):
        return RejectionReason.KEY_REVOKED
    if check.startswith(f"{PREFIX}{Subject.MEASUREMENT}."):
        return RejectionReason.MEASUREMENT_REVOKED
    return RejectionReason.EVIDENCE_REVOKED


def _accepted(session: Session, enrolment: Enrolment) -> Enrolment:
    """The enrolment as the policy of this moment has it: it may have changed since it was asked."""
    if enrolment.proven is None:
        return enrolment
    policy = policy_in_force(session)
    if policy is None:
        raise RefusalError(RejectionReason.EVIDENCE_UNACCEPTABLE, "no policy is in force")
    found = judge(
        session,
        AppraisalPolicy.parse(policy.document),
        enrolment.proven,
        at=enrolment.enrolled_at,
    )
    if (refused := found.decision.refused_by) is not None:
        raise RefusalError(
            RejectionReason.EVIDENCE_UNACCEPTABLE, f"{refused.name}: {refused.fault}"
        )
    ends = [enrolment.expires_at, enrolment.proven.valid_until]
    ends += [] if found.ends_at is None else [found.ends_at]
    # Whole seconds, as it is told: what ends within this one has ended.
    if int((min(ends) - enrolment.enrolled_at).total_seconds()) < 1:
        raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "ends within this second")
    return replace(enrolment, expires_at=min(ends))


def _kept(proven: Proven) -> bytes:
    data = keep(proven)
    if len(data) > MAX_KEPT_BYTES:
        raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "proves too much to be kept")
    return data
