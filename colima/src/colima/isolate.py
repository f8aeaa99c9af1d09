"""Messages inside the root attestation isolate and inside an isolate, in frames on socket pairs.

Sonora's service to its zygote: `Spawn`; back: `ZygoteReady`, `Spawned`, `SpawnFailed`, `Exited`.
The runtime to Sonora: `RuntimeReady` or `RuntimeRefused`, once; back: `CodeOffer`, once; then the
runtime `CodeMade`, if it compiled.
The front process to the guest process: `Load`, `Run`; back: one of `FromGuest` for each.
Where a docstring says that descriptors follow, each comes with a byte of its own (`send_fds`).
"""

from dataclasses import dataclass, field
from typing import Final

from colima._pb import isolate_pb2 as pb
from colima.codec import Envelope, at_most, exactly, register
from colima.runtime import MAX_FRAMES, MAX_MESSAGE_CHARS, MAX_NAME_CHARS

MAX_FRAME_BYTES: Final = 2 * 1024 * 1024


@register(pb.Spawn)
@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork an isolate for this policy; its control socket and its private channel follow."""

    isolate_id: int
    policy: bytes


@register(pb.MeasuredFile)
@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """A file that executes in the runtime: its name there and its SHA-256 (32 bytes)."""

    name: str
    digest: bytes

    def __post_init__(self) -> None:
        exactly("digest", self.digest, 32)


@register(pb.ZygoteReady)
@dataclass(frozen=True, slots=True)
class ZygoteReady:
    """The runtime is loaded; `measurement` (32 bytes) is over `files`."""

    measurement: bytes
    files: tuple[MeasuredFile, ...]

    def __post_init__(self) -> None:
        exactly("measurement", self.measurement, 32)


@register(pb.Spawned)
@dataclass(frozen=True, slots=True)
class Spawned:
    """The isolate's front process runs under this process id."""

    isolate_id: int
    process_id: int


@register(pb.SpawnFailed)
@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """There is no isolate; `reason` is one line for people."""

    isolate_id: int
    reason: str

    def __post_init__(self) -> None:
        at_most("reason", self.reason, 512)


@register(pb.Exited)
@dataclass(frozen=True, slots=True)
class Exited:
    """The isolate's front process ended; negative codes are signals."""

    isolate_id: int
    exit_code: int


FromZygote = ZygoteReady | Spawned | SpawnFailed | Exited
FROM_ZYGOTE: Final[Envelope[FromZygote]] = Envelope(
    pb.FromZygote,
    "message",
    {"ready": ZygoteReady, "spawned": Spawned, "failed": SpawnFailed, "exited": Exited},
)


@register(pb.RuntimeReady)
@dataclass(frozen=True, slots=True)
class RuntimeReady:
    """The runtime made its key inside and holds this policy (SHA-256 digests, 32 bytes).

    `code_name` (32 bytes) stands for the compiled code it can use: program, engine and settings.
    """

    certificate_digest: bytes
    policy_digest: bytes
    code_name: bytes

    def __post_init__(self) -> None:
        exactly("certificate digest", self.certificate_digest, 32)
        exactly("policy digest", self.policy_digest, 32)
        exactly("code name", self.code_name, 32)


@register(pb.RuntimeRefused)
@dataclass(frozen=True, slots=True)
class RuntimeRefused:
    """The runtime will not serve this policy; `reason` is one line for people."""

    reason: str

    def __post_init__(self) -> None:
        at_most("reason", self.reason, 512)


@register(pb.CodeMade)
@dataclass(frozen=True, slots=True)
class CodeMade:
    """The runtime compiled its program: `size` bytes of code; a sealed file's descriptor follows.

    `tag` (32 bytes) authenticates the code under the key of `CodeOffer`.
    """

    tag: bytes
    size: int

    def __post_init__(self) -> None:
        exactly("tag", self.tag, 32)


FromRuntime = RuntimeReady | RuntimeRefused | CodeMade
FROM_RUNTIME: Final[Envelope[FromRuntime]] = Envelope(
    pb.FromRuntime,
    "message",
    {"ready": RuntimeReady, "refused": RuntimeRefused, "code_made": CodeMade},
)


@register(pb.CodeOffer)
@dataclass(frozen=True, slots=True)
class CodeOffer:
    """What authenticates compiled code of this runtime's program, and what there is of it.

    `key` (32 bytes) is for the front process alone. When `size` is not 0, the descriptor of that
    many bytes of code follows, and `tag` (32 bytes) is what a front process said of them.
    """

    key: bytes = field(repr=False)
    tag: bytes
    size: int

    def __post_init__(self) -> None:
        exactly("key", self.key, 32)
        exactly("tag", self.tag, 32 if self.size else 0)


TO_RUNTIME: Final[Envelope[CodeOffer]] = Envelope(
    pb.ToRuntime, "message", {"code_offer": CodeOffer}
)


@register(pb.Load)
@dataclass(frozen=True, slots=True)
class Load:
    """Check and compile a module of `size` bytes; its descriptor follows, then one for the code.

    That one is of `code_size` bytes of compiled code, to be used instead of compiling; or, if that
    is 0, of an empty file that takes the code when it has been compiled.
    """

    size: int
    code_size: int


@register(pb.Run)
@dataclass(frozen=True, slots=True)
class Run:
    """Run the program once over inputs, streams and previous result of these sizes in bytes.

    A descriptor each follows in that order, then one of an empty file that takes the output.
    """

    inputs: tuple[int, ...]
    streams: tuple[int, ...]
    has_previous: bool
    previous: int


ToGuest = Load | Run
TO_GUEST: Final[Envelope[ToGuest]] = Envelope(pb.ToGuest, "message", {"load": Load, "run": Run})


@register(pb.Loaded)
@dataclass(frozen=True, slots=True)
class Loaded:
    """The module is compiled; `code_size` bytes of code were written, none of what was given."""

    code_size: int


@register(pb.LoadRefused)
@dataclass(frozen=True, slots=True)
class LoadRefused:
    """The module is not a program we run; `code` is the engine's refusal."""

    code: str

    def __post_init__(self) -> None:
        at_most("code", self.code, 64)


@register(pb.Finished)
@dataclass(frozen=True, slots=True)
class Finished:
    """`main` returned; `fuel` is 0 when the policy gives no fuel budget.

    `message` is what the program said to its author, only when the policy says `debug`.
    """

    return_code: int
    wrote_output: bool
    output_size: int
    run_ms: int
    fuel: int
    message: str = ""

    def __post_init__(self) -> None:
        at_most("message", self.message, MAX_MESSAGE_CHARS)


@register(pb.Frame)
@dataclass(frozen=True, slots=True)
class Frame:
    """A call on the stack of a program that trapped: its function's index, and where it was.

    `offset` is in bytes from the module's beginning, 0 when it is not known; `name` is from the
    module's name section, empty without one.
    """

    function: int
    offset: int
    name: str

    def __post_init__(self) -> None:
        at_most("name", self.name, MAX_NAME_CHARS)


@register(pb.Trapped)
@dataclass(frozen=True, slots=True)
class Trapped:
    """The program trapped; `code` is the engine's trap code.

    `frames`, innermost first, and `message`, only when the policy says `debug`.
    """

    code: str
    frames: tuple[Frame, ...] = ()
    message: str = ""

    def __post_init__(self) -> None:
        at_most("code", self.code, 64)
        at_most("frames", self.frames, MAX_FRAMES)
        at_most("message", self.message, MAX_MESSAGE_CHARS)


@register(pb.LimitReached)
@dataclass(frozen=True, slots=True)
class LimitReached:
    """The program reached a limit of the policy; `code` names it."""

    code: str

    def __post_init__(self) -> None:
        at_most("code", self.code, 64)


FromGuest = Loaded | LoadRefused | Finished | Trapped | LimitReached
FROM_GUEST: Final[Envelope[FromGuest]] = Envelope(
    pb.FromGuest,
    "message",
    {
        "loaded": Loaded,
        "load_refused": LoadRefused,
        "finished": Finished,
        "trapped": Trapped,
        "limit_reached": LimitReached,
    },
)
