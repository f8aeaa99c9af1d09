"""The host's side of the eleven calls: what a guest's numbers do to its memory and its result.

Theory of operation. A call gets its arguments as unsigned 32-bit numbers. It answers a bad index
or a short buffer with a status, and touches memory only through `GuestMemory.window`, which traps
for a range that is not all inside. A window is taken before anything else happens, so a call that
traps has had no effect. A zero-length window is fine anywhere in memory, its end included.
"""

import struct
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, Protocol

from execution_engine.abi import Status
from execution_engine.errors import LimitCode, LimitError, TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.message import message_in, told
from execution_engine.run import Buffer, HostCallEvent, RunInputs, Trace
from platform_services import PlatformError, RandomSource, ServiceUnavailableError

OutputSink = Callable[[memoryview], None]

_U32: Final = struct.Struct("<I")
_MAX_U32: Final = 0xFFFFFFFF
# Random bytes are drawn in pieces of this, so that a run's memory does not grow with them.
_RANDOM_PIECE: Final = 1024 * 1024


class LinearMemory(Protocol):
    """Where views of a guest's memory come from."""

    def view(self) -> memoryview:
        """All of the memory as it is now, writable."""
        ...


class GuestMemory:
    """Linear memory, bounds checked; it grows under us but never moves."""

    __slots__ = ("_memory", "_view")

    def __init__(self, memory: LinearMemory) -> None:
        self._memory = memory
        self._view = memory.view()

    def window(self, start: int, size: int) -> memoryview:
        """The `size` bytes from `start` on, writable.

        Raises:
            TrapError: they are not all inside memory.
        """
        end = start + size
        if end > len(self._view):
            self._view = self._memory.view()  # it may have grown since the last look
            if end > len(self._view):
                raise TrapError(
                    TrapCode.OUT_OF_BOUNDS_HOST_CALL,
                    debug=f"{size} bytes at {start}, memory has {len(self._view)}",
                )
        return self._view[start:end]

    def size(self) -> int:
        """Bytes of memory now."""
        self._view = self._memory.view()
        return len(self._view)

    def release(self) -> None:
        """Let go of the memory; nothing of it may be touched afterwards."""
        self._view.release()


class Host:
    """The state of one run that its guest reads and writes through host calls.

    Attributes:
        calls: how often each host call was made.
        output: the result, once written and when no sink took it.
        output_size: its size in bytes; None until there is one.
    """

    def __init__(
        self,
        inputs: RunInputs,
        *,
        limits: EngineLimits,
        random: RandomSource,
        sink: OutputSink | None,
    ) -> None:
        with ExitStack() as held:
            self._inputs = [_hold(one, held) for one in inputs.inputs]
            self._streams = [_hold(one, held) for one in inputs.streams]
            previous = inputs.previous_result
            self._previous = None if previous is None else _hold(previous, held)
            self._views = held.pop_all()
        self._limits = limits
        self._random = random
        self._random_left = limits.random_bytes
        self._sink = sink
        self._memory: GuestMemory | None = None
        self._message_at: int | None = None
        self.calls: Counter[str] = Counter()
        self.output: bytes | None = None
        self.output_size: int | None = None

    def attach(self, memory: GuestMemory, *, message_at: int | None = None) -> None:
        """Answer calls on this memory from now on; `message_at` is where its message is found."""
        self._memory = memory
        self._message_at = message_at

    def message(self) -> str:
        """What the program said to its author, once it has ended."""
        if self._memory is None or self._message_at is None:
            return ""
        try:
            return told(message_in(self._memory, self._message_at))
        except TrapError:  # it points outside
            return ""

    def close(self) -> None:
        """Let go of memory and inputs, so that who owns them can free them."""
        if self._memory is not None:
            self._memory.release()
        self._views.close()
        self.output = None

    def memory_size(self) -> int:
        """Bytes of linear memory now."""
        return 0 if self._memory is None else self._memory.size()

    def call(self, name: str, trace: Trace | None = None) -> Callable[..., int]:
        """The host call of this name (without prefix), counted and told to `trace`."""
        body: Callable[..., int] = getattr(self, name)
        calls = self.calls

        def counted(*arguments: int) -> int:
            calls[name] += 1
            return body(*arguments)

        return counted if trace is None else _traced(name, counted, trace)

    def input_count(self, ptr: int) -> int:
        """Write the number of inputs."""
        return self._put(ptr, len(self._inputs))

    def input_size(self, index: int, ptr: int) -> int:
        """Write the length of an input."""
        if index >= len(self._inputs):
            return Status.BAD_INPUT
        return self._put(ptr, len(self._inputs[index]))

    def read_input(self, index: int, buf: int, size: int) -> int:
        """Copy an input, all of it, when it fits into `size`."""
        if index >= len(self._inputs):
            return Status.BAD_INPUT
        return self._copy(self._inputs[index], buf, size, Status.DATA_SOURCE_SIZE)

    def stream_count(self, ptr: int) -> int:
        """Write the number of streams."""
        return self._put(ptr, len(self._streams))

    def stream_size(self, index: int, ptr: int) -> int:
        """Write the length of a stream."""
        if index >= len(self._streams):
            return Status.BAD_STREAM
        return self._put(ptr, len(self._streams[index]))

    def read_stream(self, index: int, buf: int, size: int) -> int:
        """Copy a stream, all of it, when it fits into `size`."""
        if index >= len(self._streams):
            return Status.BAD_STREAM
        return self._copy(self._streams[index], buf, size, Status.STREAM_SOURCE_SIZE)

    def has_previous_result(self, ptr: int) -> int:
        """Write 1 when there is a previous result, were it empty."""
        return self._put(ptr, int(self._previous is not None))

    def previous_result_size(self, ptr: int) -> int:
        """Write the length of the previous result, 0 without one."""
        return self._put(ptr, len(self._previous or b""))

    def read_previous_result(self, buf: int, size: int) -> int:
        """Copy the previous result, when it fits into `size`; nothing of none is nothing to do."""
        if not self._previous:
            return Status.SUCCESS
        return self._copy(self._previous, buf, size, Status.PREVIOUS_RESULT_SIZE)

    def write_output(self, buf: int, size: int) -> int:
        """Register the result; the first one stays."""
        window = self._window(buf, size)
        if self.output_size is not None:
            return Status.RESULT_ALREADY_WRITTEN
        if size > self._limits.output_bytes:
            raise LimitError(
                LimitCode.OUTPUT_SIZE, f"the limit is {self._limits.output_bytes} bytes"
            )
        if self._sink is None:
            self.output = bytes(window)
        else:
            with window.toreadonly() as result:
                self._sink(result)
        self.output_size = size
        return Status.SUCCESS

    def getrandom(self, buf: int, size: int) -> int:
        """Fill memory with random bytes of the platform."""
        window = self._window(buf, size)
        self._take_random(size)
        try:
            for start in range(0, size, _RANDOM_PIECE):
                piece = min(_RANDOM_PIECE, size - start)
                window[start : start + piece] = self._drawn(piece)
        except ServiceUnavailableError:
            return Status.SERVICE_UNAVAILABLE
        except PlatformError:
            return Status.GENERIC
        return Status.SUCCESS

    def _take_random(self, size: int) -> None:
        if size > self._random_left:
            raise LimitError(
                LimitCode.RANDOM_BYTES, f"the limit is {self._limits.random_bytes} bytes"
            )
        self._random_left -= size

    def _drawn(self, size: int) -> bytes:
        drawn = self._random.fill(size)
        if len(drawn) != size:  # fewer would leave the guest with bytes that are not random
            raise PlatformError(f"asked for {size} random bytes, got {len(drawn)}")
        return drawn

    def _window(self, start: int, size: int) -> memoryview:
        assert self._memory is not None
        return self._memory.window(start, size)

    def _put(self, ptr: int, value: int) -> int:
        _U32.pack_into(self._window(ptr, _U32.size), 0, value)
        return Status.SUCCESS

    def _copy(self, source: memoryview, buf: int, size: int, too_short: Status) -> int:
        if size < len(source):
            return too_short
        self._window(buf, len(source))[:] = source
        return Status.SUCCESS


def _traced(name: str, call: Callable[..., int], trace: Trace) -> Callable[..., int]:
    def traced(*arguments: int) -> int:
        status = None
        try:
            status = int(call(*arguments))
        finally:
            trace(HostCallEvent(name, arguments, status))
        return status

    return traced


def _hold(buffer: Buffer, held: ExitStack) -> memoryview:
    view = held.enter_context(memoryview(buffer).cast("B"))
    if len(view) > _MAX_U32:
        raise LimitError(LimitCode.INPUT_SIZE, f"{len(view)} bytes, a program can see {_MAX_U32}")
    return view
