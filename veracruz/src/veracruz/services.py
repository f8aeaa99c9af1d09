"""The services of Veracruz as child processes: started, waited for, ended without a trace."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, Self

from veracruz.errors import ServiceError
from veracruz.interrupts import undisturbed

_READY: Final = re.compile(r': "?ready on (\S+?)[,:"]*(?:\s|$)')  # as text or JSON
_START_S: Final = 60.0
_STOP_S: Final = 15.0
_LAST_LINES: Final = 20


class Service:
    """One service, such as `Service("tabasco", ["serve", "--listen", "127.0.0.1:0"])`.

    It runs in a process group of its own, so that a terminal's Ctrl-C reaches only its parent,
    which then ends it. `start` returns at once, `wait_ready` when the service says that it serves.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        self.name = program
        self.address = ""
        # -P: a folder `tabasco` where the user happens to stand is not what is meant.
        self._command = [sys.executable, "-P", "-m", program, *arguments]
        self._environment = environment
        self._cwd = cwd
        self._process: subprocess.Popen[str] | None = None
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._news = threading.Event()
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Start the process; an interruption either comes before it or finds something to end."""
        try:
            with undisturbed():
                self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_ready(self) -> str:
        """The address it serves on.

        Raises:
            ServiceError: it ended, or is not ready within a minute.
        """
        self._news.wait(_START_S)
        if not self.address:
            output = "\n  ".join(self._lines)
            raise ServiceError(f"{self.name} did not start; its last output:\n  {output}")
        return self.address

    @property
    def process_id(self) -> int:
        """The process id of a started service."""
        assert self._process is not None
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The last lines it wrote to standard error."""
        return "\n".join(self._lines)

    def wait(self, timeout_s: float) -> int:
        """The exit status of a service that ends by itself.

        Raises:
            ServiceError: it goes on.
        """
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"{self.name} did not end within {timeout_s:g} s") from None

    def stop(self) -> int | None:
        """End it, gently first; its exit status, None if it never started."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._reader is not None:
            self._reader.join(_STOP_S)
        return self._process.returncode

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and programs
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Read by a thread for as long as it runs: a pipe that is full would stop the service.
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self._environment,
            cwd=self._cwd,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep the last lines and notice the one that says it is ready."""
        assert self._process is not None
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._lines.append(line.rstrip()[:500])
                ready = _READY.search(line)
                if ready and not self.address:
                    self.address = ready[1]
                    self._news.set()
        self._news.set()
