from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Spawn(_message.Message):
    __slots__ = ("isolate_id", "policy", "core_size")
    ISOLATE_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CORE_SIZE_FIELD_NUMBER: _ClassVar[int]
    isolate_id: int
    policy: bytes
    core_size: int
    def __init__(self, isolate_id: _Optional[int] = ..., policy: _Optional[bytes] = ..., core_size: _Optional[int] = ...) -> None: ...

class ZygoteReady(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Spawned(_message.Message):
    __slots__ = ("isolate_id",)
    ISOLATE_ID_FIELD_NUMBER: _ClassVar[int]
    isolate_id: int
    def __init__(self, isolate_id: _Optional[int] = ...) -> None: ...

class SpawnFailed(_message.Message):
    __slots__ = ("isolate_id", "reason")
    ISOLATE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    isolate_id: int
    reason: str
    def __init__(self, isolate_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Exited(_message.Message):
    __slots__ = ("isolate_id", "exit_code")
    ISOLATE_ID_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    isolate_id: int
    exit_code: int
    def __init__(self, isolate_id: _Optional[int] = ..., exit_code: _Optional[int] = ...) -> None: ...

class FromZygote(_message.Message):
    __slots__ = ("ready", "spawned", "failed", "exited")
    READY_FIELD_NUMBER: _ClassVar[int]
    SPAWNED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    EXITED_FIELD_NUMBER: _ClassVar[int]
    ready: ZygoteReady
    spawned: Spawned
    failed: SpawnFailed
    exited: Exited
    def __init__(self, ready: _Optional[_Union[ZygoteReady, _Mapping]] = ..., spawned: _Optional[_Union[Spawned, _Mapping]] = ..., failed: _Optional[_Union[SpawnFailed, _Mapping]] = ..., exited: _Optional[_Union[Exited, _Mapping]] = ...) -> None: ...

class RuntimeReady(_message.Message):
    __slots__ = ("certificate_digest", "policy_digest", "code_name", "layers", "engine_name")
    CERTIFICATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CODE_NAME_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_NAME_FIELD_NUMBER: _ClassVar[int]
    certificate_digest: bytes
    policy_digest: bytes
    code_name: bytes
    layers: _containers.RepeatedScalarFieldContainer[str]
    engine_name: bytes
    def __init__(self, certificate_digest: _Optional[bytes] = ..., policy_digest: _Optional[bytes] = ..., code_name: _Optional[bytes] = ..., layers: _Optional[_Iterable[str]] = ..., engine_name: _Optional[bytes] = ...) -> None: ...

class RuntimeRefused(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class CodeMade(_message.Message):
    __slots__ = ("tag", "size")
    TAG_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    tag: bytes
    size: int
    def __init__(self, tag: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class CoreSeen(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...

class LocalAnswer(_message.Message):
    __slots__ = ("certificate", "proof")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    proof: bytes
    def __init__(self, certificate: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...

class FromRuntime(_message.Message):
    __slots__ = ("ready", "refused", "code_made", "answer", "core_seen")
    READY_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CODE_MADE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CORE_SEEN_FIELD_NUMBER: _ClassVar[int]
    ready: RuntimeReady
    refused: RuntimeRefused
    code_made: CodeMade
    answer: LocalAnswer
    core_seen: CoreSeen
    def __init__(self, ready: _Optional[_Union[RuntimeReady, _Mapping]] = ..., refused: _Optional[_Union[RuntimeRefused, _Mapping]] = ..., code_made: _Optional[_Union[CodeMade, _Mapping]] = ..., answer: _Optional[_Union[LocalAnswer, _Mapping]] = ..., core_seen: _Optional[_Union[CoreSeen, _Mapping]] = ...) -> None: ...

class LetIn(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: int
    def __init__(self, session: _Optional[int] = ...) -> None: ...

class LocalChallenge(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    def __init__(self, nonce: _Optional[bytes] = ...) -> None: ...

class CodeOffer(_message.Message):
    __slots__ = ("key", "tag", "size")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    tag: bytes
    size: int
    def __init__(self, key: _Optional[bytes] = ..., tag: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class ToRuntime(_message.Message):
    __slots__ = ("code_offer", "challenge")
    CODE_OFFER_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    code_offer: CodeOffer
    challenge: LocalChallenge
    def __init__(self, code_offer: _Optional[_Union[CodeOffer, _Mapping]] = ..., challenge: _Optional[_Union[LocalChallenge, _Mapping]] = ...) -> None: ...

class ForkGuest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EndGuest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToKeeper(_message.Message):
    __slots__ = ("fork", "end")
    FORK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    fork: ForkGuest
    end: EndGuest
    def __init__(self, fork: _Optional[_Union[ForkGuest, _Mapping]] = ..., end: _Optional[_Union[EndGuest, _Mapping]] = ...) -> None: ...

class GuestForked(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GuestEnded(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: int
    def __init__(self, status: _Optional[int] = ...) -> None: ...

class FromKeeper(_message.Message):
    __slots__ = ("forked", "ended")
    FORKED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    forked: GuestForked
    ended: GuestEnded
    def __init__(self, forked: _Optional[_Union[GuestForked, _Mapping]] = ..., ended: _Optional[_Union[GuestEnded, _Mapping]] = ...) -> None: ...

class Load(_message.Message):
    __slots__ = ("size", "code_size")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CODE_SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    code_size: int
    def __init__(self, size: _Optional[int] = ..., code_size: _Optional[int] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("inputs", "streams", "has_previous", "previous", "seed")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    HAS_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    inputs: _containers.RepeatedScalarFieldContainer[int]
    streams: _containers.RepeatedScalarFieldContainer[int]
    has_previous: bool
    previous: int
    seed: bytes
    def __init__(self, inputs: _Optional[_Iterable[int]] = ..., streams: _Optional[_Iterable[int]] = ..., has_previous: _Optional[bool] = ..., previous: _Optional[int] = ..., seed: _Optional[bytes] = ...) -> None: ...

class ToGuest(_message.Message):
    __slots__ = ("load", "run")
    LOAD_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    load: Load
    run: Run
    def __init__(self, load: _Optional[_Union[Load, _Mapping]] = ..., run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class Loaded(_message.Message):
    __slots__ = ("code_size",)
    CODE_SIZE_FIELD_NUMBER: _ClassVar[int]
    code_size: int
    def __init__(self, code_size: _Optional[int] = ...) -> None: ...

class LoadRefused(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    def __init__(self, code: _Optional[str] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("return_code", "wrote_output", "output_size", "run_ms", "fuel", "message")
    RETURN_CODE_FIELD_NUMBER: _ClassVar[int]
    WROTE_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SIZE_FIELD_NUMBER: _ClassVar[int]
    RUN_MS_FIELD_NUMBER: _ClassVar[int]
    FUEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    return_code: int
    wrote_output: bool
    output_size: int
    run_ms: int
    fuel: int
    message: str
    def __init__(self, return_code: _Optional[int] = ..., wrote_output: _Optional[bool] = ..., output_size: _Optional[int] = ..., run_ms: _Optional[int] = ..., fuel: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("function", "offset", "name")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    function: int
    offset: int
    name: str
    def __init__(self, function: _Optional[int] = ..., offset: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class Trapped(_message.Message):
    __slots__ = ("code", "frames", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    message: str
    def __init__(self, code: _Optional[str] = ..., frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ..., message: _Optional[str] = ...) -> None: ...

class LimitReached(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class FromGuest(_message.Message):
    __slots__ = ("loaded", "load_refused", "finished", "trapped", "limit_reached")
    LOADED_FIELD_NUMBER: _ClassVar[int]
    LOAD_REFUSED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    TRAPPED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_REACHED_FIELD_NUMBER: _ClassVar[int]
    loaded: Loaded
    load_refused: LoadRefused
    finished: Finished
    trapped: Trapped
    limit_reached: LimitReached
    def __init__(self, loaded: _Optional[_Union[Loaded, _Mapping]] = ..., load_refused: _Optional[_Union[LoadRefused, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., trapped: _Optional[_Union[Trapped, _Mapping]] = ..., limit_reached: _Optional[_Union[LimitReached, _Mapping]] = ...) -> None: ...
