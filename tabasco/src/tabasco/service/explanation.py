"""How evidence would be appraised under a policy, check by check; nothing is decided or written.

An operator asks it why an attester is refused, or what a draft of a policy would do. The report is
that of `tabasco verify`, with the reference values of the database.
"""

from collections.abc import Collection
from datetime import datetime

from psa_attestation.evidence.native import NativeEvidence
from tabasco.appraisal.checks import Acceptance
from tabasco.appraisal.inspection import Inspection, inspect
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
from tabasco.registry.database import Database
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import CollateralSource, Means


def explain(
    native: NativeEvidence,
    *,
    database: Database,
    source: CollateralSource,
    at: datetime,
    document: bytes = b"",
    roots: Collection[bytes] | None = None,
) -> Inspection:
    """Every check on this evidence.

    Args:
        native: the evidence, and what goes with it.
        database: has the policy in force, the reference values and the revocations.
        source: of collateral.
        at: the time to verify for.
        document: a policy (TOML) to explain instead of the one in force.
        roots: SHA-256 digests of hardware roots to trust instead of the vendors'.

    Raises:
        TabascoError: it is no evidence that we know, or no policy.
    """
    if native.kind not in {each.value for each in EvidenceKind}:
        raise TabascoError(f"{native.kind[:40]!r} is not a kind of evidence")
    references = ReferenceValues(database)
    return inspect(
        native.raw,
        EvidenceKind(native.kind),
        means=Means.of(
            native,
            source=source,
            registered=PlatformKeys(database).finder(EvidenceKind(native.kind)),
            roots=roots,
            device_roots=Roots(database).device_roots(),
        ),
        acceptance=Acceptance(),
        policy=AppraisalPolicy.parse(document) if document else _in_force(database),
        at=at,
        references=lambda kind, name: references.accepted(kind, name, at=at),
        revoked=Revocations(database).among,
    )


def _in_force(database: Database) -> AppraisalPolicy:
    stored = Policies(database).in_force()
    if stored is None:
        raise TabascoError(
            "no policy is in force, so no hardware is accepted: see tabasco policy set"
        )
    return stored.policy
