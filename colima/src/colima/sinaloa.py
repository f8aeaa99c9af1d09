"""Messages of the untrusted bridge: gRPC `/veracruz.sinaloa.v1.Sinaloa/<Name>`.

`Attest` and `Describe` are unary. `Session` streams bare bytes both ways, at most
`MAX_CHUNK_BYTES` a message, with identity serializers: they are TLS records that end in the
isolate and mean nothing to anyone between.

`BulkPort` is unary, too, and says at which port of its host the bridge takes sessions over bare
TCP, if it does. There a client begins with a frame, `OpenBulk`, of at most `MAX_OPENING_BYTES`. A
frame comes back, `BulkAnswer`, and when that says OPENED the session's bytes follow, both ways.

A client names its policy in the metadata of each call, as `POLICY_KEY`: the digest, in hexadecimal.
A bridge of many policies finds the isolate by it. A client that sends traces names its span there,
as `traceparent`, or in `OpenBulk`.
"""

import enum
from typing import Annotated, Final

from colima._pb import sinaloa_pb2 as pb
from colima.codec import at_most, exactly, message
from colima.tabasco import CHALLENGE_BYTES, MAX_PLATFORM_CHARS, MAX_TOKEN_BYTES
from colima.trace_context import Traceparent

SERVICE: Final = "veracruz.sinaloa.v1.Sinaloa"
MAX_CHUNK_BYTES: Final = 1024 * 1024
POLICY_KEY: Final = "veracruz-policy"
BULK_VERSION: Final = 1
"""Of what is said before the bytes of a session over bare TCP."""
MAX_OPENING_BYTES: Final = 128
"""The limit of a frame with `OpenBulk`."""
MAX_REASON_CHARS: Final = 400
MAX_ANSWER_BYTES: Final = 4 * MAX_REASON_CHARS + 16
"""The limit of a frame with `BulkAnswer`."""


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


@message(pb.BulkPortRequest)
class BulkPortRequest:
    """Ask where sessions may go over bare TCP."""


@message(pb.BulkPortResponse)
class BulkPortResponse:
    """A port of the host that was asked; 0 when there is none. It proves nothing, as all here."""

    port: int


@message(pb.OpenBulk)
class OpenBulk:
    """The first word on a connection for a session over bare TCP: for which policy, by digest."""

    version: int
    policy_digest: Annotated[bytes, exactly(32)]
    traceparent: Traceparent = ""


class BulkStatus(enum.IntEnum):
    """What becomes of the connection."""

    OPENED = 0
    BUSY = 1
    ENDING = 2
    REFUSED = 3


@message(pb.BulkAnswer)
class BulkAnswer:
    """What the bridge says to `OpenBulk`; `reason` is for people, and empty when it is OPENED."""

    status: BulkStatus
    reason: Annotated[str, at_most(MAX_REASON_CHARS)] = ""
