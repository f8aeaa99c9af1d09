"""Messages of the administration: gRPC `/veracruz.tabasco.v1.Administration/<Name>`, all unary.

Metadata has the token of an administrator, as `authorization: Bearer TOKEN`. Times are RFC 3339,
empty where there is none. Names, values and documents are checked by the service, which says what
is wrong with them; here only their sizes are bounded.
"""

from dataclasses import dataclass
from typing import Final

from colima._pb import tabasco_pb2 as pb
from colima.codec import at_most, register
from colima.errors import WireError
from colima.tabasco import MAX_AUXILIARY, MAX_EVIDENCE_BYTES, MAX_PLATFORM_CHARS, Auxiliary

SERVICE: Final = "veracruz.tabasco.v1.Administration"
MAX_DOCUMENT_BYTES: Final = 512 * 1024
"""Of a bundle or an appraisal policy."""
MAX_TEXT_CHARS: Final = 1024
MAX_VALUE_BYTES: Final = 64
_MAX_ROW: Final = 2**63 - 1


@register(pb.TrustAnchor)
@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A software root whose evidence is believed: its name, its key (DER)."""

    name: str
    public_key: bytes


@register(pb.ListTrustAnchorsRequest)
@dataclass(frozen=True, slots=True)
class ListTrustAnchorsRequest:
    """Whose evidence is believed?"""


@register(pb.ListTrustAnchorsResponse)
@dataclass(frozen=True, slots=True)
class ListTrustAnchorsResponse:
    """The software roots, by name."""

    trust_anchors: tuple[TrustAnchor, ...]


@register(pb.AddTrustAnchorRequest)
@dataclass(frozen=True, slots=True)
class AddTrustAnchorRequest:
    """Believe a software root: a P-256 key, DER SubjectPublicKeyInfo."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        at_most("name", self.name, MAX_TEXT_CHARS)
        at_most("public key", self.public_key, 256)


@register(pb.AddTrustAnchorResponse)
@dataclass(frozen=True, slots=True)
class AddTrustAnchorResponse:
    """It is believed from now on."""


@register(pb.RemoveTrustAnchorRequest)
@dataclass(frozen=True, slots=True)
class RemoveTrustAnchorRequest:
    """Believe a root no more, and revoke every instance it vouched for."""

    name: str

    def __post_init__(self) -> None:
        at_most("name", self.name, MAX_TEXT_CHARS)


@register(pb.RemoveTrustAnchorResponse)
@dataclass(frozen=True, slots=True)
class RemoveTrustAnchorResponse:
    """How many instances that revoked."""

    revoked_instances: int


@register(pb.Instance)
@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that enrolled; `root` is empty where hardware vouched for it."""

    instance_id: bytes
    state: str
    platform: str
    root: str
    measurement: bytes
    version: str
    enrolled_at: str
    expires_at: str


@register(pb.ListInstancesRequest)
@dataclass(frozen=True, slots=True)
class ListInstancesRequest:
    """Who enrolled?"""


@register(pb.ListInstancesResponse)
@dataclass(frozen=True, slots=True)
class ListInstancesResponse:
    """Every instance that ever enrolled, newest first."""

    instances: tuple[Instance, ...]


@register(pb.Revocation)
@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation of a `measurement` or a `key` (its SHA-256)."""

    subject: str
    value: bytes
    reason: str
    revoked_at: str


@register(pb.ListRevocationsRequest)
@dataclass(frozen=True, slots=True)
class ListRevocationsRequest:
    """What is believed no more? Instances show their own state."""


@register(pb.ListRevocationsResponse)
@dataclass(frozen=True, slots=True)
class ListRevocationsResponse:
    """Every revocation of a measurement or key, newest first."""

    revocations: tuple[Revocation, ...]


@register(pb.RevokeRequest)
@dataclass(frozen=True, slots=True)
class RevokeRequest:
    """Believe an `instance` (its id), a `measurement` or a `key` (its SHA-256) no more."""

    subject: str
    value: bytes
    reason: str = ""

    def __post_init__(self) -> None:
        at_most("subject", self.subject, MAX_TEXT_CHARS)
        at_most("value", self.value, MAX_VALUE_BYTES)
        at_most("reason", self.reason, MAX_TEXT_CHARS)


@register(pb.RevokeResponse)
@dataclass(frozen=True, slots=True)
class RevokeResponse:
    """It is believed no more; a second time changes nothing."""


@register(pb.ReferenceValue)
@dataclass(frozen=True, slots=True)
class ReferenceValue:
    """A value that a measurement may have, and who says so."""

    number: int
    kind: str
    measurement: str
    value: bytes
    label: str
    provider: str
    not_before: str
    not_after: str


@register(pb.ListReferenceValuesRequest)
@dataclass(frozen=True, slots=True)
class ListReferenceValuesRequest:
    """Which reference values are there?"""


@register(pb.ListReferenceValuesResponse)
@dataclass(frozen=True, slots=True)
class ListReferenceValuesResponse:
    """Every value, in the order in which they came."""

    reference_values: tuple[ReferenceValue, ...]


@register(pb.GetReferenceValueRequest)
@dataclass(frozen=True, slots=True)
class GetReferenceValueRequest:
    """What is the value of this number? The answer is a `ReferenceValue`."""

    number: int

    def __post_init__(self) -> None:
        _row("number", self.number)


@register(pb.AddReferenceValueRequest)
@dataclass(frozen=True, slots=True)
class AddReferenceValueRequest:
    """Add a value (32, 48 or 64 bytes) in the operator's name."""

    kind: str
    measurement: str
    value: bytes
    label: str = ""
    not_before: str = ""
    not_after: str = ""

    def __post_init__(self) -> None:
        at_most("kind", self.kind, MAX_TEXT_CHARS)
        at_most("measurement", self.measurement, MAX_TEXT_CHARS)
        at_most("value", self.value, MAX_VALUE_BYTES)
        at_most("label", self.label, MAX_TEXT_CHARS)
        at_most("not before", self.not_before, MAX_TEXT_CHARS)
        at_most("not after", self.not_after, MAX_TEXT_CHARS)


@register(pb.AddReferenceValueResponse)
@dataclass(frozen=True, slots=True)
class AddReferenceValueResponse:
    """The value's number."""

    number: int


@register(pb.RemoveReferenceValueRequest)
@dataclass(frozen=True, slots=True)
class RemoveReferenceValueRequest:
    """Forget the value of this number."""

    number: int

    def __post_init__(self) -> None:
        _row("number", self.number)


@register(pb.RemoveReferenceValueResponse)
@dataclass(frozen=True, slots=True)
class RemoveReferenceValueResponse:
    """It is forgotten."""


@register(pb.ImportBundleRequest)
@dataclass(frozen=True, slots=True)
class ImportBundleRequest:
    """Take in a bundle that a provider signed: a JWS over JSON, or a CoRIM."""

    bundle: bytes

    def __post_init__(self) -> None:
        at_most("bundle", self.bundle, MAX_DOCUMENT_BYTES)


@register(pb.ImportBundleResponse)
@dataclass(frozen=True, slots=True)
class ImportBundleResponse:
    """Whose bundle it was, its version, and how many values are in it."""

    provider: str
    version: int
    values: int


@register(pb.Provider)
@dataclass(frozen=True, slots=True)
class Provider:
    """Whose bundles are taken in, and the version of the last one."""

    name: str
    version: int


@register(pb.ListProvidersRequest)
@dataclass(frozen=True, slots=True)
class ListProvidersRequest:
    """Whose bundles are taken in?"""


@register(pb.ListProvidersResponse)
@dataclass(frozen=True, slots=True)
class ListProvidersResponse:
    """The providers."""

    providers: tuple[Provider, ...]


@register(pb.PlatformKey)
@dataclass(frozen=True, slots=True)
class PlatformKey:
    """The key (DER) that a platform signs evidence with, by its instance id; who says so."""

    number: int
    kind: str
    instance: bytes
    public_key: bytes
    provider: str


@register(pb.ListPlatformKeysRequest)
@dataclass(frozen=True, slots=True)
class ListPlatformKeysRequest:
    """Which keys are registered of platforms whose evidence comes without a certificate?"""


@register(pb.ListPlatformKeysResponse)
@dataclass(frozen=True, slots=True)
class ListPlatformKeysResponse:
    """Every key, in the order in which they came."""

    platform_keys: tuple[PlatformKey, ...]


@register(pb.AddPlatformKeyRequest)
@dataclass(frozen=True, slots=True)
class AddPlatformKeyRequest:
    """Believe what a platform signs with this key: DER SubjectPublicKeyInfo."""

    kind: str
    instance: bytes
    public_key: bytes

    def __post_init__(self) -> None:
        at_most("kind", self.kind, MAX_TEXT_CHARS)
        at_most("instance", self.instance, MAX_VALUE_BYTES)
        at_most("public key", self.public_key, 256)


@register(pb.AddPlatformKeyResponse)
@dataclass(frozen=True, slots=True)
class AddPlatformKeyResponse:
    """The key's number."""

    number: int


@register(pb.RemovePlatformKeyRequest)
@dataclass(frozen=True, slots=True)
class RemovePlatformKeyRequest:
    """Believe the key of this number no more; who enrolled by it stays enrolled."""

    number: int

    def __post_init__(self) -> None:
        _row("number", self.number)


@register(pb.RemovePlatformKeyResponse)
@dataclass(frozen=True, slots=True)
class RemovePlatformKeyResponse:
    """It is believed no more."""


@register(pb.AppraisalPolicy)
@dataclass(frozen=True, slots=True)
class AppraisalPolicy:
    """An appraisal policy: its version, the SHA-256 of its text, the text."""

    version: int
    digest: bytes
    set_at: str
    document: bytes


@register(pb.ListPoliciesRequest)
@dataclass(frozen=True, slots=True)
class ListPoliciesRequest:
    """Which appraisal policies were there?"""


@register(pb.ListPoliciesResponse)
@dataclass(frozen=True, slots=True)
class ListPoliciesResponse:
    """Every policy there was; the first is in force."""

    policies: tuple[AppraisalPolicy, ...]


@register(pb.SetPolicyRequest)
@dataclass(frozen=True, slots=True)
class SetPolicyRequest:
    """Put this policy (TOML) in force; versions only grow."""

    document: bytes

    def __post_init__(self) -> None:
        at_most("document", self.document, MAX_DOCUMENT_BYTES)


@register(pb.SetPolicyResponse)
@dataclass(frozen=True, slots=True)
class SetPolicyResponse:
    """What is in force now."""

    version: int
    digest: bytes


@register(pb.ExplainRequest)
@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What would come of this evidence? Nothing is decided by it.

    Under the policy `document`, or the one in force when that is empty; at `at`, or now.
    """

    kind: str
    evidence: bytes
    auxiliary: tuple[Auxiliary, ...] = ()
    document: bytes = b""
    at: str = ""

    def __post_init__(self) -> None:
        at_most("kind", self.kind, MAX_PLATFORM_CHARS)
        at_most("evidence", self.evidence, MAX_EVIDENCE_BYTES)
        at_most("auxiliary", self.auxiliary, MAX_AUXILIARY)
        at_most("document", self.document, MAX_DOCUMENT_BYTES)
        at_most("at", self.at, MAX_TEXT_CHARS)


@register(pb.ExplainResponse)
@dataclass(frozen=True, slots=True)
class ExplainResponse:
    """What is proven and what is not, and every check: the JSON of `tabasco verify`."""

    report: bytes


@register(pb.AuditEntry)
@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit log."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    outcome: str
    hash: bytes


@register(pb.GetAuditHeadRequest)
@dataclass(frozen=True, slots=True)
class GetAuditHeadRequest:
    """Where is the audit log?"""


@register(pb.GetAuditHeadResponse)
@dataclass(frozen=True, slots=True)
class GetAuditHeadResponse:
    """Its newest entry, and that signed by the result key (COSE_Sign1)."""

    number: int
    hash: bytes
    signed: bytes


@register(pb.ListAuditEntriesRequest)
@dataclass(frozen=True, slots=True)
class ListAuditEntriesRequest:
    """The entries after this number, at most `most` (1 to 1000; 0 stands for 100)."""

    after: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        _row("after", self.after)


@register(pb.ListAuditEntriesResponse)
@dataclass(frozen=True, slots=True)
class ListAuditEntriesResponse:
    """Entries in their order."""

    entries: tuple[AuditEntry, ...]


def _row(name: str, number: int) -> None:
    """Refuse what is no number of a row of a database."""
    if number > _MAX_ROW:
        raise WireError(f"{name} is {number}, the limit is {_MAX_ROW}")
