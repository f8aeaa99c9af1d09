"""What is printed when something fails inside: its kind, and nothing that could be a secret."""

import contextlib
import os
import sys
import threading
from typing import NoReturn


def report(where: str, kind: type[BaseException] | None) -> None:
    """Name the kind of an unforeseen failure on standard error; its text could hold secrets."""
    # Sonora stops reading from who writes too much, and may be gone.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{where} failed: {kind.__name__ if kind else None}\n")
        sys.stderr.flush()


def report_kinds_only() -> None:
    """Have Python say no more than `report` of what it cannot raise."""
    # It prints these with the text of the exception, which may quote an input.
    sys.unraisablehook = lambda unraisable: report("callback", unraisable.exc_type)
    threading.excepthook = lambda failed: report("thread", failed.exc_type)


def mute_libraries() -> None:
    """Keep standard error to `report`: what a library says as it aborts is not printed."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(1, 2)


def end(status: int) -> NoReturn:
    """Leave without running anything that was registered before the fork."""
    os._exit(status)
