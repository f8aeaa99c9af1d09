"""Sessions: a nonce, then native evidence that answers it, then a result about the attester.

For attesters other than our root attester, which enrols. The evidence has to carry, as its report
data, `psa_attestation.evidence.native.report_data_of` the session's binding (for a TPM, for
NVIDIA's devices and as the challenge of a composite, the binding): a digest of the label, the
kind of evidence, the nonce, and the key (DER SubjectPublicKeyInfo) that the attester wants bound
to itself, or nothing. Whatever is authentic gets a result; whether it is accepted is what the
result says. Of several attesters it speaks of each, and of the whole. A nonce is used up by the
first evidence that is submitted, whatever comes of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from psa_attestation.binding import binding_digest
from psa_attestation.results.appraisal import (
    VECTOR_NAMES,
    Appraisal,
    Tier,
    TrustVector,
    tier_of,
)
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import Ear, VerifierId
from psa_attestation.results.ear_jwt import sign_ear_jwt
from tabasco.appraisal.policy import Decision
from tabasco.appraisal.revocation import PREFIX, with_revocations
from tabasco.errors import RefusalError, RejectionReason
from tabasco.metrics import ACCEPTED, ATTESTATIONS, CONTRAINDICATED, EVIDENCE
from tabasco.registry import audit
from tabasco.registry.challenges import Challenges
from tabasco.registry.database import Database
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.revocations import Revocations
from tabasco.service.hardware_root import HardwareRoot
from tabasco.service.refusals import RefusalKind, Refusals
from tabasco.verify import Proven
from tabasco.verify.composite import WHOLE
from tabasco.verify.errors import Fault
from tabasco.verify.named import Subject
from tabasco.verify.proven import TcbStatus
from veracruz_utils.frozen import frozen

SESSION_LABEL: Final = "veracruz-tabasco-session-v1"
SUBMOD: Final = WHOLE
_FINE: Final = 2
# AR4SI: what is claimed of which part of an attester when a check of this fault failed.
_UNSAFE_CONFIGURATION, _UNKNOWN_EXECUTABLES, _VULNERABLE_HARDWARE = 36, 33, 32
_DEBUGGABLE, _CONTRAINDICATED_HARDWARE = 96, 96
# What runs is known to be bad; whoever signed is known, and not to be trusted.
_REVOKED_EXECUTABLES, _REVOKED_IDENTITY = 96, 96
_HARDWARE_FAULTS: Final = frozenset({Fault.TCB_STATUS, Fault.ADVISORY, Fault.TCB_FLOOR})


@frozen
class Submission:
    """Evidence (`psa_attestation.evidence.native.NativeEvidence`, encoded) that answers `nonce`."""

    nonce: bytes
    kind: str
    evidence: bytes
    public_key: bytes = b""


class Sessions:
    """Appraises evidence of each of `verifiers`, by the name of its kind."""

    def __init__(
        self,
        *,
        database: Database,
        challenges: Challenges,
        verifiers: Mapping[str, HardwareRoot],
        key_ring: KeyRing,
        verifier: VerifierId,
        validity: timedelta,
        revocations: Revocations,
        refusals: Refusals,
    ) -> None:
        self._revocations = revocations
        self._refusals = refusals
        self._database = database
        self._challenges = challenges
        self._verifiers = verifiers
        self._key_ring = key_ring
        self._verifier = verifier
        self._validity = validity

    def open(self, kind: str, *, at: datetime) -> bytes:
        """A nonce for evidence of this kind.

        Raises:
            RefusalError: `PLATFORM_UNKNOWN`.
        """
        self._of(kind)
        return self._challenges.issue(_purpose(kind), at=at)

    def submit(
        self, submission: Submission, *, at: datetime, pinned_key: bytes = b"", as_jwt: bool = False
    ) -> bytes:
        """A signed result about the attester.

        Raises:
            RefusalError: the nonce is not live, or the evidence is not authentic and about it.
            BusyError: too many nonces were answered lately.
        """
        verifier = self._of(submission.kind)
        taken = self._challenges.use(submission.nonce, _purpose(submission.kind), at=at)
        binding = session_binding(submission.kind, submission.nonce, submission.public_key)
        proven, stored, decided = verifier.appraise(submission.evidence, binding=binding, at=at)
        decision = with_revocations(decided, proven, self._revocations.among)
        refused = decided.refused_by
        # No result at all: it would speak of a key and nonce that this evidence is not about.
        if refused is not None and refused.fault is Fault.REPORT_DATA:
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "report data")
        # Anybody can make authentic evidence, of a key of their own: what is refused takes no room
        # from what is accepted, and the same nonce again would get it the same answer.
        if decision.refused_by is None:
            self._challenges.settle(taken, at=at)
        self._record(submission.kind, decision, at)
        expires = min(at + self._validity, proven.valid_until)
        # Results count whole seconds: this one would be over when it is made.
        if int(expires.timestamp()) <= int(at.timestamp()):
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "ends within this second")
        ear = Ear(
            issued_at=int(at.timestamp()),
            expires_at=int(expires.timestamp()),
            verifier=self._verifier,
            submods=appraisals_of(proven, decision, stored.identifier, submission.nonce),
            nonce=submission.nonce,
        )
        key = self._key_ring.signing(pinned_key, at=at)
        if as_jwt:
            return sign_ear_jwt(ear, key.private, kid=key.kid).encode()
        return sign_ear(ear, key.private)

    def _of(self, kind: str) -> HardwareRoot:
        try:
            return self._verifiers[kind]
        except KeyError:
            raise RefusalError(RejectionReason.PLATFORM_UNKNOWN) from None

    def _record(self, kind: str, decision: Decision, at: datetime) -> None:
        refused = decision.refused_by
        outcome = ACCEPTED if refused is None else CONTRAINDICATED
        ATTESTATIONS.add(action="appraise", outcome=outcome)
        EVIDENCE.add(platform=kind, accepted="yes" if refused is None else "no")
        if refused is not None:
            self._refusals.add(RefusalKind("appraise", kind, str(refused.fault)), at=at)
            return
        with self._database.writing() as session:
            audit.record(
                session,
                at=at,
                actor=audit.SERVICE,
                action="appraise",
                subject=kind,
            )


def session_binding(kind: str, nonce: bytes, public_key: bytes) -> bytes:
    """What evidence in a session is over (32 bytes)."""
    return binding_digest(SESSION_LABEL, kind.encode(), nonce, public_key)


def appraisals_of(
    proven: Proven, decision: Decision, policy: str, nonce: bytes
) -> dict[str, Appraisal]:
    """What a result says of each attester, and of the whole: never better than its worst part."""
    whole = appraisal_of(proven, decision, policy, nonce)
    if not proven.parts:
        return {SUBMOD: whole}
    parts = {
        # What a policy names no kind for is refused as a whole, and so is each part of it.
        name: appraisal_of(part, decision.parts.get(name, decision), policy, nonce)
        for name, part in proven.parts.items()
    }
    failed = any(not check.passed for check in decision.checks)
    vector = _worst([each.trust_vector for each in parts.values()])
    status = max(each.status for each in parts.values())
    together = replace(
        whole,
        status=Tier.CONTRAINDICATED if failed else status,
        trust_vector=replace(vector, configuration=_UNSAFE_CONFIGURATION) if failed else vector,
    )
    return {SUBMOD: together, **parts}


def _worst(vectors: Sequence[TrustVector]) -> TrustVector:
    """Of each claim the worst that is made."""
    claims = {
        name: [claim for each in vectors if (claim := getattr(each, name)) is not None]
        for name in VECTOR_NAMES
    }
    return TrustVector(**{name: max(made, key=tier_of) for name, made in claims.items() if made})


def appraisal_of(proven: Proven, decision: Decision, policy: str, nonce: bytes) -> Appraisal:
    """What a result says of an attester: never better than the worst that the policy found."""
    failing = [check for check in decision.checks if not check.passed]
    failed = {check.fault for check in failing}
    # A policy may be content with what the vector calls weak, so the worse of the two counts.
    vector = _vector(proven, failed, {check.name for check in failing})
    status = max(vector.worst, Tier.CONTRAINDICATED if failed else Tier.AFFIRMING)
    return Appraisal(status=status, trust_vector=vector, policy_ids=(policy,), nonce=nonce)


def _vector(proven: Proven, failed: set[Fault], names: set[str]) -> TrustVector:
    weak = proven.tcb_status not in (None, TcbStatus.UP_TO_DATE) or bool(proven.concerns)
    hardware = _VULNERABLE_HARDWARE if weak else _FINE
    if failed & _HARDWARE_FAULTS:
        hardware = _CONTRAINDICATED_HARDWARE
    known = bool(proven.measurements) and not failed & {Fault.MEASUREMENT, Fault.NOT_ALLOWED}
    revoked = {name.removeprefix(PREFIX).split(".")[0] for name in names if name.startswith(PREFIX)}
    executables = _FINE if known else _UNKNOWN_EXECUTABLES
    configuration = _UNSAFE_CONFIGURATION if failed - _HARDWARE_FAULTS else _FINE
    return TrustVector(
        configuration=_DEBUGGABLE if proven.debug else configuration,
        executables=_REVOKED_EXECUTABLES if Subject.MEASUREMENT in revoked else executables,
        instance_identity=_REVOKED_IDENTITY if revoked - {Subject.MEASUREMENT} else None,
        hardware=hardware,
    )


def _purpose(kind: str) -> str:
    """A nonce of a session is worth nothing for an enrolment, nor the other way round."""
    return f"session {kind}"
