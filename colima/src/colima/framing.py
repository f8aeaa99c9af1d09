"""Length-prefixed frames, and the raw content that some of them announce.

A frame is a u32 little-endian length and that many bytes. After a frame that announces
content (`runtime.Upload`, `runtime.Result`) the bytes up to the announced size are the
content itself, without frames; the receiver knows the size and takes them with `take`.
"""

import struct
from collections.abc import Callable
from typing import Final

from colima.errors import WireError

_LENGTH: Final = struct.Struct("<I")
HEADER_BYTES: Final = _LENGTH.size
MAX_REQUEST_BYTES: Final = 64 * 1024
"""The limit of a frame with a request; content does not count."""
MAX_RESPONSE_BYTES: Final = 1024 * 1024
"""The limit of a frame with an answer, most of which is a receipt."""


def frame(payload: bytes) -> bytes:
    """`payload` with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


def payload_length(header: bytes, *, limit: int) -> int:
    """The length that a 4-byte header announces, in bytes.

    Raises:
        WireError: it is over `limit`; nothing has been allocated for it.
    """
    (length,) = _LENGTH.unpack(header)
    if length > limit:
        raise WireError(f"a frame of {length} bytes was announced, the limit is {limit}")
    return int(length)


class FrameDecoder:
    """Cuts a byte stream into frames and content, however it was split on the way.

    It holds what was fed and not yet taken: at most one frame in the making plus the
    caller's own last piece, so long as the caller takes all it can after each `feed`.
    """

    def __init__(self, limit: int = MAX_REQUEST_BYTES) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def __len__(self) -> int:
        """How many bytes were fed and not taken."""
        return len(self._buffer)

    def feed(self, data: bytes | memoryview) -> None:
        """Add what arrived."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The payload of the next frame, or None until all of it has been fed.

        Raises:
            WireError: the frame is longer than the limit.
        """
        if len(self._buffer) < HEADER_BYTES:
            return None
        length = payload_length(bytes(self._buffer[:HEADER_BYTES]), limit=self._limit)
        end = HEADER_BYTES + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[HEADER_BYTES:end])
        del self._buffer[:end]
        return payload

    def take(self, most: int) -> bytes:
        """Up to `most` bytes of raw content, all that was fed if that is less."""
        content = bytes(self._buffer[:most])
        del self._buffer[:most]
        return content


def read_frame(receive: Callable[[int], bytes], *, limit: int = MAX_REQUEST_BYTES) -> bytes | None:
    """One frame from a blocking source such as `socket.recv`; None at a clean end.

    Never asks for a byte beyond the frame, so a descriptor sent after it stays with its own byte.

    Raises:
        WireError: the source ended inside the frame, or the frame is longer than `limit`.
    """
    header = _read_exactly(receive, HEADER_BYTES)
    if header is None:
        return None
    payload = _read_exactly(receive, payload_length(header, limit=limit))
    if payload is None:
        raise WireError("the stream ended inside a frame")
    return payload


def _read_exactly(receive: Callable[[int], bytes], size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = receive(size - len(pieces))
        if not piece:
            if not pieces:
                return None
            raise WireError("the stream ended inside a frame")
        pieces += piece
    return bytes(pieces)
