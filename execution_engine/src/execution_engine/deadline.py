"""A deadline for something that only an interrupt from outside can stop."""

import threading
from collections.abc import Callable
from typing import Final

from veracruz_utils.frozen import frozen

_AGAIN_S: Final = 0.01


@frozen
class Deadline:
    """For `run_on_stack`: after `seconds`, `interrupt` is called until the work ends.

    The caller's thread waits, so that Ctrl-C stops a guest that never comes back to Python (if it
    can be interrupted), and is never raised in the middle of a host call.
    """

    seconds: float | None
    interrupt: Callable[[], None]

    def wait(self, ended: threading.Event) -> None:
        """Wait for the end, and bring it about once time is up."""
        try:
            ended.wait(self.seconds)
        finally:
            self._end(ended)

    def _end(self, ended: threading.Event) -> None:
        """Wait for the end, whatever signals say: the thread uses what we are about to free."""
        interrupted: BaseException | None = None
        while not ended.is_set():
            try:
                self.interrupt()  # again and again: the first may come before the deadline is set
                ended.wait(_AGAIN_S)
            except BaseException as error:  # noqa: BLE001  it is raised when the thread has ended
                interrupted = error
        if interrupted is not None:
            raise interrupted
