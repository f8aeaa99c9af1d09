"""gRPC as we use it, on both sides: set up before it is loaded, and with the same limits.

Whoever needs gRPC takes it from here, or after a module of ours that does.
"""

import os
from collections.abc import Sequence

# Its fork handlers can deadlock. Nothing here needs them: isolates are forked by a process that
# never loads gRPC.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # we say what went wrong, in our words

import grpc
import grpc.aio

__all__ = ["common_options", "grpc", "warm_allocator"]


def common_options(*, receive: int, send: int) -> Sequence[tuple[str, int]]:
    """What both ends of a connection are set to, given the bytes of a message either way."""
    return (
        ("grpc.max_receive_message_length", receive),
        ("grpc.max_send_message_length", send),
        ("grpc.compression_enabled_algorithms_bitset", 1),  # none: nothing small unpacks to much
        ("grpc.keepalive_time_ms", 30_000),  # so that a peer that vanished is noticed
        ("grpc.keepalive_timeout_ms", 20_000),
    )


def warm_allocator(message_bytes: int) -> None:
    """Have the memory of a message kept for the next one, not given back to the system each time.

    The C library's allocator learns from the size of a block that is freed which sizes come and go
    (mallopt(3), M_MMAP_THRESHOLD); nothing here touches the block, so it costs nothing.
    """
    _ = bytes(4 * message_bytes)
