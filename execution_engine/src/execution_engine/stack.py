"""Running something on a stack of a size of its own."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

_T = TypeVar("_T")
# The stack size of new threads is a setting of the process.
_STACK_SIZE: Final = threading.Lock()


def run_on_stack(
    work: Callable[[], _T],
    *,
    stack_bytes: int,
    wait: Callable[[threading.Event], object] = threading.Event.wait,
) -> _T:
    """What `work` returns or raises, in a thread with a stack of `stack_bytes`.

    `wait` waits for the event that says that the work has ended, and may see to it; the thread has
    ended when this returns.
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

    thread = threading.Thread(target=body, name="guest", daemon=True)
    with _STACK_SIZE:
        before = threading.stack_size(stack_bytes)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    try:
        wait(ended)
    finally:
        thread.join()
    if errors:
        raise errors.pop()
    return answers.pop()
