from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    SUCCESS: _ClassVar[Status]
    FAILED_INVALID_ROLE: _ClassVar[Status]
    FAILED_NOT_READY: _ClassVar[Status]
    FAILED_GENERIC: _ClassVar[Status]
    FAILED_VM_ERROR: _ClassVar[Status]
    FAILED_ERROR_CODE_RETURNED: _ClassVar[Status]
    FAILED_INVALID_REQUEST: _ClassVar[Status]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    WRONG_ROLE: _ClassVar[Reason]
    WRONG_STATE: _ClassVar[Reason]
    BUSY: _ClassVar[Reason]
    WRONG_PROGRAM: _ClassVar[Reason]
    PROGRAM_REFUSED: _ClassVar[Reason]
    DUPLICATE_PACKAGE: _ClassVar[Reason]
    NOT_EXPECTED: _ClassVar[Reason]
    TOO_LARGE: _ClassVar[Reason]
    BAD_REQUEST: _ClassVar[Reason]
    TRAPPED: _ClassVar[Reason]
    LIMIT_REACHED: _ClassVar[Reason]
    GUEST_LOST: _ClassVar[Reason]
    ERROR_CODE_RETURNED: _ClassVar[Reason]
    SHUT_DOWN: _ClassVar[Reason]
    EXPIRED: _ClassVar[Reason]
    STALLED: _ClassVar[Reason]
    FLOODED: _ClassVar[Reason]

class ContentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTENT_KIND_UNSPECIFIED: _ClassVar[ContentKind]
    PROGRAM: _ClassVar[ContentKind]
    DATA: _ClassVar[ContentKind]
    STREAM: _ClassVar[ContentKind]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INITIAL: _ClassVar[State]
    DATA_SOURCES_LOADING: _ClassVar[State]
    STREAM_SOURCES_LOADING: _ClassVar[State]
    READY_TO_EXECUTE: _ClassVar[State]
    FINISHED_EXECUTING: _ClassVar[State]
    ERROR: _ClassVar[State]
STATUS_UNSPECIFIED: Status
SUCCESS: Status
FAILED_INVALID_ROLE: Status
FAILED_NOT_READY: Status
FAILED_GENERIC: Status
FAILED_VM_ERROR: Status
FAILED_ERROR_CODE_RETURNED: Status
FAILED_INVALID_REQUEST: Status
REASON_UNSPECIFIED: Reason
WRONG_ROLE: Reason
WRONG_STATE: Reason
BUSY: Reason
WRONG_PROGRAM: Reason
PROGRAM_REFUSED: Reason
DUPLICATE_PACKAGE: Reason
NOT_EXPECTED: Reason
TOO_LARGE: Reason
BAD_REQUEST: Reason
TRAPPED: Reason
LIMIT_REACHED: Reason
GUEST_LOST: Reason
ERROR_CODE_RETURNED: Reason
SHUT_DOWN: Reason
EXPIRED: Reason
STALLED: Reason
FLOODED: Reason
CONTENT_KIND_UNSPECIFIED: ContentKind
PROGRAM: ContentKind
DATA: ContentKind
STREAM: ContentKind
INITIAL: State
DATA_SOURCES_LOADING: State
STREAM_SOURCES_LOADING: State
READY_TO_EXECUTE: State
FINISHED_EXECUTING: State
ERROR: State

class Upload(_message.Message):
    __slots__ = ("kind", "package_id", "size")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    kind: ContentKind
    package_id: int
    size: int
    def __init__(self, kind: _Optional[_Union[ContentKind, str]] = ..., package_id: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class GetResult(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NextRound(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Shutdown(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetState(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPolicyDigest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetProgramDigest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetFailureReport(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Request(_message.Message):
    __slots__ = ("upload", "get_result", "next_round", "shutdown", "get_state", "get_policy_digest", "get_program_digest", "get_failure_report")
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    GET_RESULT_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROUND_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_FIELD_NUMBER: _ClassVar[int]
    GET_STATE_FIELD_NUMBER: _ClassVar[int]
    GET_POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GET_PROGRAM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GET_FAILURE_REPORT_FIELD_NUMBER: _ClassVar[int]
    upload: Upload
    get_result: GetResult
    next_round: NextRound
    shutdown: Shutdown
    get_state: GetState
    get_policy_digest: GetPolicyDigest
    get_program_digest: GetProgramDigest
    get_failure_report: GetFailureReport
    def __init__(self, upload: _Optional[_Union[Upload, _Mapping]] = ..., get_result: _Optional[_Union[GetResult, _Mapping]] = ..., next_round: _Optional[_Union[NextRound, _Mapping]] = ..., shutdown: _Optional[_Union[Shutdown, _Mapping]] = ..., get_state: _Optional[_Union[GetState, _Mapping]] = ..., get_policy_digest: _Optional[_Union[GetPolicyDigest, _Mapping]] = ..., get_program_digest: _Optional[_Union[GetProgramDigest, _Mapping]] = ..., get_failure_report: _Optional[_Union[GetFailureReport, _Mapping]] = ...) -> None: ...

class Proceed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Done(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("salt", "commitment")
    SALT_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    commitment: bytes
    def __init__(self, salt: _Optional[bytes] = ..., commitment: _Optional[bytes] = ...) -> None: ...

class StateIs(_message.Message):
    __slots__ = ("state", "round", "running")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    state: State
    round: int
    running: bool
    def __init__(self, state: _Optional[_Union[State, str]] = ..., round: _Optional[int] = ..., running: _Optional[bool] = ...) -> None: ...

class DigestIs(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("present", "size", "receipt")
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    present: bool
    size: int
    receipt: bytes
    def __init__(self, present: _Optional[bool] = ..., size: _Optional[int] = ..., receipt: _Optional[bytes] = ...) -> None: ...

class ProgramFailed(_message.Message):
    __slots__ = ("return_code", "receipt")
    RETURN_CODE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    return_code: int
    receipt: bytes
    def __init__(self, return_code: _Optional[int] = ..., receipt: _Optional[bytes] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("status", "reason", "found", "expected")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    status: Status
    reason: Reason
    found: str
    expected: str
    def __init__(self, status: _Optional[_Union[Status, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., found: _Optional[str] = ..., expected: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("function", "offset", "name")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    function: int
    offset: int
    name: str
    def __init__(self, function: _Optional[int] = ..., offset: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class FailureReport(_message.Message):
    __slots__ = ("failure", "frames", "message")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    failure: str
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    message: str
    def __init__(self, failure: _Optional[str] = ..., frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ..., message: _Optional[str] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("proceed", "done", "accepted", "state", "digest", "result", "program_failed", "refused", "failure_report")
    PROCEED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FAILED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REPORT_FIELD_NUMBER: _ClassVar[int]
    proceed: Proceed
    done: Done
    accepted: Accepted
    state: StateIs
    digest: DigestIs
    result: Result
    program_failed: ProgramFailed
    refused: Refused
    failure_report: FailureReport
    def __init__(self, proceed: _Optional[_Union[Proceed, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., state: _Optional[_Union[StateIs, _Mapping]] = ..., digest: _Optional[_Union[DigestIs, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., program_failed: _Optional[_Union[ProgramFailed, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., failure_report: _Optional[_Union[FailureReport, _Mapping]] = ...) -> None: ...
