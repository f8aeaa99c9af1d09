"""A bounded queue of chunks between two threads that either side can close."""

import math
import time
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Final, TypeVar

_END: Final = None
_NOTICE_S: Final = 0.5
_T = TypeVar("_T")


class Pipe:
    """At most `capacity` chunks in flight.

    Closing wakes everybody: what is inside can still be taken, nothing more goes in.

    Theory of operation. Two unbounded queues: of chunks, and of permits to put one in, as many as
    there is room. So the mark of the end always fits behind the last chunk, where it stays, and a
    permit more wakes whoever waits for room, to find the pipe closed and pass the permit on.
    """

    def __init__(self, capacity: int) -> None:
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(capacity):
            self._permits.put(None)
        self._closing = Lock()
        self._closed = False

    def put(self, chunk: bytes, timeout_s: float | None = None) -> bool:
        """Add a chunk, waiting for room; False when the pipe is closed.

        Raises:
            TimeoutError: no room for `timeout_s`.
        """
        _take(self._permits, timeout_s)
        with self._closing:
            if not self._closed:
                self._chunks.put(chunk)
                return True
        self._permits.put(None)
        return False

    def get(self, timeout_s: float | None = None) -> bytes | None:
        """The oldest chunk, waiting for one; None when the pipe is closed and empty.

        Raises:
            TimeoutError: no chunk for `timeout_s`.
        """
        chunk = _take(self._chunks, timeout_s)
        if chunk is _END:
            self._chunks.put(_END)
        else:
            self._permits.put(None)
        return chunk

    def close(self) -> None:
        """Let nothing more in."""
        with self._closing:
            self._closed = True
            self._chunks.put(_END)
        self._permits.put(None)


def _take(queue: "SimpleQueue[_T]", timeout_s: float | None) -> _T:
    """The next of a queue; TimeoutError when there was none for so long."""
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left_s = deadline - time.monotonic()
        try:
            # Ctrl-C at the moment when a wait begins is noticed when it ends, so none is long.
            return queue.get(timeout=max(0.0, min(_NOTICE_S, left_s)))
        except Empty:
            if left_s <= _NOTICE_S:
                raise TimeoutError from None
