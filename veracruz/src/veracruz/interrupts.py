"""Interruptions put off while something must not be left half done."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], object] | int | None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Ctrl-C, SIGTERM and SIGHUP waiting; as the block is left they do what they usually do.

    Signals are the main thread's business; in other threads nothing has to be put off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def put_off(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = _exchange(dict.fromkeys(_SIGNALS, put_off))
    try:
        yield
    finally:
        _exchange(before)
        if came:
            signal.raise_signal(came[0])


def _exchange(handlers: Mapping[signal.Signals, _Handler]) -> dict[signal.Signals, _Handler]:
    """Set all of these handlers, undisturbed itself; the former ones."""
    signal.pthread_sigmask(signal.SIG_BLOCK, handlers)
    try:
        return {number: signal.signal(number, handler) for number, handler in handlers.items()}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
