"""Messages inside the root attestation isolate and inside an isolate, in frames on socket pairs.

Sonora's service to its zygote: `Spawn`; back: `ZygoteReady`, `Spawned`, `SpawnFailed`, `Exited`.
The runtime to Sonora: `RuntimeReady` or `RuntimeRefused`, once; back: `LocalChallenge`, once; the
runtime `LocalAnswer`; back: `CodeOffer`, once; then the runtime `CodeMade`, if it compiled, and
`CoreSeen`, if there was no code for its program's core. After that Sonora sends no message, and
perhaps a byte with a descriptor: a socket is the control socket of one bridge more; a file is
compiled code of a core, with a trailer of `TRAILER_BYTES`.
The front process to the bridge, on the control socket over which sessions come: `LetIn`.
The front process to the guest process: `Load`, `Run`; back: one of `FromGuest` for each.
Where a docstring says that descriptors follow, they come as `platform_services.descriptors` says.
"""

import enum
from dataclasses import field
from typing import Annotated, Final, get_args

from colima._pb import isolate_pb2 as pb
from colima.codec import Envelope, at_most, exactly, message
from colima.runtime import MAX_FRAMES, MAX_MESSAGE_CHARS, TrapFrame

MAX_FRAME_BYTES: Final = 2 * 1024 * 1024
MAX_LAYERS: Final = 16
MAX_CERTIFICATE_BYTES: Final = 4096
MAX_PROOF_BYTES: Final = 128
"""More than an ECDSA signature on P-256 has, in DER."""
TRAILER_BYTES: Final = 64
"""Behind the compiled code of a core: the core's digest, and `engine_name`."""
MAX_CORE_BYTES: Final = 64 * 1024 * 1024
"""Of a core whose code is shared; an isolate with a larger one compiles it for itself alone."""
MAX_PLACES: Final = 2560
"""For sessions of one policy, at a bridge."""
_MOST_SESSIONS_EACH: Final = 16
_LEAST_OF_ISOLATE: Final = 256
_BEYOND_PLACES: Final = 64


def sessions_each(principals: int) -> int:
    """How many sessions the isolate lets one principal have, of so many in the policy.

    All principals together leave places of a bridge free for who is shaking hands (`places_for`).
    """
    return max(1, min(_MOST_SESSIONS_EACH, MAX_PLACES // (principals + 1)))


def places_for(principals: int) -> int:
    """The places a bridge needs, so that no principal can take those of the others."""
    return min(MAX_PLACES, (principals + 1) * sessions_each(principals))


def sessions_of_isolate(principals: int) -> int:
    """How many sessions an isolate holds at most: more than its principals may have in all."""
    return max(_LEAST_OF_ISOLATE, places_for(principals) + _BEYOND_PLACES)


@message(pb.Spawn)
class Spawn:
    """Fork an isolate for this policy.

    Its control socket, its private channel and what it has for standard error follow. With a
    `core_size` it is no isolate, but a process that compiles the core of that many bytes, as an
    isolate of this policy would, or of one that says nothing if there is none; the core, an empty
    file for its code and standard error follow.
    """

    isolate_id: int
    policy: bytes
    core_size: int = 0


@message(pb.ZygoteReady)
class ZygoteReady:
    """The runtime is loaded."""


@message(pb.Spawned)
class Spawned:
    """The isolate's front process runs; a pidfd of it follows."""

    isolate_id: int


@message(pb.SpawnFailed)
class SpawnFailed:
    """There is no isolate; `reason` is one line for people."""

    isolate_id: int
    reason: Annotated[str, at_most(512)]


class IsolateExit(enum.IntEnum):
    """How an isolate's front process ended of itself: its exit status."""

    QUORUM = 0
    BRIDGE_GONE = 3
    SONORA_GONE = 4
    EXPIRED = 5
    IDLE = 6


@message(pb.Exited)
class Exited:
    """The isolate's front process ended, as `IsolateExit` says; negative codes are signals."""

    isolate_id: int
    exit_code: int


FromZygote = ZygoteReady | Spawned | SpawnFailed | Exited
FROM_ZYGOTE: Final[Envelope[FromZygote]] = Envelope(pb.FromZygote, *get_args(FromZygote))


@message(pb.RuntimeReady)
class RuntimeReady:
    """The runtime made its key inside and holds this policy (SHA-256 digests, 32 bytes).

    `code_name` (32 bytes) stands for the compiled code it can use: program, engine and settings;
    `engine_name` (32 bytes) for engine and settings alone.
    `layers` name those of its sandbox that are in force (`veracruz_utils.policy.IsolationLayer`).
    """

    certificate_digest: Annotated[bytes, exactly(32)]
    policy_digest: Annotated[bytes, exactly(32)]
    code_name: Annotated[bytes, exactly(32)]
    layers: Annotated[tuple[str, ...], at_most(MAX_LAYERS)]
    engine_name: Annotated[bytes, exactly(32)]


@message(pb.RuntimeRefused)
class RuntimeRefused:
    """The runtime will not serve this policy; `reason` is one line for people."""

    reason: Annotated[str, at_most(512)]


@message(pb.CodeMade)
class CodeMade:
    """The runtime compiled its program: `size` bytes of code; a sealed file's descriptor follows.

    `tag` (32 bytes) authenticates the code under the key of `CodeOffer`.
    """

    tag: Annotated[bytes, exactly(32)]
    size: int


@message(pb.CoreSeen)
class CoreSeen:
    """The program begins with a core of `size` bytes; the descriptor of it, sealed, follows."""

    size: int


@message(pb.LocalAnswer)
class LocalAnswer:
    """The runtime's TLS certificate (DER), and its key's signature over challenge and claims."""

    certificate: Annotated[bytes, at_most(MAX_CERTIFICATE_BYTES)]
    proof: Annotated[bytes, at_most(MAX_PROOF_BYTES)]


FromRuntime = RuntimeReady | RuntimeRefused | CodeMade | CoreSeen | LocalAnswer
FROM_RUNTIME: Final[Envelope[FromRuntime]] = Envelope(pb.FromRuntime, *get_args(FromRuntime))


@message(pb.LocalChallenge)
class LocalChallenge:
    """Show which isolate this is, over these 32 bytes, which were never sent before."""

    nonce: Annotated[bytes, exactly(32)]


@message(pb.CodeOffer)
class CodeOffer:
    """What authenticates compiled code of this runtime's program, and what there is of it.

    `key` (32 bytes) is for the front process alone. When `size` is not 0, the descriptor of that
    many bytes of code follows, and `tag` (32 bytes) is what a front process said of them.
    """

    key: Annotated[bytes, exactly(32)] = field(repr=False)
    tag: Annotated[bytes, exactly(32, or_none=True)]
    size: int


@message(pb.LetIn)
class LetIn:
    """The principal of this session proved to be one of the policy's.

    `session` counts the sessions that were handed over, from 1.
    """

    session: int


ToRuntime = CodeOffer | LocalChallenge
TO_RUNTIME: Final[Envelope[ToRuntime]] = Envelope(pb.ToRuntime, *get_args(ToRuntime))


@message(pb.ForkGuest)
class ForkGuest:
    """Fork a guest process; the descriptor of its end of its channel follows."""


@message(pb.EndGuest)
class EndGuest:
    """End the guest process, whatever it does."""


ToKeeper = ForkGuest | EndGuest
TO_KEEPER: Final[Envelope[ToKeeper]] = Envelope(pb.ToKeeper, *get_args(ToKeeper))


@message(pb.GuestForked)
class GuestForked:
    """There is a guest process."""


@message(pb.GuestEnded)
class GuestEnded:
    """There is no guest process any more; `status` is that of waitpid."""

    status: int


FromKeeper = GuestForked | GuestEnded
FROM_KEEPER: Final[Envelope[FromKeeper]] = Envelope(pb.FromKeeper, *get_args(FromKeeper))


@message(pb.Load)
class Load:
    """Check and compile a module of `size` bytes; its descriptor follows, then one for the code.

    That one is of `code_size` bytes of compiled code, to be used instead of compiling; or, if that
    is 0, of an empty file that takes the code when it has been compiled.
    """

    size: int
    code_size: int


@message(pb.Run)
class Run:
    """Run the program once over inputs, streams and previous result of these sizes in bytes.

    A descriptor each follows in that order, then one of an empty file that takes the output. The
    program's random numbers come from `seed` (32 bytes) if there is one.
    """

    inputs: tuple[int, ...]
    streams: tuple[int, ...]
    has_previous: bool
    previous: int
    seed: Annotated[bytes, exactly(32, or_none=True)] = field(default=b"", repr=False)


ToGuest = Load | Run
TO_GUEST: Final[Envelope[ToGuest]] = Envelope(pb.ToGuest, *get_args(ToGuest))


@message(pb.Loaded)
class Loaded:
    """The module is compiled; `code_size` bytes of code were written, none of what was given."""

    code_size: int


@message(pb.LoadRefused)
class LoadRefused:
    """The module is not a program we run; `code` is the engine's refusal."""

    code: Annotated[str, at_most(64)]


@message(pb.Finished)
class Finished:
    """`main` returned; `fuel` is 0 when the policy gives no fuel budget.

    `message` is what the program said to its author, only when the policy says `debug`.
    """

    return_code: int
    wrote_output: bool
    output_size: int
    run_ms: int
    fuel: int
    message: Annotated[str, at_most(MAX_MESSAGE_CHARS)] = ""


@message(pb.Trapped)
class Trapped:
    """The program trapped; `code` is the engine's trap code.

    `frames`, innermost first, and `message`, only when the policy says `debug`.
    """

    code: Annotated[str, at_most(64)]
    frames: Annotated[tuple[TrapFrame, ...], at_most(MAX_FRAMES)] = ()
    message: Annotated[str, at_most(MAX_MESSAGE_CHARS)] = ""


@message(pb.LimitReached)
class LimitReached:
    """The program reached a limit of the policy; `code` names it.

    Under `debug` also what the program said to its author until then.
    """

    code: Annotated[str, at_most(64)]
    message: Annotated[str, at_most(MAX_MESSAGE_CHARS)] = ""


FromGuest = Loaded | LoadRefused | Finished | Trapped | LimitReached
FROM_GUEST: Final[Envelope[FromGuest]] = Envelope(pb.FromGuest, *get_args(FromGuest))
