from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("verifier", "public_key", "platforms")
    VERIFIER_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PLATFORMS_FIELD_NUMBER: _ClassVar[int]
    verifier: str
    public_key: bytes
    platforms: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, verifier: _Optional[str] = ..., public_key: _Optional[bytes] = ..., platforms: _Optional[_Iterable[str]] = ...) -> None: ...

class BeginEnrolmentRequest(_message.Message):
    __slots__ = ("platform",)
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    platform: str
    def __init__(self, platform: _Optional[str] = ...) -> None: ...

class BeginEnrolmentResponse(_message.Message):
    __slots__ = ("challenge", "expires_in_s")
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_S_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    expires_in_s: int
    def __init__(self, challenge: _Optional[bytes] = ..., expires_in_s: _Optional[int] = ...) -> None: ...

class CompleteEnrolmentRequest(_message.Message):
    __slots__ = ("challenge", "platform", "evidence", "public_key", "proof_of_possession")
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PROOF_OF_POSSESSION_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    platform: str
    evidence: bytes
    public_key: bytes
    proof_of_possession: bytes
    def __init__(self, challenge: _Optional[bytes] = ..., platform: _Optional[str] = ..., evidence: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., proof_of_possession: _Optional[bytes] = ...) -> None: ...

class CompleteEnrolmentResponse(_message.Message):
    __slots__ = ("instance_id", "expires_in_s")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_S_FIELD_NUMBER: _ClassVar[int]
    instance_id: bytes
    expires_in_s: int
    def __init__(self, instance_id: _Optional[bytes] = ..., expires_in_s: _Optional[int] = ...) -> None: ...

class VerifyTokenRequest(_message.Message):
    __slots__ = ("token", "challenge", "pinned_key", "as_jwt")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    PINNED_KEY_FIELD_NUMBER: _ClassVar[int]
    AS_JWT_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    challenge: bytes
    pinned_key: bytes
    as_jwt: bool
    def __init__(self, token: _Optional[bytes] = ..., challenge: _Optional[bytes] = ..., pinned_key: _Optional[bytes] = ..., as_jwt: _Optional[bool] = ...) -> None: ...

class VerifyTokenResponse(_message.Message):
    __slots__ = ("attestation_result",)
    ATTESTATION_RESULT_FIELD_NUMBER: _ClassVar[int]
    attestation_result: bytes
    def __init__(self, attestation_result: _Optional[bytes] = ...) -> None: ...

class OpenSessionRequest(_message.Message):
    __slots__ = ("kind",)
    KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    def __init__(self, kind: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("nonce", "expires_in_s")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_S_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    expires_in_s: int
    def __init__(self, nonce: _Optional[bytes] = ..., expires_in_s: _Optional[int] = ...) -> None: ...

class Auxiliary(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class SubmitEvidenceRequest(_message.Message):
    __slots__ = ("nonce", "kind", "evidence", "auxiliary", "public_key", "pinned_key", "as_jwt")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    AUXILIARY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PINNED_KEY_FIELD_NUMBER: _ClassVar[int]
    AS_JWT_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    kind: str
    evidence: bytes
    auxiliary: _containers.RepeatedCompositeFieldContainer[Auxiliary]
    public_key: bytes
    pinned_key: bytes
    as_jwt: bool
    def __init__(self, nonce: _Optional[bytes] = ..., kind: _Optional[str] = ..., evidence: _Optional[bytes] = ..., auxiliary: _Optional[_Iterable[_Union[Auxiliary, _Mapping]]] = ..., public_key: _Optional[bytes] = ..., pinned_key: _Optional[bytes] = ..., as_jwt: _Optional[bool] = ...) -> None: ...

class SubmitEvidenceResponse(_message.Message):
    __slots__ = ("attestation_result",)
    ATTESTATION_RESULT_FIELD_NUMBER: _ClassVar[int]
    attestation_result: bytes
    def __init__(self, attestation_result: _Optional[bytes] = ...) -> None: ...

class GetKeySetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetKeySetResponse(_message.Message):
    __slots__ = ("key_set",)
    KEY_SET_FIELD_NUMBER: _ClassVar[int]
    key_set: bytes
    def __init__(self, key_set: _Optional[bytes] = ...) -> None: ...

class TrustAnchor(_message.Message):
    __slots__ = ("name", "public_key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    public_key: bytes
    def __init__(self, name: _Optional[str] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class ListTrustAnchorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTrustAnchorsResponse(_message.Message):
    __slots__ = ("trust_anchors",)
    TRUST_ANCHORS_FIELD_NUMBER: _ClassVar[int]
    trust_anchors: _containers.RepeatedCompositeFieldContainer[TrustAnchor]
    def __init__(self, trust_anchors: _Optional[_Iterable[_Union[TrustAnchor, _Mapping]]] = ...) -> None: ...

class AddTrustAnchorRequest(_message.Message):
    __slots__ = ("name", "public_key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    public_key: bytes
    def __init__(self, name: _Optional[str] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class AddTrustAnchorResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemoveTrustAnchorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RemoveTrustAnchorResponse(_message.Message):
    __slots__ = ("revoked_instances",)
    REVOKED_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    revoked_instances: int
    def __init__(self, revoked_instances: _Optional[int] = ...) -> None: ...

class Instance(_message.Message):
    __slots__ = ("instance_id", "state", "platform", "root", "measurement", "version", "enrolled_at", "expires_at")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    instance_id: bytes
    state: str
    platform: str
    root: str
    measurement: bytes
    version: str
    enrolled_at: str
    expires_at: str
    def __init__(self, instance_id: _Optional[bytes] = ..., state: _Optional[str] = ..., platform: _Optional[str] = ..., root: _Optional[str] = ..., measurement: _Optional[bytes] = ..., version: _Optional[str] = ..., enrolled_at: _Optional[str] = ..., expires_at: _Optional[str] = ...) -> None: ...

class ListInstancesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListInstancesResponse(_message.Message):
    __slots__ = ("instances",)
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[Instance]
    def __init__(self, instances: _Optional[_Iterable[_Union[Instance, _Mapping]]] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("subject", "value", "reason", "revoked_at")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    subject: str
    value: bytes
    reason: str
    revoked_at: str
    def __init__(self, subject: _Optional[str] = ..., value: _Optional[bytes] = ..., reason: _Optional[str] = ..., revoked_at: _Optional[str] = ...) -> None: ...

class ListRevocationsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRevocationsResponse(_message.Message):
    __slots__ = ("revocations",)
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    revocations: _containers.RepeatedCompositeFieldContainer[Revocation]
    def __init__(self, revocations: _Optional[_Iterable[_Union[Revocation, _Mapping]]] = ...) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("subject", "value", "reason")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    subject: str
    value: bytes
    reason: str
    def __init__(self, subject: _Optional[str] = ..., value: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReferenceValue(_message.Message):
    __slots__ = ("number", "kind", "measurement", "value", "label", "provider", "not_before", "not_after")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: str
    measurement: str
    value: bytes
    label: str
    provider: str
    not_before: str
    not_after: str
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[str] = ..., measurement: _Optional[str] = ..., value: _Optional[bytes] = ..., label: _Optional[str] = ..., provider: _Optional[str] = ..., not_before: _Optional[str] = ..., not_after: _Optional[str] = ...) -> None: ...

class ListReferenceValuesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListReferenceValuesResponse(_message.Message):
    __slots__ = ("reference_values",)
    REFERENCE_VALUES_FIELD_NUMBER: _ClassVar[int]
    reference_values: _containers.RepeatedCompositeFieldContainer[ReferenceValue]
    def __init__(self, reference_values: _Optional[_Iterable[_Union[ReferenceValue, _Mapping]]] = ...) -> None: ...

class GetReferenceValueRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class AddReferenceValueRequest(_message.Message):
    __slots__ = ("kind", "measurement", "value", "label", "not_before", "not_after")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
    kind: str
    measurement: str
    value: bytes
    label: str
    not_before: str
    not_after: str
    def __init__(self, kind: _Optional[str] = ..., measurement: _Optional[str] = ..., value: _Optional[bytes] = ..., label: _Optional[str] = ..., not_before: _Optional[str] = ..., not_after: _Optional[str] = ...) -> None: ...

class AddReferenceValueResponse(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class RemoveReferenceValueRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class RemoveReferenceValueResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ImportBundleRequest(_message.Message):
    __slots__ = ("bundle",)
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    bundle: bytes
    def __init__(self, bundle: _Optional[bytes] = ...) -> None: ...

class ImportBundleResponse(_message.Message):
    __slots__ = ("provider", "version", "values")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    provider: str
    version: int
    values: int
    def __init__(self, provider: _Optional[str] = ..., version: _Optional[int] = ..., values: _Optional[int] = ...) -> None: ...

class Provider(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ListProvidersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProvidersResponse(_message.Message):
    __slots__ = ("providers",)
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedCompositeFieldContainer[Provider]
    def __init__(self, providers: _Optional[_Iterable[_Union[Provider, _Mapping]]] = ...) -> None: ...

class PlatformKey(_message.Message):
    __slots__ = ("number", "kind", "instance", "public_key", "provider")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: str
    instance: bytes
    public_key: bytes
    provider: str
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[str] = ..., instance: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., provider: _Optional[str] = ...) -> None: ...

class ListPlatformKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPlatformKeysResponse(_message.Message):
    __slots__ = ("platform_keys",)
    PLATFORM_KEYS_FIELD_NUMBER: _ClassVar[int]
    platform_keys: _containers.RepeatedCompositeFieldContainer[PlatformKey]
    def __init__(self, platform_keys: _Optional[_Iterable[_Union[PlatformKey, _Mapping]]] = ...) -> None: ...

class AddPlatformKeyRequest(_message.Message):
    __slots__ = ("kind", "instance", "public_key")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    instance: bytes
    public_key: bytes
    def __init__(self, kind: _Optional[str] = ..., instance: _Optional[bytes] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class AddPlatformKeyResponse(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class RemovePlatformKeyRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class RemovePlatformKeyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AppraisalPolicy(_message.Message):
    __slots__ = ("version", "digest", "set_at", "document")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SET_AT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    digest: bytes
    set_at: str
    document: bytes
    def __init__(self, version: _Optional[int] = ..., digest: _Optional[bytes] = ..., set_at: _Optional[str] = ..., document: _Optional[bytes] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies",)
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[AppraisalPolicy]
    def __init__(self, policies: _Optional[_Iterable[_Union[AppraisalPolicy, _Mapping]]] = ...) -> None: ...

class SetPolicyRequest(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    def __init__(self, document: _Optional[bytes] = ...) -> None: ...

class SetPolicyResponse(_message.Message):
    __slots__ = ("version", "digest")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    version: int
    digest: bytes
    def __init__(self, version: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("kind", "evidence", "auxiliary", "document", "at")
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    AUXILIARY_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    evidence: bytes
    auxiliary: _containers.RepeatedCompositeFieldContainer[Auxiliary]
    document: bytes
    at: str
    def __init__(self, kind: _Optional[str] = ..., evidence: _Optional[bytes] = ..., auxiliary: _Optional[_Iterable[_Union[Auxiliary, _Mapping]]] = ..., document: _Optional[bytes] = ..., at: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: bytes
    def __init__(self, report: _Optional[bytes] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("number", "at", "actor", "action", "subject", "outcome", "hash")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    number: int
    at: str
    actor: str
    action: str
    subject: str
    outcome: str
    hash: bytes
    def __init__(self, number: _Optional[int] = ..., at: _Optional[str] = ..., actor: _Optional[str] = ..., action: _Optional[str] = ..., subject: _Optional[str] = ..., outcome: _Optional[str] = ..., hash: _Optional[bytes] = ...) -> None: ...

class GetAuditHeadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAuditHeadResponse(_message.Message):
    __slots__ = ("number", "hash", "signed")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    number: int
    hash: bytes
    signed: bytes
    def __init__(self, number: _Optional[int] = ..., hash: _Optional[bytes] = ..., signed: _Optional[bytes] = ...) -> None: ...

class ListAuditEntriesRequest(_message.Message):
    __slots__ = ("after", "most")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    after: int
    most: int
    def __init__(self, after: _Optional[int] = ..., most: _Optional[int] = ...) -> None: ...

class ListAuditEntriesResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ...) -> None: ...
