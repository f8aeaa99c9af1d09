"""What a process may do to others and others to it: capabilities, dumps, the end of its parent."""

import errno
import os
import resource
import signal
import struct
from typing import Final

from mexico_city.errors import RuntimeFailure
from mexico_city.sandbox import kernel

_SET_PDEATHSIG: Final = 1
_SET_DUMPABLE: Final = 4
_CAPBSET_DROP: Final = 24
_SET_SECUREBITS: Final = 28
_SET_NO_NEW_PRIVS: Final = 38
_CAP_AMBIENT: Final = 47
_CAP_AMBIENT_CLEAR_ALL: Final = 4
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, and KEEP_CAPS not; each locked.
_NO_POWER_OF_ROOT: Final = 0xEF
_CAPABILITIES_VERSION: Final = 0x20080522
_MOST_CAPABILITIES: Final = 64


def end_with(parent: int) -> None:
    """End when the parent process does.

    Raises:
        RuntimeFailure: it is gone already.
    """
    kernel.prctl(_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before that call, which then never comes to effect. 0 is a parent outside
    # our pid namespace, which ends with the namespace that the parent is in.
    if os.getppid() not in {0, parent}:
        raise RuntimeFailure("the parent of this process is gone")


def keep_others_out() -> None:
    """Not dumpable: no core file, and no ptrace or /proc/PID/mem for processes of the same user.

    After the namespaces: who enters one becomes dumpable on some systems (fs.suid_dumpable).
    """
    kernel.prctl(_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def gain_none() -> None:
    """Whatever is executed gives this process no privilege that it does not have."""
    kernel.prctl(_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> bool:
    """Drop all capabilities, for good; False if this process may not give up those to come.

    That is so for an unprivileged process outside a user namespace of its own.
    """
    kernel.call("prctl", _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    bounded = _empty_bounding_set()
    if bounded:
        kernel.prctl(_SET_SECUREBITS, _NO_POWER_OF_ROOT)
    # Last: those above need one.
    kernel.call("capset", struct.pack("Ii", _CAPABILITIES_VERSION, 0), bytes(24))
    return bounded


def _empty_bounding_set() -> bool:
    for each in range(_MOST_CAPABILITIES):
        try:
            kernel.prctl(_CAPBSET_DROP, each)
        except OSError as error:
            return error.errno == errno.EINVAL  # the one after the last
    return True
