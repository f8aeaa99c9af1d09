"""Running something that only an interrupt from outside can stop."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

_T = TypeVar("_T")
_AGAIN_S: Final = 0.01
# The stack size of new threads is a setting of the process.
_STACK_SIZE: Final = threading.Lock()


def run_with_deadline(
    work: Callable[[], _T],
    *,
    seconds: float | None,
    stack_bytes: int,
    interrupt: Callable[[], None],
) -> _T:
    """What `work` returns or raises; after `seconds`, `interrupt` is called until it ends.

    `work` runs in a thread with a stack of `stack_bytes`, which has ended when this returns. The
    caller's thread waits, so that Ctrl-C stops a guest that never comes back to Python (if it can
    be interrupted), and is never raised in the middle of a host call.
    """
    answers: list[_T] = []
    errors: list[BaseException] = []
    ended = threading.Event()  # Thread.join believes a thread dead when Ctrl-C interrupts it

    def body() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # noqa: BLE001  it is raised where the caller waits
            errors.append(error)
        finally:
            ended.set()

    thread = _start(body, stack_bytes)
    try:
        ended.wait(seconds)
    finally:
        _end(ended, interrupt)
        thread.join()
    if errors:
        raise errors.pop()
    return answers.pop()


def _start(body: Callable[[], None], stack_bytes: int) -> threading.Thread:
    thread = threading.Thread(target=body, name="guest", daemon=True)
    with _STACK_SIZE:
        before = threading.stack_size(stack_bytes)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread


def _end(ended: threading.Event, interrupt: Callable[[], None]) -> None:
    """Wait for the end, whatever signals say: the thread uses what we are about to free."""
    interrupted: BaseException | None = None
    while not ended.is_set():
        try:
            interrupt()  # again and again: the first may come before the deadline is set
            ended.wait(_AGAIN_S)
        except BaseException as error:  # noqa: BLE001  it is raised when the thread has ended
            interrupted = error
    if interrupted is not None:
        raise interrupted
