"""A bounded queue of chunks between two threads that either side can close."""

from collections import deque
from threading import Condition


class Pipe:
    """At most `capacity` chunks in flight.

    Closing wakes everybody: what is inside can still be taken, nothing more goes in. (With a
    `queue.Queue` the marker for the end does not fit when the queue is full, and a thread of gRPC
    that waits for a request would wait for ever.)
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._chunks: deque[bytes] = deque()
        self._changed = Condition()
        self._closed = False

    def put(self, chunk: bytes, timeout_s: float | None = None) -> bool:
        """Add a chunk, waiting for room; False when the pipe is closed.

        Raises:
            TimeoutError: no room for `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout_s):
                raise TimeoutError
            if self._closed:
                return False
            self._chunks.append(chunk)
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float | None = None) -> bytes | None:
        """The oldest chunk, waiting for one; None when the pipe is closed and empty.

        Raises:
            TimeoutError: no chunk for `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(self._has_news, timeout_s):
                raise TimeoutError
            if not self._chunks:
                return None
            chunk = self._chunks.popleft()
            self._changed.notify_all()
            return chunk

    def close(self) -> None:
        """Let nothing more in."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or len(self._chunks) < self._capacity

    def _has_news(self) -> bool:
        return self._closed or bool(self._chunks)
