"""The wire of Veracruz: protobuf schema, typed messages, frames.

One module per wire: `runtime` (principal and runtime, inside TLS), `sinaloa` and `tabasco` (gRPC),
`sonora` (bridge and root isolate), `isolate` (inside those). Protobuf objects go no further.
"""

from colima import framing, isolate, runtime, sinaloa, sonora, tabasco
from colima.codec import Envelope, decode, encode
from colima.errors import WireError
from colima.framing import FrameDecoder, frame, read_frame

__all__ = [
    "Envelope",
    "FrameDecoder",
    "WireError",
    "decode",
    "encode",
    "frame",
    "framing",
    "isolate",
    "read_frame",
    "runtime",
    "sinaloa",
    "sonora",
    "tabasco",
]
