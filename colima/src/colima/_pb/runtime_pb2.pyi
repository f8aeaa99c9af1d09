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
    WITHHELD: _ClassVar[Reason]
    CONSENT_MISSING: _ClassVar[Reason]
    BUDGET_SPENT: _ClassVar[Reason]
    ROUNDS_USED: _ClassVar[Reason]
    RESULTS_USED: _ClassVar[Reason]
    ATTEMPTS_USED: _ClassVar[Reason]
    WRONG_CONTENT: _ClassVar[Reason]
    TOO_FEW_CONTRIBUTORS: _ClassVar[Reason]

class Failure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_NONE: _ClassVar[Failure]
    FAILURE_TRAPPED: _ClassVar[Failure]
    FAILURE_LIMIT_REACHED: _ClassVar[Failure]
    FAILURE_GUEST_LOST: _ClassVar[Failure]
    FAILURE_ERROR_CODE: _ClassVar[Failure]
    FAILURE_WITHHELD: _ClassVar[Failure]
    FAILURE_PROGRAM_REFUSED: _ClassVar[Failure]

class Filling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MISSING: _ClassVar[Filling]
    ARRIVING: _ClassVar[Filling]
    FILLED: _ClassVar[Filling]

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
WITHHELD: Reason
CONSENT_MISSING: Reason
BUDGET_SPENT: Reason
ROUNDS_USED: Reason
RESULTS_USED: Reason
ATTEMPTS_USED: Reason
WRONG_CONTENT: Reason
TOO_FEW_CONTRIBUTORS: Reason
FAILURE_NONE: Failure
FAILURE_TRAPPED: Failure
FAILURE_LIMIT_REACHED: Failure
FAILURE_GUEST_LOST: Failure
FAILURE_ERROR_CODE: Failure
FAILURE_WITHHELD: Failure
FAILURE_PROGRAM_REFUSED: Failure
MISSING: Filling
ARRIVING: Filling
FILLED: Filling
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
    __slots__ = ("kind", "package_id", "size", "digest", "replace")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    kind: ContentKind
    package_id: int
    size: int
    digest: bytes
    replace: bool
    def __init__(self, kind: _Optional[_Union[ContentKind, str]] = ..., package_id: _Optional[int] = ..., size: _Optional[int] = ..., digest: _Optional[bytes] = ..., replace: _Optional[bool] = ...) -> None: ...

class Withdraw(_message.Message):
    __slots__ = ("kind", "package_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_ID_FIELD_NUMBER: _ClassVar[int]
    kind: ContentKind
    package_id: int
    def __init__(self, kind: _Optional[_Union[ContentKind, str]] = ..., package_id: _Optional[int] = ...) -> None: ...

class GetResult(_message.Message):
    __slots__ = ("offset", "retry")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    offset: int
    retry: bool
    def __init__(self, offset: _Optional[int] = ..., retry: _Optional[bool] = ...) -> None: ...

class GetReceipt(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class Consent(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: bytes
    def __init__(self, signature: _Optional[bytes] = ...) -> None: ...

class Revoke(_message.Message):
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
    __slots__ = ("upload", "get_result", "next_round", "shutdown", "get_state", "get_policy_digest", "get_program_digest", "get_failure_report", "withdraw", "get_receipt", "consent", "revoke")
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    GET_RESULT_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROUND_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_FIELD_NUMBER: _ClassVar[int]
    GET_STATE_FIELD_NUMBER: _ClassVar[int]
    GET_POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GET_PROGRAM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GET_FAILURE_REPORT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    GET_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    upload: Upload
    get_result: GetResult
    next_round: NextRound
    shutdown: Shutdown
    get_state: GetState
    get_policy_digest: GetPolicyDigest
    get_program_digest: GetProgramDigest
    get_failure_report: GetFailureReport
    withdraw: Withdraw
    get_receipt: GetReceipt
    consent: Consent
    revoke: Revoke
    def __init__(self, upload: _Optional[_Union[Upload, _Mapping]] = ..., get_result: _Optional[_Union[GetResult, _Mapping]] = ..., next_round: _Optional[_Union[NextRound, _Mapping]] = ..., shutdown: _Optional[_Union[Shutdown, _Mapping]] = ..., get_state: _Optional[_Union[GetState, _Mapping]] = ..., get_policy_digest: _Optional[_Union[GetPolicyDigest, _Mapping]] = ..., get_program_digest: _Optional[_Union[GetProgramDigest, _Mapping]] = ..., get_failure_report: _Optional[_Union[GetFailureReport, _Mapping]] = ..., withdraw: _Optional[_Union[Withdraw, _Mapping]] = ..., get_receipt: _Optional[_Union[GetReceipt, _Mapping]] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ..., revoke: _Optional[_Union[Revoke, _Mapping]] = ...) -> None: ...

class Proceed(_message.Message):
    __slots__ = ("offset",)
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    offset: int
    def __init__(self, offset: _Optional[int] = ...) -> None: ...

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

class InputPlace(_message.Message):
    __slots__ = ("kind", "index", "client_id", "filling", "package_id", "size", "since")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    FILLING_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    kind: ContentKind
    index: int
    client_id: int
    filling: Filling
    package_id: int
    size: int
    since: int
    def __init__(self, kind: _Optional[_Union[ContentKind, str]] = ..., index: _Optional[int] = ..., client_id: _Optional[int] = ..., filling: _Optional[_Union[Filling, str]] = ..., package_id: _Optional[int] = ..., size: _Optional[int] = ..., since: _Optional[int] = ...) -> None: ...

class StateIs(_message.Message):
    __slots__ = ("state", "round", "running", "attempt", "failure", "places", "shutdown_awaited", "round_awaited", "consent_awaited", "receipts")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_AWAITED_FIELD_NUMBER: _ClassVar[int]
    ROUND_AWAITED_FIELD_NUMBER: _ClassVar[int]
    CONSENT_AWAITED_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    state: State
    round: int
    running: bool
    attempt: int
    failure: Failure
    places: _containers.RepeatedCompositeFieldContainer[InputPlace]
    shutdown_awaited: _containers.RepeatedScalarFieldContainer[int]
    round_awaited: _containers.RepeatedScalarFieldContainer[int]
    consent_awaited: _containers.RepeatedScalarFieldContainer[int]
    receipts: int
    def __init__(self, state: _Optional[_Union[State, str]] = ..., round: _Optional[int] = ..., running: _Optional[bool] = ..., attempt: _Optional[int] = ..., failure: _Optional[_Union[Failure, str]] = ..., places: _Optional[_Iterable[_Union[InputPlace, _Mapping]]] = ..., shutdown_awaited: _Optional[_Iterable[int]] = ..., round_awaited: _Optional[_Iterable[int]] = ..., consent_awaited: _Optional[_Iterable[int]] = ..., receipts: _Optional[int] = ...) -> None: ...

class Awaited(_message.Message):
    __slots__ = ("clients",)
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    clients: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, clients: _Optional[_Iterable[int]] = ...) -> None: ...

class ReceiptIs(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    def __init__(self, receipt: _Optional[bytes] = ...) -> None: ...

class DigestIs(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("present", "size", "receipt", "offset")
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    present: bool
    size: int
    receipt: bytes
    offset: int
    def __init__(self, present: _Optional[bool] = ..., size: _Optional[int] = ..., receipt: _Optional[bytes] = ..., offset: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("proceed", "done", "accepted", "state", "digest", "result", "program_failed", "refused", "failure_report", "awaited", "receipt")
    PROCEED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FAILED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REPORT_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    proceed: Proceed
    done: Done
    accepted: Accepted
    state: StateIs
    digest: DigestIs
    result: Result
    program_failed: ProgramFailed
    refused: Refused
    failure_report: FailureReport
    awaited: Awaited
    receipt: ReceiptIs
    def __init__(self, proceed: _Optional[_Union[Proceed, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., state: _Optional[_Union[StateIs, _Mapping]] = ..., digest: _Optional[_Union[DigestIs, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., program_failed: _Optional[_Union[ProgramFailed, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., failure_report: _Optional[_Union[FailureReport, _Mapping]] = ..., awaited: _Optional[_Union[Awaited, _Mapping]] = ..., receipt: _Optional[_Union[ReceiptIs, _Mapping]] = ...) -> None: ...
