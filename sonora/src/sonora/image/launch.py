"""Sonora's side of the start of a zygote out of an image."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from sonora.errors import SonoraError
from sonora.image.kernel_calls import unreadable
from sonora.image.processes import apart
from sonora.image.source import RuntimeImage
from sonora.process import how_it_ended
from veracruz_utils.frozen import frozen

START_S: Final = 60.0
"""That the start of a zygote may take, unless told otherwise."""


class ZygoteProcess:
    """The zygote, a child of this process that `subprocess` did not start.

    Safe to share between threads.

    Attributes:
        pid: its process id.
        exit_code: how it ended, once that was waited for; negative codes are signals.
    """

    def __init__(self, process_id: int) -> None:
        self.pid = process_id
        self._descriptor = os.pidfd_open(process_id)
        self._lock = threading.Lock()
        self._reaped = False
        self.exit_code: int | None = None

    def kill(self) -> None:
        """End it if it still runs."""
        with self._lock, suppress(ProcessLookupError):
            if not self._reaped:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end, and reap it; whether it has ended."""
        with self._lock:
            if self._reaped:
                return True
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(None if timeout_s is None else timeout_s * 1000):
                return False
            self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._descriptor)
            self._reaped = True
            return True


@frozen
class StartedImage:
    """An image that runs as the zygote.

    Attributes:
        zygote: its process.
        own_root: whether the checked copy is the root of all that it sees; else the kernel gives
            no namespaces, and it sees what this user sees.
        place: the folder where the copy is, or else was, mounted; `remove_copy` when all is loaded.
    """

    zygote: ZygoteProcess
    own_root: bool
    place: tempfile.TemporaryDirectory[str]

    def remove_copy(self) -> None:
        """Leave nothing to exchange: what is loaded stays loaded."""
        self.place.cleanup()


def start_overdue(start_s: float) -> SonoraError:
    """What is said of a start that was given this long, and was not done."""
    return SonoraError(
        f"the zygote did not start within {start_s:g} s, which is no fault of the image by itself: "
        "a busy or emulated machine needs longer (sonora serve --zygote-start SECONDS)"
    )


def start_image(
    image: RuntimeImage, channel: int, errors: IO[bytes], *, start_s: float = START_S
) -> StartedImage:
    """Start the zygote out of a private copy of the image, which was checked.

    Args:
        image: what to start.
        channel: the descriptor of the zygote's end of its channel.
        errors: what the zygote and its start write their standard error to.
        start_s: how long copy and check may take.

    Raises:
        SonoraError: it cannot be started, or the copy is not what the manifest says.
    """
    place = tempfile.TemporaryDirectory(prefix="veracruz-image-")
    try:
        answer = _starter(image, place.name, channel, errors, start_s)
        return StartedImage(
            ZygoteProcess(int(answer["process_id"])), bool(answer["own_root"]), place
        )
    except BaseException:
        place.cleanup()
        raise


@contextmanager
def _interpreter() -> Iterator[int]:
    """This interpreter's program, to be executed and not read."""
    with Path(sys.executable).open("rb") as file:
        descriptor = unreadable(file.fileno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _starter(
    image: RuntimeImage, place: str, channel: int, errors: IO[bytes], start_s: float
) -> dict[str, int | bool]:
    with (
        _interpreter() as interpreter,
        subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            apart("starter", str(image.root), place, str(channel)),
            # Closed to other processes of this user before it can say so itself.
            executable=f"/proc/self/fd/{interpreter}",
            pass_fds=[channel, interpreter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={},
            cwd="/",
            process_group=0,  # a terminal's Ctrl-C is the service's to handle
        ) as starter,
    ):
        try:
            said, _ = starter.communicate(image.manifest.text, timeout=start_s)
        except subprocess.TimeoutExpired:
            starter.kill()
            raise start_overdue(start_s) from None
        except BaseException:  # an interrupt, too, must leave no process behind
            starter.kill()
            raise
    try:
        answer = json.loads(said)
    except ValueError:
        raise SonoraError(
            f"the runtime image was not started ({how_it_ended(starter.returncode)}); "
            "what was said is above"
        ) from None
    if "error" in answer:
        raise SonoraError(f"the runtime image was not started: {answer['error']}")
    found: dict[str, int | bool] = answer
    return found
