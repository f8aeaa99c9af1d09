"""Messages inside the root attestation isolate and inside an isolate, in frames on socket pairs.

Sonora's service to its zygote: `Spawn`; back: `ZygoteReady`, `Spawned`, `SpawnFailed`, `Exited`.
The runtime to Sonora: `RuntimeReady` or `RuntimeRefused`, once.
The front process to the guest process: `Load`, `Run`; back: one of `FromGuest` for each.
Where a docstring says that descriptors follow, each comes with a byte of its own (`send_fds`).
"""

from dataclasses import dataclass
from typing import Final

from colima._pb import isolate_pb2 as pb
from colima.codec import Envelope, at_most, exactly, register
from colima.runtime import MAX_FRAMES, MAX_NAME_CHARS

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
    """The runtime made its key inside and holds this policy (SHA-256 digests, 32 bytes)."""

    certificate_digest: bytes
    policy_digest: bytes

    def __post_init__(self) -> None:
        exactly("certificate digest", self.certificate_digest, 32)
        exactly("policy digest", self.policy_digest, 32)


@register(pb.RuntimeRefused)
@dataclass(frozen=True, slots=True)
class RuntimeRefused:
    """The runtime will not serve this policy; `reason` is one line for people."""

    reason: str

    def __post_init__(self) -> None:
        at_most("reason", self.reason, 512)


FromRuntime = RuntimeReady | RuntimeRefused
FROM_RUNTIME: Final[Envelope[FromRuntime]] = Envelope(
    pb.FromRuntime, "message", {"ready": RuntimeReady, "refused": RuntimeRefused}
)


@register(pb.Load)
@dataclass(frozen=True, slots=True)
class Load:
    """Check and compile a module of `size` bytes; its descriptor follows."""

    size: int


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
    """The module is compiled."""


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
    """`main` returned; `fuel` is 0 when the policy gives no fuel budget."""

    return_code: int
    wrote_output: bool
    output_size: int
    run_ms: int
    fuel: int


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

    `frames`, innermost first, only when the policy says `debug`.
    """

    code: str
    frames: tuple[Frame, ...] = ()

    def __post_init__(self) -> None:
        at_most("code", self.code, 64)
        at_most("frames", self.frames, MAX_FRAMES)


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
