"""The token a root attester mints for a runtime, and how to read it."""

from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.evidence.software import UNSIGNED, implementation_id_of
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.lifecycle import SECURED
from psa_attestation.tokens.token import mint_token
from veracruz_utils.frozen import frozen
from veracruz_utils.policy.isolation import IsolationLayer

COMPONENT: Final = "ARoT"
"""The type of the one component that a runtime's token measures."""
_CLIENT_ID: Final = 1


@frozen
class RuntimeClaims:
    """What a token says about a runtime; the caller compares every field with its own policy.

    Attributes:
        platform: the kind of isolate.
        measurement: of the runtime, 32, 48 or 64 bytes.
        version: of the runtime.
        certificate_digest: SHA-256 of its TLS certificate (DER).
        policy_digest: SHA-256 of the policy it holds.
        instance_id: the root attester that vouches for it, 33 bytes.
        challenge: the challenge that the token answers.
        isolation: the layers that its isolate is known to be walled in by.
    """

    platform: str
    measurement: bytes
    version: str
    certificate_digest: bytes
    policy_digest: bytes
    instance_id: bytes
    challenge: bytes
    isolation: frozenset[IsolationLayer]

    @classmethod
    def of(cls, claims: Claims) -> Self:
        """The statement that a token's `claims` make about one runtime.

        Raises:
            AttestationError: `type-confusion`: they are about something else.
        """
        platform, component = claims.platform, _only_component(claims)
        # Two claims name the platform: readers of either must see the same one.
        if platform is None or claims.implementation_id != implementation_id_of(platform):
            raise _not_a_runtime("its implementation id is not that of a platform it names")
        if component.measurement_type != COMPONENT or component.version is None:
            raise _not_a_runtime("its component is not a runtime with a version")
        if claims.certificate_digest is None or claims.policy_digest is None:
            raise _not_a_runtime("the certificate or policy digest is missing")
        return cls(
            platform=platform,
            measurement=component.measurement,
            version=component.version,
            certificate_digest=claims.certificate_digest,
            policy_digest=claims.policy_digest,
            instance_id=claims.instance_id,
            challenge=claims.nonce,
            # What is not said is not known, and what is not known counts for nothing.
            isolation=claims.isolation or frozenset(),
        )


def mint_runtime_token(
    *,
    key: ec.EllipticCurvePrivateKey,
    challenge: bytes,
    platform: str,
    runtime_measurement: bytes,
    runtime_version: str,
    certificate_digest: bytes,
    policy_digest: bytes,
    isolation: frozenset[IsolationLayer],
) -> bytes:
    """A token that answers `challenge` and vouches for one runtime.

    Args:
        key: the root attester's enrolled key.
        challenge: from whoever wants to know, 32, 48 or 64 bytes.
        platform: the kind of isolate, at most 64 characters.
        runtime_measurement: 32, 48 or 64 bytes.
        runtime_version: as its makers call it.
        certificate_digest: SHA-256 of the runtime's TLS certificate (DER).
        policy_digest: SHA-256 of the policy's bytes.
        isolation: the layers in force around the runtime.
    """
    return mint_token(
        Claims(
            profile=PsaProfile.RFC9783,
            nonce=challenge,
            client_id=_CLIENT_ID,
            instance_id=instance_id_of(key.public_key()),
            implementation_id=implementation_id_of(platform),
            lifecycle=SECURED,
            software_components=(
                SoftwareComponent(
                    runtime_measurement, UNSIGNED, COMPONENT, runtime_version, "sha-256"
                ),
            ),
            platform=platform,
            certificate_digest=certificate_digest,
            policy_digest=policy_digest,
            isolation=isolation,
        ),
        key,
    )


def _only_component(claims: Claims) -> SoftwareComponent:
    if len(claims.software_components) != 1:
        raise _not_a_runtime("it does not measure exactly one component")
    return claims.software_components[0]


def _not_a_runtime(why: str) -> AttestationError:
    return AttestationError(
        ErrorCode.TYPE_CONFUSION, Stage.BINDING, f"the token is not about a runtime: {why}"
    )
