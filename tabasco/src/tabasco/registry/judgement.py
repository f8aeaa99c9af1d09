"""What the policy in force says of proven facts, and of all who are enrolled by such, at once.

Theory of operation. An enrolment is accepted by a policy, and by reference values and platform keys
that it draws on. Whatever changes one of these (`policies`, `reference_values`, `platform_keys`)
calls `reappraise` in its own transaction, which ends the enrolments that are accepted no more. An
enrolment that is being written asks `judge` in its own. Writing transactions come one after the
other, so no enrolment escapes between the two.
"""

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tabasco.appraisal.kept import kept
from tabasco.appraisal.policy import AppraisalPolicy, Decision
from tabasco.registry import audit
from tabasco.registry.models import InstanceRow, PlatformKeyRow, PolicyRow, ReferenceValueRow
from tabasco.registry.pseudonyms import pseudonym_of
from tabasco.verify.arm.cca import PLATFORM_KEY
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Proven
from veracruz_utils.frozen import frozen


@frozen
class Judgement:
    """What a policy says now, and when what it draws on ends; None for never."""

    decision: Decision
    ends_at: datetime | None


def policy_in_force(session: Session) -> PolicyRow | None:
    """The row of the policy that decides now."""
    return session.scalar(
        select(PolicyRow).filter_by(withdrawn_at=None).order_by(PolicyRow.version.desc()).limit(1)
    )


def accepted_values(
    session: Session, kind: EvidenceKind, measurement: str, *, at: datetime
) -> list[ReferenceValueRow]:
    """The reference values of a measurement at this time."""
    query = select(ReferenceValueRow).filter_by(
        kind=kind.value, measurement=measurement, removed_at=None
    )
    return [
        row
        for row in session.scalars(query)
        if (row.not_before is None or row.not_before <= at)
        and (row.not_after is None or at < row.not_after)
    ]


def judge(
    session: Session,
    policy: AppraisalPolicy,
    proven: Proven,
    *,
    at: datetime,
    report_data: bytes | None = None,
) -> Judgement:
    """What `policy` says of proven facts by the reference values of now."""
    ends: list[datetime] = []
    measured = set(proven.measurements.values())

    def values(kind: EvidenceKind, name: str) -> list[bytes]:
        rows = accepted_values(session, kind, name, at=at)
        # Whatever the measurement is called: those of components are asked for by their type.
        ends.extend(row.not_after for row in rows if row.not_after and row.value in measured)
        return [row.value for row in rows]

    decision = policy.evaluate(proven, report_data=report_data, references=values)
    return Judgement(decision, min(ends, default=None))


def reappraise(session: Session, *, at: datetime) -> int:
    """End, in a writing transaction, what is accepted no more: how many enrolments those were.

    What ends is what hardware vouched for and is live; each stands in the audit log.
    """
    found = policy_in_force(session)
    if found is None:
        return 0
    policy = AppraisalPolicy.parse(found.document)
    ended = 0
    for row in session.scalars(
        select(InstanceRow).where(
            InstanceRow.evidence.is_not(None),
            InstanceRow.revoked_at.is_(None),
            InstanceRow.expires_at > at,
        )
    ):
        assert row.evidence is not None
        refused, until = _appraised(session, policy, kept(row.evidence), at)
        if refused is not None:
            row.expires_at = at
            ended += 1
            audit.record(
                session,
                at=at,
                actor=audit.SERVICE,
                action="end-enrolment",
                subject=f"{row.platform} {pseudonym_of(row.instance_id)}",
                outcome=refused,
            )
        elif until is not None:
            row.expires_at = min(row.expires_at, until)
    return ended


def _appraised(
    session: Session, policy: AppraisalPolicy, proven: Proven, at: datetime
) -> tuple[str | None, datetime | None]:
    """Why it is accepted no more, or until when it is."""
    signers = [each.value for each in proven.named if each.name == PLATFORM_KEY]
    if signers and not _is_registered(session, proven.kind, signers[0]):
        return "platform-key", None
    found = judge(session, policy, proven, at=at)
    refused = found.decision.refused_by
    return (None if refused is None else str(refused.fault)), found.ends_at


def _is_registered(session: Session, kind: EvidenceKind, digest: bytes) -> bool:
    rows = session.scalars(
        select(PlatformKeyRow.public_key).filter_by(kind=kind.value, removed_at=None)
    )
    return any(hashlib.sha256(row).digest() == digest for row in rows)
