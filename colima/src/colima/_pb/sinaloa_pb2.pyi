from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BulkStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPENED: _ClassVar[BulkStatus]
    BUSY: _ClassVar[BulkStatus]
    ENDING: _ClassVar[BulkStatus]
    REFUSED: _ClassVar[BulkStatus]
OPENED: BulkStatus
BUSY: BulkStatus
ENDING: BulkStatus
REFUSED: BulkStatus

class AttestRequest(_message.Message):
    __slots__ = ("challenge",)
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    def __init__(self, challenge: _Optional[bytes] = ...) -> None: ...

class AttestResponse(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    def __init__(self, token: _Optional[bytes] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("policy_digest", "platform")
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    policy_digest: bytes
    platform: str
    def __init__(self, policy_digest: _Optional[bytes] = ..., platform: _Optional[str] = ...) -> None: ...

class BulkPortRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BulkPortResponse(_message.Message):
    __slots__ = ("port",)
    PORT_FIELD_NUMBER: _ClassVar[int]
    port: int
    def __init__(self, port: _Optional[int] = ...) -> None: ...

class OpenBulk(_message.Message):
    __slots__ = ("version", "policy_digest", "traceparent")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    policy_digest: bytes
    traceparent: str
    def __init__(self, version: _Optional[int] = ..., policy_digest: _Optional[bytes] = ..., traceparent: _Optional[str] = ...) -> None: ...

class BulkAnswer(_message.Message):
    __slots__ = ("status", "reason")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    status: BulkStatus
    reason: str
    def __init__(self, status: _Optional[_Union[BulkStatus, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Bytes(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...
