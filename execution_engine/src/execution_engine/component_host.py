"""The host's side of the eleven calls for a component: values and pieces in place of pointers."""

from collections.abc import Sequence
from typing import Final

from execution_engine._component_capi import Err, Value
from execution_engine.abi import HostStatus
from execution_engine.host import Host
from execution_engine.message import MAX_MESSAGE_BYTES, message_text
from execution_engine.world import PIECE_BYTES
from platform_services import PlatformError, ServiceUnavailableError

Answer = Value | Err | None
_NOTHING: Final = memoryview(b"")


class ComponentHost(Host):
    """`Host` for a guest whose memory we do not see."""

    author_part: memoryview = _NOTHING
    """What the program's author wrote for the interpreter that it begins with."""
    _written: bytearray | None = None
    _said: bytes = b""

    def said(self) -> str:
        """What the program said to its author."""
        return message_text(self._said)

    def close(self) -> None:
        """Let go of inputs and result."""
        self._written = None
        super().close()

    def input_count(self) -> Answer:
        """The number of inputs."""
        return len(self._inputs)

    def input_size(self, index: int) -> Answer:
        """The length of an input."""
        return _size(self._inputs, index, HostStatus.BAD_INPUT)

    def read_input(self, index: int, offset: int, size: int) -> Answer:
        """A piece of an input."""
        if index >= len(self._inputs):
            return Err(HostStatus.BAD_INPUT)
        return _piece(self._inputs[index], offset, size, HostStatus.DATA_SOURCE_SIZE)

    def stream_count(self) -> Answer:
        """The number of streams."""
        return len(self._streams)

    def stream_size(self, index: int) -> Answer:
        """The length of a stream."""
        return _size(self._streams, index, HostStatus.BAD_STREAM)

    def read_stream(self, index: int, offset: int, size: int) -> Answer:
        """A piece of a stream."""
        if index >= len(self._streams):
            return Err(HostStatus.BAD_STREAM)
        return _piece(self._streams[index], offset, size, HostStatus.STREAM_SOURCE_SIZE)

    def has_previous_result(self) -> Answer:
        """Whether there is a previous result, were it empty."""
        return self._previous is not None

    def previous_result_size(self) -> Answer:
        """The length of the previous result, 0 without one."""
        return len(self._previous or b"")

    def read_previous_result(self, offset: int, size: int) -> Answer:
        """A piece of the previous result."""
        previous = self._previous if self._previous is not None else _NOTHING
        return _piece(previous, offset, size, HostStatus.PREVIOUS_RESULT_SIZE)

    def write_output(self, piece: bytes, last: bool) -> Answer:  # noqa: FBT001 - as the world has it
        """Take a piece of the result; the first whole one stays."""
        if self.output_size is not None:
            return Err(HostStatus.RESULT_ALREADY_WRITTEN)
        written = self._written = self._written if self._written is not None else bytearray()
        self._check_output(len(written) + len(piece))
        written += piece
        if last:
            with memoryview(written) as whole:
                self._register(whole)
            self._written = None
        return None

    def message(self, text: bytes) -> Answer:
        """Take text for the program's author; of all of it the end is kept."""
        self._said = (self._said + text[-MAX_MESSAGE_BYTES:])[-MAX_MESSAGE_BYTES:]
        return None

    def author_part_size(self) -> Answer:
        """The length of the author's part, 0 without one."""
        return len(self.author_part)

    def read_author_part(self, offset: int, size: int) -> Answer:
        """A piece of the author's part."""
        return _piece(self.author_part, offset, size, HostStatus.DATA_SOURCE_SIZE)

    def getrandom(self, size: int) -> Answer:
        """Random bytes of the platform."""
        if size > PIECE_BYTES:
            return Err(HostStatus.DATA_SOURCE_SIZE)
        self._take_random(size)
        try:
            return self._draw_random(size) if size else b""
        except ServiceUnavailableError:
            return Err(HostStatus.SERVICE_UNAVAILABLE)
        except PlatformError:
            return Err(HostStatus.GENERIC)


def _size(contents: Sequence[memoryview], index: int, missing: HostStatus) -> Answer:
    return len(contents[index]) if index < len(contents) else Err(missing)


def _piece(content: memoryview, offset: int, size: int, wrong: HostStatus) -> Answer:
    """The bytes there, when they are all inside and no more than one piece."""
    if size > PIECE_BYTES or offset + size > len(content):
        return Err(wrong)
    return content[offset : offset + size].tobytes()
