"""Bytes from socket to socket by way of a pipe, which this process never sees (splice(2)).

A pipe belongs to one direction of one session while there is something in it. So a bridge has as
many as there are directions under way at a moment, not as there are sessions.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PIPE_BYTES: Final = 1024 * 1024
"""What a pipe holds, where the system lets one user have so many that large (pipe(7))."""
_KEPT: Final = 16


class SplicePipe:
    """A pipe that is emptied before it is filled again."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.held = 0
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def fill(self, source: socket.socket) -> int:
        """Take what has come; how much it was, 0 at the end.

        Raises:
            BlockingIOError: there is nothing yet.
        """
        self.held = os.splice(source.fileno(), self._in, PIPE_BYTES, flags=_AT_ONCE)
        return self.held

    def empty(self, target: socket.socket) -> None:
        """Give of it what is taken now.

        Raises:
            BlockingIOError: nothing is.
        """
        self.held -= os.splice(self._out, target.fileno(), self.held, flags=_AT_ONCE)

    def close(self) -> None:
        """Drop it, with what is in it."""
        os.close(self._in)
        os.close(self._out)


_AT_ONCE: Final = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


class SplicePipes:
    """Pipes to be lent; a few are kept."""

    def __init__(self) -> None:
        self._idle: list[SplicePipe] = []

    @contextmanager
    def lent(self) -> Iterator[SplicePipe]:
        """A pipe with nothing in it.

        Raises:
            OSError: this process may open no more.
        """
        pipe = self._idle.pop() if self._idle else SplicePipe()
        try:
            yield pipe
        finally:
            if pipe.held or len(self._idle) >= _KEPT:
                pipe.close()
            else:
                self._idle.append(pipe)

    def close(self) -> None:
        """Drop those that nobody has."""
        while self._idle:
            self._idle.pop().close()
