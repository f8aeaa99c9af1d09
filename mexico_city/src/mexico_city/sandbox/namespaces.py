"""Namespaces: an isolate sees no process, mount, network, queue or host name but its own.

The pid namespace is made by the zygote as it forks, since a process cannot change its own: the
isolate is pid 1 in it, and everything in it ends with that. The others are made by the isolate.
Its user namespace maps no id: to files and processes outside it is whoever Sonora runs as, and
inside it has no name and no power once its capabilities are gone.
"""

import contextlib
import os
from typing import Final

from mexico_city.sandbox import kernel

_NEWNS: Final = 0x00020000
_NEWCGROUP: Final = 0x02000000
_NEWUTS: Final = 0x04000000
_NEWIPC: Final = 0x08000000
_NEWUSER: Final = 0x10000000
_NEWPID: Final = 0x20000000
_NEWNET: Final = 0x40000000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x40000


def fork_apart(own: int) -> int:
    """Fork; the child is pid 1 of a new pid namespace where the kernel lets us make one.

    Args:
        own: a pidfd of this process, by which it finds back to its own namespace.

    Raises:
        OSError: there is no new process.
    """
    apart = False
    with contextlib.suppress(OSError):
        # Nothing changes by it, but it says whether there is a way back before we go.
        kernel.call("setns", own, _NEWPID)
        kernel.call("unshare", _NEWPID)
        apart = True
    process_id = -1
    try:
        process_id = os.fork()
    finally:
        # Or the next isolate would be a process of this one's namespace, and see it.
        if process_id != 0 and apart:
            kernel.call("setns", own, _NEWPID)
    return process_id


def enter() -> bool:
    """Enter all the other namespaces; whether this process now has seven of its own."""
    try:
        # Single-threaded: the kernel gives no user namespace to a process with threads.
        kernel.call("unshare", _NEWUSER | _NEWNS | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP)
        # What is mounted outside later must not turn up here.
        kernel.call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError:
        return False
    return os.getpid() == 1
