"""Ctrl-C and its like, counted instead of obeyed: a machine is powered off first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """How often somebody wanted us to end."""

    def __init__(self) -> None:
        self._count = 0
        self._news = threading.Event()

    def came(self) -> bool:
        """Whether we are to end."""
        return self._count > 0

    def came_again(self) -> bool:
        """Whether somebody does not want to wait for it."""
        return self._count > 1

    def wait(self, timeout_s: float) -> None:
        """Wait so long for the first."""
        self._news.wait(timeout_s)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count them from here on; for the main thread."""

        def count(*_: object) -> None:
            self._count += 1
            self._news.set()

        before = {number: signal.signal(number, count) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
