"""Messages of the attestation service: gRPC `/veracruz.tabasco.v1.Tabasco/<Name>`, all unary."""

from dataclasses import dataclass
from typing import Final

from colima._pb import tabasco_pb2 as pb
from colima.codec import at_most, exactly, register

SERVICE: Final = "veracruz.tabasco.v1.Tabasco"
CHALLENGE_BYTES: Final = 32
MAX_TOKEN_BYTES: Final = 4 * 1024
MAX_EVIDENCE_BYTES: Final = 64 * 1024
MAX_PLATFORM_CHARS: Final = 64
MAX_AUXILIARY: Final = 8


@register(pb.DescribeRequest)
@dataclass(frozen=True, slots=True)
class DescribeServiceRequest:
    """Who are you?"""


@register(pb.DescribeResponse)
@dataclass(frozen=True, slots=True)
class DescribeServiceResponse:
    """The verifier's name, its result key (DER SubjectPublicKeyInfo) and the platforms it verifies.

    The key is a hint for people: whoever relies on results has it from the policy instead.
    """

    verifier: str
    public_key: bytes
    platforms: tuple[str, ...]


@register(pb.BeginEnrolmentRequest)
@dataclass(frozen=True, slots=True)
class BeginEnrolmentRequest:
    """A root attestation isolate on `platform` wants to enrol."""

    platform: str

    def __post_init__(self) -> None:
        at_most("platform", self.platform, MAX_PLATFORM_CHARS)


@register(pb.BeginEnrolmentResponse)
@dataclass(frozen=True, slots=True)
class BeginEnrolmentResponse:
    """A 32-byte challenge, good once and for `expires_in_s` seconds."""

    challenge: bytes
    expires_in_s: int

    def __post_init__(self) -> None:
        exactly("challenge", self.challenge, CHALLENGE_BYTES)


@register(pb.CompleteEnrolmentRequest)
@dataclass(frozen=True, slots=True)
class CompleteEnrolmentRequest:
    """Native evidence over the challenge and a fresh key.

    `public_key` is a P-256 key as DER SubjectPublicKeyInfo; `proof_of_possession` its ES256
    signature (64 bytes, r and s) over the same binding that the evidence carries.
    """

    challenge: bytes
    platform: str
    evidence: bytes
    public_key: bytes
    proof_of_possession: bytes

    def __post_init__(self) -> None:
        exactly("challenge", self.challenge, CHALLENGE_BYTES)
        at_most("platform", self.platform, MAX_PLATFORM_CHARS)
        at_most("evidence", self.evidence, MAX_EVIDENCE_BYTES)
        at_most("public key", self.public_key, 256)
        exactly("proof of possession", self.proof_of_possession, 64)


@register(pb.CompleteEnrolmentResponse)
@dataclass(frozen=True, slots=True)
class CompleteEnrolmentResponse:
    """Enrolled as this Instance ID (33 bytes) for `expires_in_s` seconds."""

    instance_id: bytes
    expires_in_s: int

    def __post_init__(self) -> None:
        exactly("instance id", self.instance_id, 33)


@register(pb.VerifyTokenRequest)
@dataclass(frozen=True, slots=True)
class VerifyTokenRequest:
    """Is this PSA token authentic, from an enrolled instance and over my challenge?

    `pinned_key` is the SHA-256 of the result key that the caller has pinned, or empty: while the
    service has it, that key signs. The result is a CWT, or with `as_jwt` a JWT.
    """

    token: bytes
    challenge: bytes
    pinned_key: bytes = b""
    as_jwt: bool = False

    def __post_init__(self) -> None:
        at_most("token", self.token, MAX_TOKEN_BYTES)
        exactly("challenge", self.challenge, CHALLENGE_BYTES)
        if self.pinned_key:
            exactly("pinned key", self.pinned_key, 32)


@register(pb.VerifyTokenResponse)
@dataclass(frozen=True, slots=True)
class VerifyTokenResponse:
    """The attestation result: an EAR as CWT, or JWT, signed by a result key of the verifier."""

    attestation_result: bytes

    def __post_init__(self) -> None:
        at_most("attestation result", self.attestation_result, 3 * MAX_TOKEN_BYTES)


@register(pb.OpenSessionRequest)
@dataclass(frozen=True, slots=True)
class OpenSessionRequest:
    """An attester has evidence of this kind, such as `sev-snp`."""

    kind: str

    def __post_init__(self) -> None:
        at_most("kind", self.kind, MAX_PLATFORM_CHARS)


@register(pb.OpenSessionResponse)
@dataclass(frozen=True, slots=True)
class OpenSessionResponse:
    """A 32-byte nonce, good once and for `expires_in_s` seconds."""

    nonce: bytes
    expires_in_s: int

    def __post_init__(self) -> None:
        exactly("nonce", self.nonce, CHALLENGE_BYTES)


@register(pb.Auxiliary)
@dataclass(frozen=True, slots=True)
class Auxiliary:
    """What goes with evidence, under a name, such as the `certificate` of SEV-SNP."""

    name: str
    content: bytes

    def __post_init__(self) -> None:
        at_most("name", self.name, MAX_PLATFORM_CHARS)
        at_most("content", self.content, MAX_EVIDENCE_BYTES)


@register(pb.SubmitEvidenceRequest)
@dataclass(frozen=True, slots=True)
class SubmitEvidenceRequest:
    """The platform's bytes, over a session's nonce, and at most 8 parts that go with them.

    `public_key` (DER SubjectPublicKeyInfo) is what the attester wants bound to itself, or empty.
    `pinned_key` and `as_jwt` are those of `VerifyTokenRequest`.
    """

    nonce: bytes
    kind: str
    evidence: bytes
    auxiliary: tuple[Auxiliary, ...] = ()
    public_key: bytes = b""
    pinned_key: bytes = b""
    as_jwt: bool = False

    def __post_init__(self) -> None:
        exactly("nonce", self.nonce, CHALLENGE_BYTES)
        at_most("kind", self.kind, MAX_PLATFORM_CHARS)
        at_most("evidence", self.evidence, MAX_EVIDENCE_BYTES)
        at_most("auxiliary", self.auxiliary, MAX_AUXILIARY)
        at_most("public key", self.public_key, 256)
        if self.pinned_key:
            exactly("pinned key", self.pinned_key, 32)


@register(pb.SubmitEvidenceResponse)
@dataclass(frozen=True, slots=True)
class SubmitEvidenceResponse:
    """The attestation result about the attester: an EAR as CWT, or JWT."""

    attestation_result: bytes

    def __post_init__(self) -> None:
        at_most("attestation result", self.attestation_result, 3 * MAX_TOKEN_BYTES)


@register(pb.GetKeySetRequest)
@dataclass(frozen=True, slots=True)
class GetKeySetRequest:
    """Which keys sign results?"""


@register(pb.GetKeySetResponse)
@dataclass(frozen=True, slots=True)
class GetKeySetResponse:
    """The result keys in use, as a JSON Web Key Set (RFC 7517)."""

    key_set: bytes

    def __post_init__(self) -> None:
        at_most("key set", self.key_set, MAX_EVIDENCE_BYTES)
