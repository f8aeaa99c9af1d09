"""Messages of the attestation service: gRPC `/veracruz.tabasco.v1.Tabasco/<Name>`, all unary."""

from typing import Annotated, Final

from colima._pb import tabasco_pb2 as pb
from colima.codec import at_most, exactly, message

SERVICE: Final = "veracruz.tabasco.v1.Tabasco"
CHALLENGE_BYTES: Final = 32
MAX_TOKEN_BYTES: Final = 4 * 1024
MAX_EVIDENCE_BYTES: Final = 64 * 1024
MAX_SESSION_EVIDENCE_BYTES: Final = 256 * 1024
"""In a session evidence may be of several attesters."""
MAX_CERTIFICATE_BYTES: Final = 16 * 1024
MAX_KEY_AREA_BYTES: Final = 1024
MAX_PLATFORM_CHARS: Final = 64
MAX_AUXILIARY: Final = 8


@message(pb.DescribeRequest)
class DescribeServiceRequest:
    """Ask what the verifier is called and which platforms it verifies."""


@message(pb.DescribeResponse)
class DescribeServiceResponse:
    """The verifier's name, its result key (DER SubjectPublicKeyInfo) and the platforms it verifies.

    The key is a hint for people: whoever relies on results has it from the policy instead.
    """

    verifier: str
    public_key: bytes
    platforms: tuple[str, ...]


@message(pb.BeginEnrolmentRequest)
class BeginEnrolmentRequest:
    """A root attestation isolate on `platform` wants to enrol."""

    platform: Annotated[str, at_most(MAX_PLATFORM_CHARS)]


@message(pb.BeginEnrolmentResponse)
class BeginEnrolmentResponse:
    """A 32-byte challenge, good once and for `expires_in_s` seconds."""

    challenge: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    expires_in_s: int


@message(pb.RequestCredentialRequest)
class RequestCredentialRequest:
    """Ask for proof to give that a TPM's attestation key lives in the TPM of a certificate.

    `challenge` is that of the enrolment, and stays good for it. `certificate` is the endorsement
    key's (DER), `authorities` are those above it (PEM, may be empty), `key_area` is the
    attestation key's TPMT_PUBLIC.
    """

    challenge: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    platform: Annotated[str, at_most(MAX_PLATFORM_CHARS)]
    certificate: Annotated[bytes, at_most(MAX_CERTIFICATE_BYTES)]
    authorities: Annotated[bytes, at_most(4 * MAX_CERTIFICATE_BYTES)]
    key_area: Annotated[bytes, at_most(MAX_KEY_AREA_BYTES)]


@message(pb.RequestCredentialResponse)
class RequestCredentialResponse:
    """What TPM2_ActivateCredential takes: a TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET.

    Both are without their sizes. The secret that comes out goes into the evidence.
    """

    credential: Annotated[bytes, at_most(256)]
    encrypted_secret: Annotated[bytes, at_most(1024)]


@message(pb.CompleteEnrolmentRequest)
class CompleteEnrolmentRequest:
    """Native evidence over the challenge and a fresh key.

    `public_key` is a P-256 key as DER SubjectPublicKeyInfo; `proof_of_possession` its ES256
    signature (64 bytes, r and s) over the same binding that the evidence carries.
    """

    challenge: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    platform: Annotated[str, at_most(MAX_PLATFORM_CHARS)]
    evidence: Annotated[bytes, at_most(MAX_EVIDENCE_BYTES)]
    public_key: Annotated[bytes, at_most(256)]
    proof_of_possession: Annotated[bytes, exactly(64)]


@message(pb.CompleteEnrolmentResponse)
class CompleteEnrolmentResponse:
    """Enrolled as this Instance ID (33 bytes) for `expires_in_s` seconds."""

    instance_id: Annotated[bytes, exactly(33)]
    expires_in_s: int


@message(pb.VerifyTokenRequest)
class VerifyTokenRequest:
    """Ask whether a PSA token is authentic, of an enrolled instance and over this challenge.

    `pinned_key` is the SHA-256 of the result key that the caller has pinned, or empty: while the
    service has it, that key signs. The result is a CWT, or with `as_jwt` a JWT.
    """

    token: Annotated[bytes, at_most(MAX_TOKEN_BYTES)]
    challenge: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    pinned_key: Annotated[bytes, exactly(32, or_none=True)] = b""
    as_jwt: bool = False


@message(pb.VerifyTokenResponse)
class VerifyTokenResponse:
    """The attestation result: an EAR as CWT, or JWT, signed by a result key of the verifier."""

    # It carries the token; in a JWT that is in base64url twice, 16/9 of its size, with more claims.
    attestation_result: Annotated[bytes, at_most(3 * MAX_TOKEN_BYTES)]


@message(pb.OpenSessionRequest)
class OpenSessionRequest:
    """An attester has evidence of this kind, such as `sev-snp`."""

    kind: Annotated[str, at_most(MAX_PLATFORM_CHARS)]


@message(pb.OpenSessionResponse)
class OpenSessionResponse:
    """A 32-byte nonce, good once and for `expires_in_s` seconds."""

    nonce: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    expires_in_s: int


@message(pb.Auxiliary)
class Auxiliary:
    """What goes with evidence, under a name, such as the `certificate` of SEV-SNP."""

    name: Annotated[str, at_most(MAX_PLATFORM_CHARS)]
    content: Annotated[bytes, at_most(MAX_EVIDENCE_BYTES)]


@message(pb.SubmitEvidenceRequest)
class SubmitEvidenceRequest:
    """The platform's bytes, over a session's nonce, and at most 8 parts that go with them.

    `public_key` (DER SubjectPublicKeyInfo) is what the attester wants bound to itself, or empty.
    `pinned_key` and `as_jwt` are those of `VerifyTokenRequest`.
    """

    nonce: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    kind: Annotated[str, at_most(MAX_PLATFORM_CHARS)]
    evidence: Annotated[bytes, at_most(MAX_SESSION_EVIDENCE_BYTES)]
    auxiliary: Annotated[tuple[Auxiliary, ...], at_most(MAX_AUXILIARY)] = ()
    public_key: Annotated[bytes, at_most(256)] = b""
    pinned_key: Annotated[bytes, exactly(32, or_none=True)] = b""
    as_jwt: bool = False


@message(pb.SubmitEvidenceResponse)
class SubmitEvidenceResponse:
    """The attestation result about the attester: an EAR as CWT, or JWT."""

    attestation_result: Annotated[bytes, at_most(3 * MAX_TOKEN_BYTES)]


@message(pb.GetKeySetRequest)
class GetKeySetRequest:
    """Ask for the keys that sign results."""


@message(pb.GetKeySetResponse)
class GetKeySetResponse:
    """The result keys in use, as a JSON Web Key Set (RFC 7517)."""

    key_set: Annotated[bytes, at_most(MAX_EVIDENCE_BYTES)]
