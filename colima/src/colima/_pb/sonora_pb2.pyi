from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ending(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENDING_UNSPECIFIED: _ClassVar[Ending]
    QUORUM: _ClassVar[Ending]
    FAILURE: _ClassVar[Ending]
    EXPIRED: _ClassVar[Ending]
    IDLE: _ClassVar[Ending]
ENDING_UNSPECIFIED: Ending
QUORUM: Ending
FAILURE: Ending
EXPIRED: Ending
IDLE: Ending

class Launch(_message.Message):
    __slots__ = ("policy", "traceparent")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    policy: bytes
    traceparent: str
    def __init__(self, policy: _Optional[bytes] = ..., traceparent: _Optional[str] = ...) -> None: ...

class MintToken(_message.Message):
    __slots__ = ("challenge", "traceparent")
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    traceparent: str
    def __init__(self, challenge: _Optional[bytes] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToSonora(_message.Message):
    __slots__ = ("launch", "mint_token", "release")
    LAUNCH_FIELD_NUMBER: _ClassVar[int]
    MINT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    launch: Launch
    mint_token: MintToken
    release: Release
    def __init__(self, launch: _Optional[_Union[Launch, _Mapping]] = ..., mint_token: _Optional[_Union[MintToken, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ...) -> None: ...

class Launched(_message.Message):
    __slots__ = ("isolate_id", "platform", "measurement", "policy_digest", "certificate_digest", "found_again")
    ISOLATE_ID_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FOUND_AGAIN_FIELD_NUMBER: _ClassVar[int]
    isolate_id: int
    platform: str
    measurement: bytes
    policy_digest: bytes
    certificate_digest: bytes
    found_again: bool
    def __init__(self, isolate_id: _Optional[int] = ..., platform: _Optional[str] = ..., measurement: _Optional[bytes] = ..., policy_digest: _Optional[bytes] = ..., certificate_digest: _Optional[bytes] = ..., found_again: _Optional[bool] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    def __init__(self, token: _Optional[bytes] = ...) -> None: ...

class Failed(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Ended(_message.Message):
    __slots__ = ("ending",)
    ENDING_FIELD_NUMBER: _ClassVar[int]
    ending: Ending
    def __init__(self, ending: _Optional[_Union[Ending, str]] = ...) -> None: ...

class FromSonora(_message.Message):
    __slots__ = ("launched", "token", "failed", "ended")
    LAUNCHED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    launched: Launched
    token: Token
    failed: Failed
    ended: Ended
    def __init__(self, launched: _Optional[_Union[Launched, _Mapping]] = ..., token: _Optional[_Union[Token, _Mapping]] = ..., failed: _Optional[_Union[Failed, _Mapping]] = ..., ended: _Optional[_Union[Ended, _Mapping]] = ...) -> None: ...
