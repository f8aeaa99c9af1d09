"""The host's side of the eleven calls: what a module's numbers do to its memory and its result.

Theory of operation. A call gets its arguments as unsigned 32-bit numbers. It answers a bad index
or a short buffer with a status, and touches memory only through `GuestMemory.window`, which traps
for a range that is not all inside. A window is taken before anything else happens, so a call that
traps has had no effect. A zero-length window is fine anywhere in memory, its end included.
"""

import struct
from collections.abc import Callable
from typing import Final

from execution_engine.abi import HostStatus
from execution_engine.errors import TrapCode, TrapError
from execution_engine.host import Host
from execution_engine.message import MAX_MESSAGE_BYTES, message_text
from platform_services import PlatformError, ServiceUnavailableError

_U32: Final = struct.Struct("<I")
# Where a message is, and how long: what the global `abi.MESSAGE` points to.
_TEXT_AT: Final = struct.Struct("<II")
_LARGE: Final = 8 * 1024 * 1024
"""From this size on an input is copied in pieces, each of so many bytes."""
# Random bytes are drawn in pieces of this, so that a run's memory does not grow with them.
_RANDOM_PIECE: Final = 1024 * 1024


class GuestMemory:
    """Linear memory, bounds checked; it grows under us but never moves.

    Attributes:
        now: gives all of the memory as it is now, writable.
    """

    __slots__ = ("_view", "now")

    def __init__(self, now: Callable[[], memoryview]) -> None:
        self.now = now
        self._view = now()

    def window(self, start: int, size: int) -> memoryview:
        """The `size` bytes from `start` on, writable.

        Raises:
            TrapError: they are not all inside memory.
        """
        if start + size > len(self._view):
            self._view = self.now()  # it may have grown since the last look
        return self.seen(start, size)

    def seen(self, start: int, size: int) -> memoryview:
        """The same of memory as it was at the last look, without another.

        Raises:
            TrapError: they were not all inside.
        """
        end = start + size
        if end > len(self._view):
            raise TrapError(
                TrapCode.OUT_OF_BOUNDS_HOST_CALL,
                debug=f"{size} bytes at {start}, memory has {len(self._view)}",
            )
        return self._view[start:end]

    def release(self) -> None:
        """Let go of the memory; nothing of it may be touched afterwards."""
        self._view.release()


class ModuleHost(Host):
    """`Host` for a core module, which reads and writes its `memory` once it is attached."""

    memory: GuestMemory | None = None
    _message_at: Callable[[], int | None] | None = None

    def attach(
        self, memory: GuestMemory, *, message_at: Callable[[], int | None] | None = None
    ) -> None:
        """Answer calls on this memory from now on; `message_at` tells where its message is."""
        self.memory = memory
        self._message_at = message_at

    def said(self) -> str:
        """What the program said to its author, once it has ended."""
        return "" if self.memory is None else self._text(self.memory.window)

    def _said_meanwhile(self) -> str:
        # Of memory that has grown since the last host call nothing is seen: to ask for it is for
        # the thread that runs the program.
        return "" if self.memory is None else self._text(self.memory.seen)

    def _text(self, window: Callable[[int, int], memoryview]) -> str:
        at = None if self._message_at is None else self._message_at()
        if at is None:
            return ""
        try:
            start, size = _TEXT_AT.unpack(window(at, _TEXT_AT.size))
            kept = min(size, MAX_MESSAGE_BYTES)
            return message_text(bytes(window(start + size - kept, kept)))
        except TrapError:  # it points outside
            return ""

    def close(self) -> None:
        """Let go of memory, inputs and result, so that who owns them can free them."""
        if self.memory is not None:
            self.memory.release()
        super().close()

    def input_count(self, ptr: int) -> int:
        """Write the number of inputs."""
        return self._put(ptr, len(self._inputs))

    def input_size(self, index: int, ptr: int) -> int:
        """Write the length of an input."""
        if index >= len(self._inputs):
            return HostStatus.BAD_INPUT
        return self._put(ptr, len(self._inputs[index]))

    def read_input(self, index: int, buf: int, size: int) -> int:
        """Copy an input, all of it, when it fits into `size`."""
        if index >= len(self._inputs):
            return HostStatus.BAD_INPUT
        return self._copy(self._inputs[index], buf, size, HostStatus.DATA_SOURCE_SIZE)

    def stream_count(self, ptr: int) -> int:
        """Write the number of streams."""
        return self._put(ptr, len(self._streams))

    def stream_size(self, index: int, ptr: int) -> int:
        """Write the length of a stream."""
        if index >= len(self._streams):
            return HostStatus.BAD_STREAM
        return self._put(ptr, len(self._streams[index]))

    def read_stream(self, index: int, buf: int, size: int) -> int:
        """Copy a stream, all of it, when it fits into `size`."""
        if index >= len(self._streams):
            return HostStatus.BAD_STREAM
        return self._copy(self._streams[index], buf, size, HostStatus.STREAM_SOURCE_SIZE)

    def has_previous_result(self, ptr: int) -> int:
        """Write 1 when there is a previous result, were it empty."""
        return self._put(ptr, int(self._previous is not None))

    def previous_result_size(self, ptr: int) -> int:
        """Write the length of the previous result, 0 without one."""
        return self._put(ptr, len(self._previous or b""))

    def read_previous_result(self, buf: int, size: int) -> int:
        """Copy the previous result, when it fits into `size`; nothing of none is nothing to do."""
        if not self._previous:
            return HostStatus.SUCCESS
        return self._copy(self._previous, buf, size, HostStatus.PREVIOUS_RESULT_SIZE)

    def write_output(self, buf: int, size: int) -> int:
        """Register the result; the first one stays."""
        window = self._window(buf, size)
        if self.output_size is not None:
            return HostStatus.RESULT_ALREADY_WRITTEN
        self._check_output(size)
        self._register(window)
        return HostStatus.SUCCESS

    def getrandom(self, buf: int, size: int) -> int:
        """Fill memory with random bytes of the platform."""
        window = self._window(buf, size)
        self._take_random(size)
        try:
            for start in range(0, size, _RANDOM_PIECE):
                piece = min(_RANDOM_PIECE, size - start)
                window[start : start + piece] = self._draw_random(piece)
        except ServiceUnavailableError:
            return HostStatus.SERVICE_UNAVAILABLE
        except PlatformError:
            return HostStatus.GENERIC
        return HostStatus.SUCCESS

    def _window(self, start: int, size: int) -> memoryview:
        assert self.memory is not None
        return self.memory.window(start, size)

    def _put(self, ptr: int, value: int) -> int:
        _U32.pack_into(self._window(ptr, _U32.size), 0, value)
        return HostStatus.SUCCESS

    def _copy(self, source: memoryview, buf: int, size: int, too_short: HostStatus) -> int:
        if size < len(source):
            return too_short
        window = self._window(buf, len(source))
        if len(source) < _LARGE:
            window[:] = source
            return HostStatus.SUCCESS
        for start in range(0, len(source), _LARGE):
            stop = min(start + _LARGE, len(source))
            window[start:stop] = source[start:stop]
            self._copied(source, start, stop)
        return HostStatus.SUCCESS
