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

class RequestCredentialRequest(_message.Message):
    __slots__ = ("challenge", "platform", "certificate", "authorities", "key_area")
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    KEY_AREA_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    platform: str
    certificate: bytes
    authorities: bytes
    key_area: bytes
    def __init__(self, challenge: _Optional[bytes] = ..., platform: _Optional[str] = ..., certificate: _Optional[bytes] = ..., authorities: _Optional[bytes] = ..., key_area: _Optional[bytes] = ...) -> None: ...

class RequestCredentialResponse(_message.Message):
    __slots__ = ("credential", "encrypted_secret")
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTED_SECRET_FIELD_NUMBER: _ClassVar[int]
    credential: bytes
    encrypted_secret: bytes
    def __init__(self, credential: _Optional[bytes] = ..., encrypted_secret: _Optional[bytes] = ...) -> None: ...

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
