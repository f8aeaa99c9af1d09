"""Things tried for real, in a process that ends with the attempt and takes nothing with it."""

import os
import select
import signal
from collections.abc import Callable
from typing import Final

from mexico_city.sandbox import kernel

_TIMEOUT_S: Final = 10.0
_SET_PDEATHSIG: Final = 1
_SAID_BYTES: Final = 4096


class Unable(Exception):  # noqa: N818 - it is an answer, not a fault of ours
    """What was tried did not have the effect that it should."""


def attempt(act: Callable[[], str | None]) -> tuple[bool, str]:
    """Do something in a child process; whether it could be done, and what was said of it.

    What `act` returns is said, or else the reason why it could not be done, in the kernel's words.
    """
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        _be_child(act, writing)
    os.close(writing)
    watch = os.pidfd_open(process_id)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        late = not poll.poll(_TIMEOUT_S * 1000)
        if late:
            signal.pidfd_send_signal(watch, signal.SIGKILL)
        _, status = os.waitpid(process_id, 0)
        said = "" if late else os.read(reading, _SAID_BYTES).decode("utf-8", "replace")
    finally:
        os.close(watch)
        os.close(reading)
    code = os.waitstatus_to_exitcode(status)
    if late:
        return False, f"no answer in {_TIMEOUT_S:.0f} s"
    if code < 0:
        return False, f"ended by signal {-code}"
    return code == 0, said


def _be_child(act: Callable[[], str | None], writing: int) -> None:
    status = 1
    try:
        kernel.prctl(_SET_PDEATHSIG, signal.SIGKILL)
        said = act() or ""
        status = 0
    except OSError as error:
        said = (error.strerror or str(error)).lower()
    except BaseException as error:  # noqa: BLE001 - the parent says it
        said = str(error) or type(error).__name__
    try:
        os.write(writing, said.encode()[:_SAID_BYTES])
    finally:
        os._exit(status)
