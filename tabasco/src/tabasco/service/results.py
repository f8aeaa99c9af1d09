"""Attestation results: what we say, under our own signature, about a runtime's token.

A result says that the token is authentic, answers the challenge, and comes from an instance that
is enrolled on the platform the token names. It carries the token itself: which runtime, certificate
and policy that is about, the relying party reads there and compares with its own policy. So the
vector affirms the instance's identity and claims nothing else, about hardware least of all. What
hardware measured of the instance's machine when it enrolled is told as it was proven, register by
register, and is for the relying party's policy to judge, too.
"""

from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.results.appraisal import Appraisal, Tier, TrustVector
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import Ear, VerifierId
from psa_attestation.results.ear_jwt import sign_ear_jwt
from psa_attestation.tokens.runtime import RuntimeClaims
from psa_attestation.tokens.token import verify_token
from tabasco.errors import RefusalError, RejectionReason
from tabasco.registry.instances import Instance, Instances, InstanceState
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.revocations import Revocations
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import p256_key_of_der

SUBMOD: Final = "runtime"
POLICY_ID: Final = "veracruz-tabasco/enrolled-instance/1"
_RECOGNISED: Final = 2  # AR4SI: the instance is recognised and not known to be compromised

_REASONS: Final = {
    Stage.SIGNATURE: RejectionReason.TOKEN_FORGED,
    Stage.FRESHNESS: RejectionReason.TOKEN_STALE,
    Stage.LIFECYCLE: RejectionReason.TOKEN_NOT_SECURED,
}
_NOT_LIVE: Final = {
    InstanceState.EXPIRED: RejectionReason.INSTANCE_EXPIRED,
    InstanceState.REVOKED: RejectionReason.INSTANCE_REVOKED,
}


@frozen
class AttestationResult:
    """A signed result (EAR as CWT, or JWT in ASCII) and what it is about, for the log."""

    signed: bytes
    claims: RuntimeClaims


class Results:
    """Signs results about tokens of enrolled instances.

    Args:
        instances: whose tokens are believed.
        key_ring: signs; relying parties have a public half in their policy.
        verifier: who we are.
        validity: how long a result is good for; less if the instance's enrolment ends before.
        revocations: measurements of runtimes that are believed no more.
    """

    def __init__(
        self,
        *,
        instances: Instances,
        key_ring: KeyRing,
        verifier: VerifierId,
        validity: timedelta,
        revocations: Revocations,
    ) -> None:
        self._revocations = revocations
        self._instances = instances
        self._key_ring = key_ring
        self._verifier = verifier
        self._validity = validity

    def about(
        self,
        token: bytes,
        challenge: bytes,
        *,
        at: datetime,
        pinned_key: bytes,
        as_jwt: bool,
    ) -> AttestationResult:
        """A signed result about `token`.

        Args:
            token: a PSA token.
            challenge: what it has to answer.
            at: the time.
            pinned_key: the digest of the result key that the relying party has pinned, or nothing.
            as_jwt: in JSON, for those who read no CBOR.

        Raises:
            RefusalError: the token is not authentic, fresh and from an instance that is live.
        """
        claims, instance = self._verified(token, challenge, at)
        # An instance has no say about another platform than the one it proved.
        if claims.platform != instance.platform:
            raise RefusalError(RejectionReason.PLATFORM_MISMATCH)
        # Looked up for each result: a revocation counts at once, for runtimes that run already too.
        if self._revocations.holds(claims.measurement):
            raise RefusalError(RejectionReason.MEASUREMENT_REVOKED, "of the runtime")
        # A result must not outlive the enrolment that it rests on.
        issued, expires = int(at.timestamp()), min(at + self._validity, instance.expires_at)
        if int(expires.timestamp()) <= issued:
            raise RefusalError(RejectionReason.INSTANCE_EXPIRED, "within this second")
        ear = self._ear(token, challenge, instance, (issued, int(expires.timestamp())))
        key = self._key_ring.signing(pinned_key, at=at)
        if as_jwt:
            return AttestationResult(sign_ear_jwt(ear, key.private, kid=key.kid).encode(), claims)
        return AttestationResult(sign_ear(ear, key.private), claims)

    def _ear(
        self, token: bytes, challenge: bytes, instance: Instance, in_force: tuple[int, int]
    ) -> Ear:
        appraisal = Appraisal(
            status=Tier.AFFIRMING,
            trust_vector=TrustVector(instance_identity=_RECOGNISED),
            policy_ids=(POLICY_ID,),
            nonce=challenge,
            machine=instance.machine,
        )
        return Ear(
            issued_at=in_force[0],
            expires_at=in_force[1],
            verifier=self._verifier,
            submods={SUBMOD: appraisal},
            nonce=challenge,
            raw_evidence=token,
        )

    def _verified(
        self, token: bytes, challenge: bytes, at: datetime
    ) -> tuple[RuntimeClaims, Instance]:
        found: list[Instance] = []

        def key_for(instance_id: bytes) -> ec.EllipticCurvePublicKey | None:
            instance = self._instances.find(instance_id)
            if instance is None:
                return None
            found.append(instance)
            # Kept in `found` all the same: the reason for the refusal is read from there.
            if instance.state(at) is not InstanceState.LIVE:
                return None
            return p256_key_of_der(instance.public_key)

        try:
            claims = RuntimeClaims.of(verify_token(token, key_for=key_for, nonce=challenge))
        except AttestationError as error:
            raise RefusalError(_reason(error, found, at), error.code) from error
        return claims, found[0]


def _reason(error: AttestationError, found: list[Instance], at: datetime) -> RejectionReason:
    if error.code is ErrorCode.UNKNOWN_INSTANCE:
        return _NOT_LIVE[found[0].state(at)] if found else RejectionReason.INSTANCE_UNKNOWN
    return _REASONS.get(error.stage, RejectionReason.TOKEN_MALFORMED)
