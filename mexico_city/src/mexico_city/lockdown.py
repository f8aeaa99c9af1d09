"""What a process of an isolate gives up before any secret exists.

This is process hygiene, not yet a sandbox: no core dumps, no tracing by other processes of the same
user, no privileges regained on exec, no descriptor that was not handed over, no module loaded that
was not measured, no text of an exception printed, and no life beyond its parent's. Namespaces,
Landlock and seccomp have their place here, in `enter`.
"""

import contextlib
import ctypes
import mmap
import os
import resource
import signal
import sys
import threading
from collections.abc import Collection
from typing import Final, NoReturn

from mexico_city.errors import RuntimeFailure
from veracruz_utils.policy import Limits

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SLACK_BYTES: Final = 16 * 1024 * 1024
"""Headroom above present use and the policy's limits."""


class _NothingElse:
    """A finder that refuses every module that is not loaded yet."""

    def find_spec(self, name: str, *_: object) -> NoReturn:
        """Refuse `name`."""
        raise ModuleNotFoundError(f"module {name} was not measured", name=name)


def enter(*, keep: Collection[int], parent: int) -> None:
    """Give up what the isolate does not need.

    Args:
        keep: the descriptors to keep besides 0 to 2; these are /dev/null and standard error.
        parent: the process id of the process whose end must be ours too.

    Raises:
        RuntimeFailure: the kernel refuses, or the parent is gone already.
    """
    # Descriptors first: a channel of another isolate must not be open while anything else is done.
    # 0 and 1 are /dev/null: closed, they would be the numbers of the next files, and prints would
    # go into them.
    _close_all_but({0, 1, 2, *keep})
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before that call, which then never comes to effect. 0 is a parent
    # outside our pid namespace.
    if os.getppid() not in {0, parent}:
        raise RuntimeFailure("the parent of this process is gone")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    keep_others_out()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The soft limit is 1024 by custom; a policy may order thousands of inputs, each an open file.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # What is loaded from here on would execute without having been measured.
    sys.meta_path[:] = [_NothingElse()]
    # Python prints these with the text of the exception, which may quote an input.
    sys.unraisablehook = lambda unraisable: report_failure("callback", unraisable.exc_type)
    threading.excepthook = lambda failed: report_failure("thread", failed.exc_type)


def keep_others_out() -> None:
    """Not dumpable: no core file, and no ptrace or /proc/PID/mem for processes of the same user.

    Raises:
        RuntimeFailure: the kernel refuses.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def report_failure(where: str, kind: type[BaseException] | None) -> None:
    """Name the kind of an unforeseen failure on standard error; its text could hold secrets."""
    # Sonora stops reading from who writes too much, and may be gone.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{where} failed: {kind.__name__ if kind else None}\n")
        sys.stderr.flush()


def bound_memory(limits: Limits) -> None:
    """Let this process allocate what compiling a program may take, and later what a run may."""
    compiling = _data_bytes() + _SLACK_BYTES + limits.compile_memory_bytes
    running = compiling + limits.memory_bytes + limits.stack_bytes
    # The hard limit is the one for runs: `allow_run_memory` cannot go beyond it, nor a program.
    # Not RLIMIT_AS: the engine reserves 4 GiB of addresses that it may never touch.
    resource.setrlimit(resource.RLIMIT_DATA, (compiling, running))


def allow_run_memory() -> None:
    """Let this process, which has compiled its program, allocate what a run may take."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def mute_libraries() -> None:
    """Keep standard error to `report_failure`: what a library says as it aborts is not printed."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(1, 2)


def end(status: int) -> NoReturn:
    """Leave without running anything that was registered before the fork."""
    os._exit(status)


def _data_bytes() -> int:
    """What this process has by now of the memory that RLIMIT_DATA counts, to the page.

    There is no /proc in an isolate to read it from: it is the lowest limit that a page fits under.
    """
    page = resource.getpagesize()
    usual = resource.getrlimit(resource.RLIMIT_DATA)
    low, high = 0, 1 << 40 if usual[1] == resource.RLIM_INFINITY else usual[1]
    try:
        while high - low > page:
            middle = (low + high) // 2
            resource.setrlimit(resource.RLIMIT_DATA, (middle, usual[1]))
            try:
                mmap.mmap(-1, page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
                high = middle
            except (OSError, MemoryError):
                low = middle
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, usual)
    return high


def _close_all_but(keep: Collection[int]) -> None:
    start = 0
    for descriptor in sorted(keep):
        if start < descriptor:  # of an empty range from 0 it closes everything
            os.closerange(start, descriptor)
        start = descriptor + 1
    # 2**20 is the kernel's bound on any process's descriptors (fs.nr_open), unless it was raised.
    os.closerange(start, 2**20)


def _prctl(option: int, value: int) -> None:
    # The kernel refuses NO_NEW_PRIVS unless the arguments that it does not use are 0.
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise RuntimeFailure(f"prctl({option}) failed with errno {ctypes.get_errno()}")
