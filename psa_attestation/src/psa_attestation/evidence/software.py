"""Evidence of the Linux software root of trust: what a root attester enrols with.

There is no hardware behind it. The evidence is a PSA token signed by the software root's key, says
so in its platform claim, and is worth what the machine's root user is worth.
"""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.binding import binding_digest
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.lifecycle import SECURED
from psa_attestation.tokens.token import KeyLookup, mint_token, verify_token
from veracruz_utils.frozen import frozen

LINUX_SOFTWARE_PLATFORM: Final = "linux-software-root"
ENROLMENT_LABEL: Final = "veracruz-sonora-enrolment-v1"
ENROLMENT_AUDIENCE: Final = "tabasco"
_ROLE: Final = b"root-attester"
_COMPONENT: Final = "PRoT"

# Who signed a measured runtime: nobody did, and this digest says so.
UNSIGNED: Final = hashlib.sha256(b"veracruz-unsigned").digest()


@frozen
class SoftwareEvidence:
    """What verified evidence of the software root says.

    Attributes:
        instance_id: the root's key, 33 bytes.
        measurement: of the root attester, 32, 48 or 64 bytes.
        version: of the root attester.
    """

    instance_id: bytes
    measurement: bytes
    version: str


def enrolment_binding(
    *, platform: str, audience: str, challenge: bytes, public_key: bytes
) -> bytes:
    """The digest (32 bytes) that an enrolment's evidence and proof of possession are over.

    Args:
        platform: what the attester enrols as.
        audience: whom the evidence is for (`ENROLMENT_AUDIENCE`), so that it cannot be diverted.
        challenge: from the audience, used once.
        public_key: the key to be enrolled, as DER SubjectPublicKeyInfo.
    """
    return binding_digest(
        ENROLMENT_LABEL,
        _ROLE,
        platform.encode(),
        audience.encode(),
        challenge,
        hashlib.sha256(public_key).digest(),
    )


def implementation_id_of(platform: str) -> bytes:
    """The Implementation ID (32 bytes) of our tokens from `platform`."""
    return hashlib.sha256(b"veracruz-platform:" + platform.encode()).digest()


def mint_software_evidence(
    *, root_key: ec.EllipticCurvePrivateKey, measurement: bytes, version: str, binding: bytes
) -> bytes:
    """Evidence by the software root that a root attester with this measurement made `binding`.

    Args:
        root_key: the software root's key.
        measurement: of the root attester, 32, 48 or 64 bytes.
        version: of the root attester.
        binding: see `enrolment_binding`.
    """
    return mint_token(
        Claims(
            profile=PsaProfile.RFC9783,
            nonce=binding,
            client_id=1,
            instance_id=instance_id_of(root_key.public_key()),
            implementation_id=implementation_id_of(LINUX_SOFTWARE_PLATFORM),
            lifecycle=SECURED,
            software_components=(
                SoftwareComponent(measurement, UNSIGNED, _COMPONENT, version, "sha-256"),
            ),
            platform=LINUX_SOFTWARE_PLATFORM,
        ),
        root_key,
    )


def verify_software_evidence(
    evidence: bytes, *, key_for: KeyLookup, binding: bytes
) -> SoftwareEvidence:
    """What authentic evidence of the software root over `binding` says.

    Args:
        evidence: as `mint_software_evidence` makes it.
        key_for: the keys of the software roots that are trusted.
        binding: recomputed by the caller from what it knows itself.

    Raises:
        AttestationError: anything else, a token for another purpose included.
    """
    claims = verify_token(evidence, key_for=key_for, nonce=binding)
    if claims.platform != LINUX_SOFTWARE_PLATFORM:
        raise AttestationError(
            ErrorCode.PLATFORM_MISMATCH,
            Stage.BINDING,
            f"the evidence is of platform {claims.platform!r}, expected {LINUX_SOFTWARE_PLATFORM}",
        )
    # A token about a runtime must not pass for evidence of its root attester.
    if claims.certificate_digest is not None or claims.policy_digest is not None:
        raise _not_evidence("it is a token about a runtime")
    return _evidence(claims)


def _evidence(claims: Claims) -> SoftwareEvidence:
    if claims.implementation_id != implementation_id_of(LINUX_SOFTWARE_PLATFORM):
        raise _not_evidence("its implementation id is not the platform's")
    if len(claims.software_components) != 1:
        raise _not_evidence("it does not measure exactly one component")
    component = claims.software_components[0]
    if component.measurement_type != _COMPONENT or component.version is None:
        raise _not_evidence("its component is not a root attester with a version")
    return SoftwareEvidence(claims.instance_id, component.measurement, component.version)


def _not_evidence(why: str) -> AttestationError:
    return AttestationError(
        ErrorCode.TYPE_CONFUSION,
        Stage.BINDING,
        f"the token is not evidence of the software root: {why}",
    )
