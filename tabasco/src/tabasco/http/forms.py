"""The forms of requests and answers; whatever a form does not have is refused.

Bytes are base64url without padding, but measurements and digests are hexadecimal, as people compare
them. Times are RFC 3339.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from colima.tabasco import (
    CHALLENGE_BYTES,
    MAX_CERTIFICATE_BYTES,
    MAX_EVIDENCE_BYTES,
    MAX_KEY_AREA_BYTES,
    MAX_PLATFORM_CHARS,
    MAX_SESSION_EVIDENCE_BYTES,
    MAX_TOKEN_BYTES,
)
from psa_attestation.errors import AttestationError
from psa_attestation.jose.base64url import from_base64url, to_base64url
from tabasco.appraisal.policy import MAX_POLICY_BYTES
from tabasco.registry.instances import InstanceState
from tabasco.registry.models import LABEL_CHARS, NAME_CHARS
from tabasco.registry.roots import RootKind
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Subject
from veracruz_utils.frozen import frozen


def _from_text(value: object) -> object:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("not text")  # noqa: TRY004 - what pydantic turns into its own error
    try:
        return from_base64url(value, "it")
    except AttestationError as error:
        raise ValueError("not base64url without padding") from error


def _from_hex(value: object) -> object:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("not text")  # noqa: TRY004 - what pydantic turns into its own error
    return bytes.fromhex(value)


@frozen
class _Base64Url:
    """Marks bytes that travel in base64url; from `least` to `most` of them."""

    least: int
    most: int

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            _from_text,
            core_schema.bytes_schema(min_length=self.least, max_length=self.most),
            serialization=core_schema.plain_serializer_function_ser_schema(
                to_base64url, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "format": "base64url",
            "minLength": -(-self.least * 4 // 3),
            "maxLength": -(-self.most * 4 // 3),
        }


def _utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise ValueError("not between the years 1 and 9999") from None


def _printable(text: str) -> str:
    """Text that every database holds and that does nothing to a terminal."""
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Challenge = Annotated[bytes, _Base64Url(CHALLENGE_BYTES, CHALLENGE_BYTES)]
Digest = Annotated[bytes, _Base64Url(32, 32)]
PublicKey = Annotated[bytes, _Base64Url(1, 256)]
Blob = Annotated[bytes, _Base64Url(0, MAX_EVIDENCE_BYTES)]
Hex = Annotated[
    bytes,
    BeforeValidator(_from_hex),
    Field(max_length=64),
    PlainSerializer(bytes.hex, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([0-9a-f]{2})*$"}),
]
Time = Annotated[datetime, AfterValidator(_utc)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARS), AfterValidator(_printable)]
Label = Annotated[str, Field(max_length=LABEL_CHARS), AfterValidator(_printable)]
Platform = Annotated[
    str, Field(min_length=1, max_length=MAX_PLATFORM_CHARS), AfterValidator(_printable)
]


class _StrictForm(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FailureForm(_StrictForm):
    """What every answer is that is not the one asked for."""

    error: str
    message: str


class ResultFormat(StrEnum):
    """How a result is written down."""

    JWT = "jwt"
    CWT = "cwt"


class DescriptionForm(_StrictForm):
    """Who answers, and what for."""

    verifier: str
    result_profile: str
    platforms: tuple[str, ...]
    evidence_kinds: tuple[str, ...]


class ChallengeRequestForm(_StrictForm):
    """A root attester on this platform wants to enrol."""

    platform: Platform


class ChallengeForm(_StrictForm):
    """Good once, and for so many seconds."""

    challenge: Challenge
    expires_in_s: int


class CredentialRequestForm(_StrictForm):
    """The endorsement certificate of a TPM, and the public area of its attestation key."""

    challenge: Challenge
    platform: Platform
    certificate: Annotated[bytes, _Base64Url(1, MAX_CERTIFICATE_BYTES)]
    authorities: Annotated[bytes, _Base64Url(0, 4 * MAX_CERTIFICATE_BYTES)] = b""
    key_area: Annotated[bytes, _Base64Url(1, MAX_KEY_AREA_BYTES)]


class CredentialForm(_StrictForm):
    """What TPM2_ActivateCredential takes, each without its size."""

    credential: Blob
    encrypted_secret: Blob


class EnrolmentRequestForm(_StrictForm):
    """Native evidence over the challenge and a fresh key, and the proof that it is held."""

    challenge: Challenge
    platform: Platform
    evidence: Blob
    public_key: PublicKey
    proof_of_possession: Annotated[bytes, _Base64Url(64, 64)]


class EnrolmentForm(_StrictForm):
    """Enrolled as this instance (hexadecimal), for so many seconds."""

    instance_id: Hex
    expires_in_s: int


class TokenForm(_StrictForm):
    """Is this PSA token authentic, from an enrolled instance and over my challenge?"""

    token: Annotated[bytes, _Base64Url(1, MAX_TOKEN_BYTES)]
    challenge: Challenge
    pinned_key: Digest | None = None
    format: ResultFormat = ResultFormat.JWT


class ResultForm(_StrictForm):
    """An attestation result: a JWT as it is, a CWT in base64url."""

    attestation_result: str
    media_type: str


class SessionRequestForm(_StrictForm):
    """An attester has evidence of this kind."""

    kind: EvidenceKind


class SessionForm(_StrictForm):
    """Answer this nonce once, within so many seconds."""

    nonce: Challenge
    kind: str
    expires_in_s: int


class EvidenceForm(_StrictForm):
    """The platform's bytes, and what goes with them, such as `certificate` of SEV-SNP."""

    kind: EvidenceKind
    evidence: Annotated[bytes, _Base64Url(0, MAX_SESSION_EVIDENCE_BYTES)]
    auxiliary: dict[Name, Blob] = {}
    public_key: PublicKey | None = None
    pinned_key: Digest | None = None
    format: ResultFormat = ResultFormat.JWT


class TrustAnchorForm(_StrictForm):
    """A software root whose evidence is trusted, or what a certificate vouches for: one of the two.

    A certificate is of a manufacturer of TPMs, or with kind `nvidia` an authority for its devices.
    """

    name: Name
    public_key: PublicKey | None = None
    certificate: Annotated[bytes, _Base64Url(1, MAX_CERTIFICATE_BYTES)] | None = None
    kind: RootKind | None = None


class InstanceForm(_StrictForm):
    """An instance that enrolled."""

    instance_id: Hex
    state: InstanceState
    platform: str
    root: str | None
    measurement: Hex
    version: str
    enrolled_at: Time
    expires_at: Time
    machine: dict[str, Hex]


class NewReferenceValueForm(_StrictForm):
    """A value that a measurement may have."""

    kind: EvidenceKind
    measurement: Name
    value: Hex
    label: Label = ""
    not_before: Time | None = None
    not_after: Time | None = None


class ReferenceValueForm(NewReferenceValueForm):
    """A value as it is kept."""

    number: int
    provider: str


class ImportedBundleForm(_StrictForm):
    """Whose bundle it was, its version, and how many values and keys are accepted by it.

    `left_out` were removed by an operator, and stay so; `ended` is how many enrolments did.
    """

    provider: str
    version: int
    values: int
    left_out: int
    ended: int


class ProviderForm(_StrictForm):
    """A provider whose bundles are accepted, and the version of the last one."""

    name: str
    version: int


class PolicyForm(_StrictForm):
    """An appraisal policy: its version, and the SHA-256 of its text."""

    version: int
    digest: Hex
    set_at: Time
    withdrawn_at: Time | None
    document: str


class NewPlatformKeyForm(_StrictForm):
    """The key that a platform signs evidence with: DER SubjectPublicKeyInfo, on a P curve."""

    kind: EvidenceKind
    instance: Hex
    public_key: PublicKey


class PlatformKeyForm(NewPlatformKeyForm):
    """A platform's key as it is kept."""

    number: int
    provider: str


class ExplanationRequestForm(_StrictForm):
    """Evidence to explain, under the policy in force or this one (TOML), at a time or now."""

    kind: EvidenceKind
    evidence: Blob
    auxiliary: dict[Name, Blob] = {}
    policy: Annotated[str, Field(max_length=MAX_POLICY_BYTES)] = ""
    at: Time | None = None


class ExplanationForm(BaseModel):
    """The report of `tabasco verify`: what is proven, what is not, and every check."""

    model_config = ConfigDict(extra="allow", frozen=True)

    verdict: str
    authentic: bool
    accepted: bool
    checks: list[dict[str, Any]]


class NewRevocationForm(_StrictForm):
    """Revoke this: an instance by its id, a measurement, a key or certificate by its SHA-256."""

    subject: Subject
    value: Hex
    reason: Label = ""


class RevocationForm(NewRevocationForm):
    """A revocation as it is kept."""

    revoked_at: Time


class AuditHeadForm(_StrictForm):
    """Where the audit log is, and that signed by the result key (COSE_Sign1)."""

    number: int
    hash: Hex
    signed: Blob


class AuditEntryForm(_StrictForm):
    """One entry of the audit log."""

    number: int
    at: Time
    actor: str
    action: str
    subject: str
    outcome: str
    hash: Hex


FAILURES: Final[dict[int | str, dict[str, Any]]] = {"default": {"model": FailureForm}}
