"""The wire of Veracruz: protobuf schema, typed messages, frames.

One module per wire, imported by its name: `runtime` (principal and runtime, inside TLS), `sinaloa`
and `tabasco` (gRPC), `sonora` (bridge and root isolate), `isolate` (inside those). An isolate loads
this package, so only what every wire needs stands here. Protobuf objects go no further.
"""

from colima.codec import Envelope, decode, encode
from colima.errors import WireError
from colima.framing import FrameDecoder, frame, read_frame

__all__ = ["Envelope", "FrameDecoder", "WireError", "decode", "encode", "frame", "read_frame"]
