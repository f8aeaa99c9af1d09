"""The event loop that serves all gRPC calls of a process, in a thread of its own.

There is one for however many services: gRPC has one queue of events for all loops of a process.
It lives as long as the process, which does not wait for it.
"""

import asyncio
import threading
from typing import Final


class _LoopThread:
    """The loop, once somebody wants it."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=self._loop.run_forever, name="calls", daemon=True)
                thread.start()
            return self._loop


_OF_PROCESS: Final = _LoopThread()


def event_loop() -> asyncio.AbstractEventLoop:
    """The loop, running; callable from any thread."""
    return _OF_PROCESS.loop()
