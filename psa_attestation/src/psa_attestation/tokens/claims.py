"""The claims of a PSA attestation token as values, and the profiles that name them."""

from enum import StrEnum, unique

from psa_attestation.tokens.lifecycle import Lifecycle, lifecycle_of
from veracruz_utils.frozen import frozen
from veracruz_utils.policy.isolation import IsolationLayer


@unique
class PsaProfile(StrEnum):
    """Which document fixes a token's claims; the value is what the profile claim says."""

    RFC9783 = "tag:psacertified.org,2023:psa#tfm"
    PSA_2_0_0 = "http://arm.com/psa/2.0.0"
    PSA_IOT_1 = "PSA_IOT_PROFILE_1"


@frozen
class SoftwareComponent:
    """One measured piece of software (RFC 9783 section 4.4.1).

    Attributes:
        measurement: its digest, 32, 48 or 64 bytes.
        signer_id: the digest of the key that signed it, 32, 48 or 64 bytes.
        measurement_type: its role, such as `BL`, `PRoT`, `ARoT`, `App`.
        version: as its makers call it.
        description: the name of the measurement's hash algorithm.
    """

    measurement: bytes
    signer_id: bytes
    measurement_type: str | None = None
    version: str | None = None
    description: str | None = None


@frozen
class Claims:
    """What a PSA token says (RFC 9783 section 4).

    Attributes:
        nonce: the challenge that the token answers, 32, 48 or 64 bytes.
        client_id: who asked for the token: below 0 from the insecure side, above 0 from the secure
            side, never 0.
        instance_id: which attestation key, 33 bytes.
        implementation_id: which hardware and immutable root of trust, 32 bytes.
        lifecycle: 16 bits, see `lifecycle_state`.
        software_components: at least one; empty only in a `PSA_IOT_PROFILE_1` token that says it
            has no measurements.
        boot_seed: a random value of this boot, 8 to 32 bytes.
        certification_reference: the product's certificate number.
        verification_service: where a verifier is said to be; a hint from the attester, never to be
            dialled without a decision of one's own.
        platform: our claim -76000, the kind of isolate, at most 64 characters.
        certificate_digest: our claim -76001, SHA-256 of the isolate's TLS certificate (DER).
        policy_digest: our claim -76002, SHA-256 of the global policy's bytes.
        isolation: our claim -76003, the layers that the isolate is walled in by; None where the
            token does not say.
    """

    profile: PsaProfile
    nonce: bytes
    client_id: int
    instance_id: bytes
    implementation_id: bytes
    lifecycle: int
    software_components: tuple[SoftwareComponent, ...]
    boot_seed: bytes | None = None
    certification_reference: str | None = None
    verification_service: str | None = None
    platform: str | None = None
    certificate_digest: bytes | None = None
    policy_digest: bytes | None = None
    isolation: frozenset[IsolationLayer] | None = None

    @property
    def lifecycle_state(self) -> Lifecycle:
        """The state that `lifecycle` stands for."""
        return lifecycle_of(self.lifecycle)
