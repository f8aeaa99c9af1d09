"""Memory that sessions have left, given back to the system.

The C library keeps what is freed for the next allocation, also what a thousand sessions had that
will not come again. glibc gives it back when asked to; other C libraries do so themselves.
"""

import ctypes
import gc
from collections.abc import Callable
from typing import Final, cast

REST_S: Final = 5.0
"""Between two times: it takes milliseconds, in which nothing passes."""
SESSIONS: Final = 32
"""So many have to have left since."""


def trim_of_libc() -> Callable[[int], int]:
    """`malloc_trim`; where there is none, a function that does nothing."""
    found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda _: 0) if found is None else cast("Callable[[int], int]", found)


class MemoryReturn:
    """When to give memory back: after many sessions left, and not too often."""

    def __init__(self, trim: Callable[[int], int] | None = None) -> None:
        self._trim = trim_of_libc() if trim is None else trim
        self._left = 0
        self._last = float("-inf")

    def session_left(self) -> None:
        """Count a session that is over."""
        self._left += 1

    def turn(self, now: float) -> bool:
        """Give back what is free if it is time; whether it was, at `now` of the monotonic clock."""
        if self._left < SESSIONS or now < self._last + REST_S:
            return False
        self._left, self._last = 0, now
        gc.collect()  # a call of gRPC's is in cycles with its tasks
        self._trim(0)
        return True
