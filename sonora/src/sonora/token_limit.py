"""How often an isolate is vouched for at most.

A token is a signature by the one enrolled key: a bridge in a loop must not starve others.
"""

from typing import Final

from sonora.errors import SonoraError

TOKENS_EACH: Final = 1200
"""In `TOKEN_WINDOW_S`, for one isolate and each bridge that it may have."""
TOKEN_WINDOW_S: Final = 60.0


class TokenLimit:
    """How often one isolate was vouched for lately, counted in windows of time."""

    def __init__(self, most: int = TOKENS_EACH, window_s: float = TOKEN_WINDOW_S) -> None:
        self._most = most
        self._window_s = window_s
        self._began = 0.0
        self._count = 0

    def take(self, now: float) -> None:
        """Count one more, at `now` in seconds of the monotonic clock.

        Raises:
            SonoraError: there were too many.
        """
        if now >= self._began + self._window_s:
            self._began, self._count = now, 0
        if self._count >= self._most:
            raise SonoraError(
                f"{self._most} tokens in {self._window_s:.0f} s for one isolate: try again later"
            )
        self._count += 1
