"""What isolates and their zygote say on standard error: read by Sonora, bounded, never passed on.

Theory of operation. A program that took its process over can write there what it likes. So nobody's
standard error is Sonora's own: each process writes into a pipe of its own, and what is read from it
comes into Sonora's log a line at a time, behind the name of who said it, in printable characters,
within the limits of `LogLimits`. What is beyond them is read and dropped, so that nobody waits for
a full pipe; and after `bytes` the pipe is closed, so that a flood costs Sonora no more than those.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import IO, Final

from veracruz_utils.frozen import frozen

_LOG: Final = logging.getLogger(__name__)
_READ_BYTES: Final = 16 * 1024
_CUT: Final = " [cut]"


@frozen
class LogLimits:
    """How much of what a process says comes into the log.

    Attributes:
        line_bytes: of one line; the rest of it is dropped.
        lines: in `window_s`; further ones are counted.
        window_s: in seconds.
        total_lines: until nothing more is logged.
        total_bytes: that are read at all, then the pipe is closed.
    """

    line_bytes: int = 400
    lines: int = 20
    window_s: float = 10.0
    total_lines: int = 200
    total_bytes: int = 1024 * 1024


ISOLATE: Final = LogLimits()
"""An isolate says one line when a process of it fails."""
ZYGOTE: Final = LogLimits(lines=200, total_lines=1000)
"""A zygote that does not start prints a traceback."""


class LineFilter:
    """Lines for the log, out of bytes that come in whatever pieces."""

    def __init__(self, limits: LogLimits) -> None:
        self._limits = limits
        self._line = bytearray()
        self._bytes = 0
        self._lines = 0
        self._dropped = 0
        self._window_began = float("-inf")
        self._window_lines = 0

    @property
    def exhausted(self) -> bool:
        """Whether so much has come that nothing more is to be read."""
        return self._bytes >= self._limits.total_bytes

    def receive_data(self, data: bytes, now: float) -> Iterator[str]:
        """The lines that `data` completes; `now` in seconds of a clock that never goes back."""
        self._bytes += len(data)
        *ended, begun = data.split(b"\n")
        for piece in ended:
            self._extend(piece)
            yield from self._complete(now)
        self._extend(begun)

    def receive_end(self, now: float) -> Iterator[str]:
        """What is left when nothing more comes."""
        if self._line:
            yield from self._complete(now)
        if self._dropped:
            yield f"{self._dropped} more lines were not logged"

    def _extend(self, piece: bytes) -> None:
        # One byte more than a line may have says that it was longer.
        self._line += piece[: self._limits.line_bytes + 1 - len(self._line)]

    def _complete(self, now: float) -> Iterator[str]:
        line, self._line = bytes(self._line), bytearray()
        if now >= self._window_began + self._limits.window_s:
            self._window_began, self._window_lines = now, 0
        full = self._window_lines >= self._limits.lines
        if full or self._lines >= self._limits.total_lines:
            self._dropped += 1
            return
        self._window_lines += 1
        self._lines += 1
        yield _printable(line, self._limits.line_bytes)


def follow(name: str, limits: LogLimits = ISOLATE) -> tuple[IO[bytes], threading.Thread]:
    """A pipe whose lines are logged behind `name` until nobody holds its writing end any more.

    Returns:
        The writing end, for the caller to hand over and close, and the thread that reads.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    thread = threading.Thread(target=_log, args=(name, reading, limits), name=name, daemon=True)
    thread.start()
    return os.fdopen(writing, "wb", buffering=0), thread


def _log(name: str, descriptor: int, limits: LogLimits) -> None:
    lines = LineFilter(limits)
    try:
        while not lines.exhausted and (data := os.read(descriptor, _READ_BYTES)):
            for line in lines.receive_data(data, time.monotonic()):
                _LOG.warning("%s: %s", name, line)
    finally:
        os.close(descriptor)
    for line in lines.receive_end(time.monotonic()):
        _LOG.warning("%s: %s", name, line)
    if lines.exhausted:
        _LOG.warning("%s: wrote %d bytes: no more is read", name, limits.total_bytes)


def _printable(line: bytes, most: int) -> str:
    """The line in printable ASCII: everything else, and the backslash, as an escape sequence."""
    # Not `repr`, which leaves printable characters of other scripts: some of them reverse the text.
    shown = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}"
        for byte in line[:most]
    )
    return shown + (_CUT if len(line) > most else "")
