"""Limits of the kernel: how much an isolate's processes may use, whatever they do."""

import mmap
import resource
from typing import Final

from veracruz_utils.policy import Limits

_SLACK_BYTES: Final = 16 * 1024 * 1024
"""Headroom above present use and the policy's limits."""
_FRONT_BYTES: Final = 1280 * 1024 * 1024
"""What the front may allocate: for sessions 1152 MiB in all, and of receipts 64 MiB.

Inputs and results are files."""
_ADDRESS_BYTES: Final = 64 * 1024 * 1024 * 1024
"""Of addresses, besides mapped inputs: the engine reserves 4 GiB for each memory of a program.

Page tables of what is only ever read are in no other limit: here they take 128 MiB at most."""
_PROCESSES: Final = 9
"""Front, keeper, guest, the guest's run, and those of its runs before that are not reaped yet."""
_PAGE_BYTES: Final = resource.getpagesize()


def bound_process(*, alone: bool) -> None:
    """Set the limits that are no policy's.

    Args:
        alone: the processes that count against the limit are this isolate's only.
    """
    for none in (resource.RLIMIT_MSGQUEUE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_CORE):
        resource.setrlimit(none, (0, 0))
    if alone:
        resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES, _PROCESSES))
    # The soft limit is 1024 by custom; a policy may order thousands of inputs, each an open file.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bound_files(*, files: int, file_bytes: int) -> None:
    """Let this process have so many files open, and make none of more than so many bytes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def bound_front_memory() -> None:
    """Let the front process allocate what its sessions may take."""
    most = _data_bytes() + _FRONT_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def bound_memory(limits: Limits) -> None:
    """Let this process allocate what compiling a program may take, and later what a run may."""
    compiling = _data_bytes() + _SLACK_BYTES + limits.compile_memory_bytes
    running = compiling + limits.memory_bytes + limits.stack_bytes
    # The hard limit is the one for runs: `allow_run_memory` cannot go beyond it, nor a program.
    resource.setrlimit(resource.RLIMIT_DATA, (compiling, running))


def bound_addresses(*, mapped_bytes: int) -> None:
    """Let this process have no more addresses than it needs, with files of so many bytes mapped."""
    most = _ADDRESS_BYTES + mapped_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def allow_run_memory() -> None:
    """Let this process, which has compiled its program, allocate what a run may take."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _data_bytes() -> int:
    """What this process has by now of the memory that RLIMIT_DATA counts.

    An isolate has no /proc to read it from. So the limit itself is asked: the least that still lets
    this process map a page more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    below, enough = 0, 2**32 // _PAGE_BYTES
    try:
        while below + 1 < enough:
            middle = (below + enough) // 2
            resource.setrlimit(resource.RLIMIT_DATA, (middle * _PAGE_BYTES, hard))
            if _one_page_fits():
                enough = middle
            else:
                below = middle
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    return (enough - 1) * _PAGE_BYTES


def _one_page_fits() -> bool:
    try:
        mmap.mmap(-1, _PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True
