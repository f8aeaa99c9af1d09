"""The host's side of the eleven calls for a component: values and pieces in place of pointers."""

from collections.abc import Callable, Sequence
from typing import Final

from execution_engine._component_capi import Err, Value
from execution_engine.abi import Status
from execution_engine.errors import LimitCode, LimitError
from execution_engine.host import Host
from execution_engine.message import MAX_MESSAGE_BYTES, told
from execution_engine.run import HostCallEvent, Trace
from execution_engine.world import PIECE_BYTES
from platform_services import PlatformError, ServiceUnavailableError

Answer = Value | Err | None
_NOTHING: Final = memoryview(b"")


class ComponentHost(Host):
    """`Host` for a guest whose memory we do not see."""

    _written: bytearray | None = None
    _said: bytes = b""

    def message(self) -> str:
        """What the program said to its author."""
        return told(self._said)

    def component_call(self, name: str, trace: Trace | None) -> Callable[..., Answer]:
        """The host call of this name (of `abi`, without prefix), counted and told to `trace`."""
        body: Callable[..., Answer] = getattr(self, f"_{name}")
        calls = self.calls

        def counted(*arguments: Value) -> Answer:
            calls[name] += 1
            return body(*arguments)

        return counted if trace is None else _traced(name, counted, trace)

    def close(self) -> None:
        """Let go of inputs and result."""
        self._written = None
        super().close()

    def _input_count(self) -> Answer:
        return len(self._inputs)

    def _input_size(self, index: int) -> Answer:
        return _size(self._inputs, index, Status.BAD_INPUT)

    def _read_input(self, index: int, offset: int, size: int) -> Answer:
        if index >= len(self._inputs):
            return Err(Status.BAD_INPUT)
        return _piece(self._inputs[index], offset, size, Status.DATA_SOURCE_SIZE)

    def _stream_count(self) -> Answer:
        return len(self._streams)

    def _stream_size(self, index: int) -> Answer:
        return _size(self._streams, index, Status.BAD_STREAM)

    def _read_stream(self, index: int, offset: int, size: int) -> Answer:
        if index >= len(self._streams):
            return Err(Status.BAD_STREAM)
        return _piece(self._streams[index], offset, size, Status.STREAM_SOURCE_SIZE)

    def _has_previous_result(self) -> Answer:
        return self._previous is not None

    def _previous_result_size(self) -> Answer:
        return len(self._previous or b"")

    def _read_previous_result(self, offset: int, size: int) -> Answer:
        previous = self._previous if self._previous is not None else _NOTHING
        return _piece(previous, offset, size, Status.PREVIOUS_RESULT_SIZE)

    def _write_output(self, piece: bytes, last: bool) -> Answer:  # noqa: FBT001 - as the world has it
        if self.output_size is not None:
            return Err(Status.RESULT_ALREADY_WRITTEN)
        written = self._written = self._written if self._written is not None else bytearray()
        if len(written) + len(piece) > self._limits.output_bytes:
            raise LimitError(
                LimitCode.OUTPUT_SIZE, f"the limit is {self._limits.output_bytes} bytes"
            )
        written += piece
        if last:
            self._register(written)
        return None

    def _register(self, written: bytearray) -> None:
        if self._sink is None:
            self.output = bytes(written)
        else:
            with memoryview(written) as whole, whole.toreadonly() as result:
                self._sink(result)
        self.output_size = len(written)
        self._written = None

    def _message(self, text: bytes) -> Answer:
        self._said = (self._said + text[-MAX_MESSAGE_BYTES:])[-MAX_MESSAGE_BYTES:]
        return None

    def _getrandom(self, size: int) -> Answer:
        if size > PIECE_BYTES:
            return Err(Status.DATA_SOURCE_SIZE)
        self._take_random(size)
        try:
            return self._drawn(size) if size else b""
        except ServiceUnavailableError:
            return Err(Status.SERVICE_UNAVAILABLE)
        except PlatformError:
            return Err(Status.GENERIC)


def _size(contents: Sequence[memoryview], index: int, missing: Status) -> Answer:
    return len(contents[index]) if index < len(contents) else Err(missing)


def _piece(content: memoryview, offset: int, size: int, wrong: Status) -> Answer:
    """The bytes there, when they are all inside and no more than one piece."""
    if size > PIECE_BYTES or offset + size > len(content):
        return Err(wrong)
    return content[offset : offset + size].tobytes()


def _traced(name: str, call: Callable[..., Answer], trace: Trace) -> Callable[..., Answer]:
    """As of core modules, with sizes in place of contents; success is status 0."""

    def traced(*arguments: Value) -> Answer:
        status = None
        try:
            answer = call(*arguments)
            status = int(answer) if isinstance(answer, Err) else 0
        finally:
            numbers = tuple(len(one) if isinstance(one, bytes) else int(one) for one in arguments)
            trace(HostCallEvent(name, numbers, status))
        return answer

    return traced
