"""Processes: what Sonora's own give up at once, and how it holds those of isolates."""

import contextlib
import ctypes
import os
import resource
import signal
import threading
from pathlib import Path
from typing import Final

from sonora.errors import SonoraError

_PR_SET_DUMPABLE: Final = 4
_LEAST: Final = 19
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def protect_this_process() -> None:
    """Keep other processes of the same user out of this one's memory, and its memory off the disk.

    No /proc/PID/mem, /proc/PID/environ, ptrace or core file, for anybody but the machine's root.

    Raises:
        SonoraError: the kernel refuses, or another process traces this one already.
    """
    if _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise SonoraError(f"this process cannot be protected from others: {reason}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Who attached before that call stays attached.
    fields = _status()
    if fields["TracerPid"] != "0":
        raise SonoraError(
            f"process {fields['TracerPid']} traces this one, and could read its keys: end it"
        )


def _status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text("utf-8", "replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def how_it_ended(exit_code: int) -> str:
    """An exit code in words; negative codes are signals."""
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"


class ProcessHandle:
    """A process that another one forked, held by its pidfd.

    A process id is used anew when its process is reaped, and means nothing in another namespace; a
    pidfd stays with the one process. Safe to share between threads.
    """

    def __init__(self, descriptor: int) -> None:
        """Own this pidfd."""
        self._descriptor = descriptor
        self._lock = threading.Lock()

    @property
    def process_id(self) -> int:
        """Its id here, for people; 0 when it is reaped, or not of this namespace."""
        with self._lock, contextlib.suppress(OSError):
            lines = Path(f"/proc/self/fdinfo/{self._descriptor}").read_bytes().splitlines()
            fields = dict(line.split(b":", 1) for line in lines)
            return max(0, int(fields[b"Pid"]))
        return 0

    def is_open_to_us(self) -> bool:
        """Whether this process can open its memory, as any other of the same user then can."""
        try:
            os.close(os.open(f"/proc/{self.process_id}/mem", os.O_RDONLY))
        except OSError:
            return False
        return True

    def give_way(self) -> None:
        """Have it compute when no other process would, as far as the kernel lets us say so."""
        with contextlib.suppress(OSError):
            if process_id := self.process_id:  # 0 would be our own
                os.setpriority(os.PRIO_PROCESS, process_id, _LEAST)

    def kill(self) -> None:
        """End it by SIGKILL if it still runs."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._descriptor >= 0:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it; idempotent."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
