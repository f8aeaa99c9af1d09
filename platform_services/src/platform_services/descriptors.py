"""File descriptors over Unix stream sockets, each batch of them with a byte of its own.

They follow the frame that announces them. A receiver that reads its frames to the last byte and no
further meets each batch at its byte.
"""

import array
import os
import socket
from collections.abc import Sequence
from typing import Final

from platform_services.errors import PlatformError

_BATCH: Final = 200
"""Descriptors at once; the kernel takes 253 (SCM_MAX_FD)."""


def send_descriptors(channel: socket.socket, descriptors: Sequence[int]) -> None:
    """Send duplicates of `descriptors`; the caller keeps its own."""
    for start in range(0, len(descriptors), _BATCH):
        socket.send_fds(channel, [b"\0"], descriptors[start : start + _BATCH])


def receive_descriptors(channel: socket.socket, count: int) -> list[int]:
    """Exactly `count` descriptors, owned by the caller and closed on exec.

    Raises:
        PlatformError: the other side sent fewer or more; those that came are closed.
    """
    received: list[int] = []
    while len(received) < count:
        expected = min(_BATCH, count - len(received))
        batch = array.array("i")
        room = socket.CMSG_LEN(expected * batch.itemsize)
        # Not `socket.recv_fds`: it ignores flags, and then the descriptors outlive an exec.
        data, messages, flags, _ = channel.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
        for _level, _type, content in messages:
            batch.frombytes(content)
        received += batch
        # The kernel cuts what there is no room for, closes the rest and says so.
        if len(data) != 1 or len(batch) != expected or flags & socket.MSG_CTRUNC:
            for descriptor in received:
                os.close(descriptor)
            raise PlatformError(f"{len(received)} descriptors came, {count} were announced")
    return received
