"""File descriptors over Unix stream sockets.

They follow the frame that announces them, in batches of at most 200 with one byte each (the kernel
takes 253 at once). A receiver that reads its frames to the last byte and no further meets each
batch at its own byte.
"""

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Final

from mexico_city.errors import RuntimeFailure

_BATCH: Final = 200


def send_descriptors(channel: socket.socket, descriptors: Sequence[int]) -> None:
    """Send duplicates of `descriptors`; the caller keeps its own."""
    for start in range(0, len(descriptors), _BATCH):
        socket.send_fds(channel, [b"\0"], descriptors[start : start + _BATCH])


def receive_descriptors(channel: socket.socket, count: int) -> list[int]:
    """Exactly `count` descriptors, owned by the caller and closed on exec.

    Raises:
        RuntimeFailure: the other side sent fewer or more; those that came are closed.
    """
    received: list[int] = []
    while len(received) < count:
        expected = min(_BATCH, count - len(received))
        data, batch, flags, _ = socket.recv_fds(channel, 1, expected, socket.MSG_CMSG_CLOEXEC)
        received += batch
        if len(data) != 1 or len(batch) != expected or flags & socket.MSG_CTRUNC:
            for descriptor in received:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            raise RuntimeFailure(f"{len(received)} descriptors came, {count} were announced")
    return received
