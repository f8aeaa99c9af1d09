"""Messages between the bridge and Sonora, on a Unix stream socket, in frames.

One connection is one isolate:

1. the bridge sends `Launch` with the exact bytes of the policy;
2. Sonora answers `Failed`, or `Launched` and then one more byte that carries one file descriptor
   (`socket.send_fds`): the isolate's control socket. For every session the bridge makes a socket
   pair and sends one end over the control socket, again one byte with one descriptor;
3. each `MintToken` is answered by `Token` or `Failed`, in order;
4. when the isolate ends Sonora sends `Ended`, once, at any time after `Launched`, and the control
   socket reads as closed.

The isolate is killed when the bridge closes the connection.
"""

import enum
from dataclasses import dataclass
from typing import Final

from colima._pb import sonora_pb2 as pb
from colima.codec import Envelope, at_most, exactly, register
from colima.tabasco import CHALLENGE_BYTES, MAX_PLATFORM_CHARS, MAX_TOKEN_BYTES

MAX_LAUNCH_BYTES: Final = 1024 * 1024 + 64
"""The limit of a frame on this wire: a policy and little more."""


@register(pb.Launch)
@dataclass(frozen=True, slots=True)
class Launch:
    """Start an isolate that holds exactly this policy."""

    policy: bytes


@register(pb.MintToken)
@dataclass(frozen=True, slots=True)
class MintToken:
    """Vouch for the isolate over this 32-byte challenge."""

    challenge: bytes

    def __post_init__(self) -> None:
        exactly("challenge", self.challenge, CHALLENGE_BYTES)


ToSonora = Launch | MintToken
TO_SONORA: Final[Envelope[ToSonora]] = Envelope(
    pb.ToSonora, "message", {"launch": Launch, "mint_token": MintToken}
)


class IsolateEnding(enum.Enum):
    """How an isolate ended."""

    QUORUM = 1
    """Every result reader asked for shutdown."""
    FAILURE = 2
    """Anything else."""


@register(pb.Launched)
@dataclass(frozen=True, slots=True)
class Launched:
    """The isolate runs; its control socket follows. All digests are 32 bytes."""

    isolate_id: int
    platform: str
    measurement: bytes
    policy_digest: bytes
    certificate_digest: bytes

    def __post_init__(self) -> None:
        at_most("platform", self.platform, MAX_PLATFORM_CHARS)
        at_most("measurement", self.measurement, 64)
        exactly("policy digest", self.policy_digest, 32)
        exactly("certificate digest", self.certificate_digest, 32)


@register(pb.Token)
@dataclass(frozen=True, slots=True)
class Token:
    """A PSA token."""

    token: bytes

    def __post_init__(self) -> None:
        at_most("token", self.token, MAX_TOKEN_BYTES)


@register(pb.Failed)
@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be done; `reason` is one line for people."""

    reason: str

    def __post_init__(self) -> None:
        at_most("reason", self.reason, 512)


@register(pb.Ended)
@dataclass(frozen=True, slots=True)
class Ended:
    """The isolate is gone."""

    ending: IsolateEnding


FromSonora = Launched | Token | Failed | Ended
FROM_SONORA: Final[Envelope[FromSonora]] = Envelope(
    pb.FromSonora,
    "message",
    {"launched": Launched, "token": Token, "failed": Failed, "ended": Ended},
)
