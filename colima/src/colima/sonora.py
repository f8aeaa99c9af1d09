"""Messages between the bridge and Sonora, on a Unix stream socket, in frames.

One connection is one isolate:

1. the bridge sends `Launch` with the exact bytes of the policy; if Sonora has an isolate of it that
   a bridge of the same user had launched, it is that one, whether that bridge is gone or not;
2. Sonora answers `Failed`, or `Launched` and then one more byte that carries one file descriptor
   (`socket.send_fds`): the isolate's control socket. For every session the bridge makes a socket
   pair and sends one end over the control socket, again one byte with one descriptor;
3. each `MintToken` is answered by `Token` or `Failed`, in order;
4. when the isolate ends Sonora sends `Ended`, once, at any time after `Launched`, and the control
   socket reads as closed.

Of the last bridge of an isolate: one that wants it ended sends `Release` and closes; one that goes
without a word, as when its process is killed, leaves it to be held; one that breaks this protocol
ends it. Any other goes, and nothing ends but its sessions.
"""

import enum
from typing import Annotated, Final, get_args

from colima._pb import sonora_pb2 as pb
from colima.codec import Envelope, at_most, exactly, message
from colima.tabasco import CHALLENGE_BYTES, MAX_PLATFORM_CHARS, MAX_TOKEN_BYTES
from colima.trace_context import Traceparent

MAX_LAUNCH_BYTES: Final = 1024 * 1024 + 192
"""The limit of a frame on this wire: a policy and little more."""


@message(pb.Launch)
class Launch:
    """Give an isolate that holds exactly this policy: the one there is, or a new one."""

    policy: bytes
    traceparent: Traceparent = ""


@message(pb.MintToken)
class MintToken:
    """Vouch for the isolate over this 32-byte challenge."""

    challenge: Annotated[bytes, exactly(CHALLENGE_BYTES)]
    traceparent: Traceparent = ""


@message(pb.Release)
class Release:
    """End the isolate, unless another bridge has it; nothing follows."""


ToSonora = Launch | MintToken | Release
TO_SONORA: Final[Envelope[ToSonora]] = Envelope(pb.ToSonora, *get_args(ToSonora))


class IsolateEnding(enum.Enum):
    """How an isolate ended."""

    QUORUM = 1
    """Every result reader asked for shutdown."""
    FAILURE = 2
    """Anything else."""
    EXPIRED = 3
    """The policy's time was over."""
    IDLE = 4
    """Nobody had a session for as long as the policy allows."""


@message(pb.Launched)
class Launched:
    """The isolate runs; its control socket follows. All digests are 32 bytes.

    `found_again` says that it was there, with all that is in it.
    """

    isolate_id: int
    platform: Annotated[str, at_most(MAX_PLATFORM_CHARS)]
    measurement: Annotated[bytes, at_most(64)]
    policy_digest: Annotated[bytes, exactly(32)]
    certificate_digest: Annotated[bytes, exactly(32)]
    found_again: bool = False


@message(pb.Token)
class Token:
    """A PSA token."""

    token: Annotated[bytes, at_most(MAX_TOKEN_BYTES)]


@message(pb.Failed)
class Failed:
    """It could not be done; `reason` is one line for people."""

    reason: Annotated[str, at_most(512)]


@message(pb.Ended)
class Ended:
    """The isolate is gone."""

    ending: IsolateEnding


FromSonora = Launched | Token | Failed | Ended
FROM_SONORA: Final[Envelope[FromSonora]] = Envelope(pb.FromSonora, *get_args(FromSonora))
