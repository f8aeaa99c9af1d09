"""The appraisal policies in a database: one is in force, the newest, and versions only grow.

An operator who gave a version that is too high puts a policy *instead of* that very one, which is
withdrawn by it; a withdrawn policy never comes into force again, and both stand in the audit log.
A policy applies to who is enrolled from its transaction on (`judgement`).
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
from tabasco.registry import audit
from tabasco.registry.database import Database
from tabasco.registry.judgement import policy_in_force, reappraise
from tabasco.registry.models import PolicyRow
from veracruz_utils.frozen import frozen

MAX_VERSION: Final = 2**53 - 1
"""The greatest whole number that every reader of JSON has."""


@frozen
class StoredPolicy:
    """A policy as it was set: its text, and the SHA-256 of that.

    `ended` is how many enrolments were accepted no more when it came into force.
    """

    version: int
    digest: bytes
    document: bytes
    set_at: datetime
    withdrawn_at: datetime | None = None
    ended: int = 0

    @property
    def policy(self) -> AppraisalPolicy:
        """What it says."""
        return AppraisalPolicy.parse(self.document)

    @property
    def identifier(self) -> str:
        """How results name it."""
        return f"veracruz-tabasco/appraisal/{self.version}/{self.digest.hex()}"


class Policies:
    """The policies in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_in_force(
        self,
        document: bytes,
        *,
        at: datetime,
        actor: str = audit.OPERATOR,
        instead_of: int | None = None,
    ) -> StoredPolicy:
        """Have this policy (TOML) decide from now on; the one in force again changes nothing.

        Args:
            document: the policy.
            at: from when on.
            actor: who does it.
            instead_of: the version in force, to withdraw it: the policy may then have any version
                that is newer than those before it.

        Raises:
            TabascoError: it cannot be read, or its version is not newer than the one in force.
        """
        policy = AppraisalPolicy.parse(document)
        if policy.version > MAX_VERSION:
            raise TabascoError(
                f"the policy has version {policy.version}, at most {MAX_VERSION} is accepted: give "
                "it a lower one"
            )
        stored = StoredPolicy(policy.version, hashlib.sha256(document).digest(), document, at)
        with self._database.writing() as session:
            newest = policy_in_force(session)
            if newest is not None and newest.digest == stored.digest:
                return _value(newest)
            if instead_of is not None:
                _withdraw(session, newest, instead_of, at=at, actor=actor)
                newest = policy_in_force(session)
            if newest is not None and newest.version >= stored.version:
                raise TabascoError(
                    f"the policy has version {stored.version}, version {newest.version} is in "
                    "force: give it a higher version, also to return to an older policy; one that "
                    "is too high by mistake can be replaced: tabasco policy set --instead-of "
                    f"{newest.version}"
                )
            _refuse_used(session, stored.version)
            session.add(
                PolicyRow(
                    version=stored.version, digest=stored.digest, document=document, set_at=at
                )
            )
            audit.record(
                session,
                at=at,
                actor=actor,
                action="set-policy",
                subject=f"{stored.version} {stored.digest.hex()}",
            )
            return replace(stored, ended=reappraise(session, at=at))

    def in_force(self) -> StoredPolicy | None:
        """The policy that decides now; None accepts nothing."""
        with self._database.reading() as session:
            row = policy_in_force(session)
            return None if row is None else _value(row)

    def all(self) -> list[StoredPolicy]:
        """Every policy there was, newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(PolicyRow).order_by(PolicyRow.version.desc()))
            return [_value(row) for row in rows]


def _withdraw(
    session: Session, newest: PolicyRow | None, version: int, *, at: datetime, actor: str
) -> None:
    """Have the policy in force, which has to be of this version, never decide again."""
    if newest is None or newest.version != version:
        found = "none is" if newest is None else f"version {newest.version} is"
        raise TabascoError(f"policy version {version} is not in force, {found}: name that one")
    newest.withdrawn_at = at
    session.flush()
    audit.record(
        session,
        at=at,
        actor=actor,
        action="withdraw-policy",
        subject=f"{newest.version} {newest.digest.hex()}",
    )


def _refuse_used(session: Session, version: int) -> None:
    """A version names one policy for ever, in results that are out there."""
    if session.scalar(select(PolicyRow.id).filter_by(version=version)) is not None:
        raise TabascoError(f"policy version {version} was withdrawn: choose another version")


def _value(row: PolicyRow) -> StoredPolicy:
    return StoredPolicy(row.version, row.digest, row.document, row.set_at, row.withdrawn_at)
