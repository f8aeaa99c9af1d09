"""How the bytes of a session get to an isolate; `stream` and `bulk` are the two ways."""

from typing import Protocol


class Transport(Protocol):
    """Carries bytes both ways, in order; may be cut, and is never trusted."""

    @property
    def peer(self) -> str:
        """Who is at the other end, for messages: 'sinaloa at 127.0.0.1:3000'."""

    def send(self, data: bytes) -> None:
        """Hand over `data`, waiting while the other end is slow.

        Raises:
            TimeoutError: the other end took nothing for too long.
            SessionError: there is no other end any more.
        """

    def receive(self, timeout_s: float) -> bytes | memoryview:
        """The next bytes, until something is received anew; none when none will follow.

        Raises:
            TimeoutError: nothing came for `timeout_s`.
            SessionError: the other end failed or cannot be reached.
        """

    def close(self) -> None:
        """Send what was handed over, then let go; idempotent."""

    def abort(self) -> None:
        """Let go at once, from any thread; who sends or receives is told that it is lost."""
