"""Messages of the untrusted bridge: gRPC `/veracruz.sinaloa.v1.Sinaloa/<Name>`.

`Attest` and `Describe` are unary. `Session` streams bare bytes both ways, at most
`MAX_CHUNK_BYTES` a message, with identity serializers: they are TLS records that end in the
isolate and mean nothing to anyone between.

A client names its policy in the metadata of each call, as `POLICY_KEY`: the digest, in hexadecimal.
A bridge of many policies finds the isolate by it.
"""

from typing import Annotated, Final

from colima._pb import sinaloa_pb2 as pb
from colima.codec import at_most, exactly, message
from colima.tabasco import CHALLENGE_BYTES, MAX_PLATFORM_CHARS, MAX_TOKEN_BYTES

SERVICE: Final = "veracruz.sinaloa.v1.Sinaloa"
MAX_CHUNK_BYTES: Final = 1024 * 1024
POLICY_KEY: Final = "veracruz-policy"


@message(pb.AttestRequest)
class AttestRequest:
    """Ask for a PSA token over these 32 fresh random bytes."""

    challenge: Annotated[bytes, exactly(CHALLENGE_BYTES)]


@message(pb.AttestResponse)
class AttestResponse:
    """A PSA token (tagged COSE_Sign1), to be verified before anything in it is believed."""

    token: Annotated[bytes, at_most(MAX_TOKEN_BYTES)]


@message(pb.DescribeRequest)
class DescribeIsolateRequest:
    """Ask what the bridge says of its isolate."""


@message(pb.DescribeResponse)
class DescribeIsolateResponse:
    """What the bridge says of its isolate; good for error messages, proof of nothing."""

    policy_digest: Annotated[bytes, exactly(32)]
    platform: Annotated[str, at_most(MAX_PLATFORM_CHARS)]
