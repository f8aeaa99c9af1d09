"""File descriptors over Unix stream sockets, each batch of them with a byte of its own.

They follow the frame that announces them. A receiver that reads its frames to the last byte and no
further meets each batch at its byte. It acknowledges each but the last with a byte, and only then
the next one is sent.

The kernel counts descriptors in flight, those sent and not received, for each user of the machine,
across user namespaces. Beyond the sender's limit of open files it refuses more (ETOOMANYREFS). So a
receiver that takes none must not keep many in flight: it would stop all others of the same user.
"""

import array
import contextlib
import errno
import os
import socket
import time
from collections.abc import Sequence
from typing import Final

from platform_services.errors import DescriptorsLostError, PlatformError

_BATCH: Final = 32
"""Descriptors at once: of 16 isolates together fewer than the 576 files that the least may open."""
_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 0.01
_BYTE: Final = b"\0"
"""What each batch comes with, and what acknowledges it."""


def send_descriptors(
    channel: socket.socket, descriptors: Sequence[int], *, timeout_s: float = _TIMEOUT_S
) -> None:
    """Send duplicates of `descriptors`; the caller keeps its own.

    Args:
        channel: what the receiver reads; it sends nothing else meanwhile.
        descriptors: any number of them.
        timeout_s: for all of it, with the receiver's acknowledgements and with waiting while too
            many descriptors of this user are in flight.

    Raises:
        OSError: the receiver is gone or does not take them, or too many are in flight. If that
            befell the first batch, the receiver has the byte alone and refuses it: both sides are
            in step.
    """
    deadline = time.monotonic() + timeout_s
    with contextlib.ExitStack() as after:
        after.callback(channel.settimeout, channel.gettimeout())
        for start in range(0, len(descriptors), _BATCH):
            if start:
                channel.settimeout(max(0.001, deadline - time.monotonic()))
                if channel.recv(1) != _BYTE:
                    raise ConnectionAbortedError(errno.ECONNABORTED, "descriptors were not taken")
            _send_batch(channel, descriptors[start : start + _BATCH], deadline)


def receive_descriptors(channel: socket.socket, count: int) -> list[int]:
    """Exactly `count` descriptors, owned by the caller and closed on exec.

    Raises:
        DescriptorsLostError: this process may not open as many files; the byte that they came with
            is read, and those that there was room for are closed.
        PlatformError: the other side sent fewer or more; those that came are closed.
        OSError: the channel failed; likewise.
    """
    received: list[int] = []
    with contextlib.ExitStack() as unless_all:
        unless_all.callback(_close, received)
        while len(received) < count:
            if received:
                channel.send(_BYTE)
            expected = min(_BATCH, count - len(received))
            if not _receive_batch(channel, expected, received):
                raise PlatformError(f"{len(received)} descriptors came, {count} were announced")
        unless_all.pop_all()
    return received


def _send_batch(channel: socket.socket, batch: Sequence[int], deadline: float) -> None:
    while True:
        try:
            socket.send_fds(channel, [_BYTE], batch)
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:
                raise
            if time.monotonic() >= deadline:
                channel.send(_BYTE)
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _receive_batch(channel: socket.socket, expected: int, received: list[int]) -> bool:
    """Add a batch to `received`; whether it was the one expected.

    Raises:
        DescriptorsLostError: there was no room for all of it.
    """
    batch = array.array("i")
    room = socket.CMSG_LEN(expected * batch.itemsize)
    # Not `socket.recv_fds`: it ignores flags, and then the descriptors outlive an exec.
    data, messages, flags, _ = channel.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
    for _level, _type, content in messages:
        batch.frombytes(content)
    received += batch
    # The kernel cuts what there is no room for, closes the rest and says so. Fewer than were asked
    # for are cut because this process may open no more files, more because too many were sent.
    if flags & socket.MSG_CTRUNC and len(batch) < expected:
        raise DescriptorsLostError(f"{len(batch)} of {expected} descriptors could be opened")
    return len(data) == 1 and len(batch) == expected and not flags & socket.MSG_CTRUNC


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
