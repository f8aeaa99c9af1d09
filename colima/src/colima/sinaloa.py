"""Messages of the untrusted bridge: gRPC `/veracruz.sinaloa.v1.Sinaloa/<Name>`.

`Attest` and `Describe` are unary. `Session` streams bare bytes both ways, at most
`MAX_CHUNK_BYTES` a message, with identity serializers: they are TLS records that end in the
isolate and mean nothing to anyone between.
"""

from dataclasses import dataclass
from typing import Final

from colima._pb import sinaloa_pb2 as pb
from colima.codec import at_most, exactly, register
from colima.tabasco import CHALLENGE_BYTES, MAX_PLATFORM_CHARS, MAX_TOKEN_BYTES

SERVICE: Final = "veracruz.sinaloa.v1.Sinaloa"
MAX_CHUNK_BYTES: Final = 1024 * 1024


@register(pb.AttestRequest)
@dataclass(frozen=True, slots=True)
class AttestRequest:
    """A PSA token over these 32 fresh random bytes, please."""

    challenge: bytes

    def __post_init__(self) -> None:
        exactly("challenge", self.challenge, CHALLENGE_BYTES)


@register(pb.AttestResponse)
@dataclass(frozen=True, slots=True)
class AttestResponse:
    """A PSA token (tagged COSE_Sign1), to be verified before anything in it is believed."""

    token: bytes

    def __post_init__(self) -> None:
        at_most("token", self.token, MAX_TOKEN_BYTES)


@register(pb.DescribeRequest)
@dataclass(frozen=True, slots=True)
class DescribeIsolateRequest:
    """What runs there?"""


@register(pb.DescribeResponse)
@dataclass(frozen=True, slots=True)
class DescribeIsolateResponse:
    """What the bridge says of its isolate; good for error messages, proof of nothing."""

    policy_digest: bytes
    platform: str

    def __post_init__(self) -> None:
        exactly("policy digest", self.policy_digest, 32)
        at_most("platform", self.platform, MAX_PLATFORM_CHARS)
