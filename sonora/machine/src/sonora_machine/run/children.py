"""A program that runs beside us and ends with us, however we end."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Self

from mexico_city.sandbox import kernel
from sonora_machine.run.console import last_lines

_SET_PDEATHSIG: Final = 1
_STOP_S: Final = 5.0


class Child:
    """A process that the kernel kills when the thread that started it ends: start it in the main.

    It runs in a process group of its own, so that a terminal's Ctrl-C reaches its parent alone,
    which then ends it. What it says on standard output and error is kept.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path, descriptors: Collection[int] = ()
    ) -> None:
        self.name = Path(command[0]).name
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._process = subprocess.Popen(  # noqa: S603 - a program found by its name, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            pass_fds=tuple(descriptors),
            process_group=0,
            preexec_fn=partial(_end_with, os.getpid()),  # noqa: PLW1509 - there is one thread yet
        )

    @property
    def process_id(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ends within so long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.poll() is not None

    def said(self) -> str:
        """The last lines that it said."""
        return last_lines(self._output.fileno())

    def stop(self) -> None:
        """End it, gently first; idempotent."""
        if self.status is None:
            self._process.terminate()
            if not self.wait(_STOP_S):
                self._process.kill()
                self._process.wait()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _end_with(parent: int) -> None:
    """Have the kernel kill this process with its parent."""
    kernel.prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was quicker
        os._exit(1)
