"""What only the kernel can do for the first process: mounts, modules, the root, the end."""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_FINIT_MODULE: Final = 313  # x86-64
_COMPRESSED_FILE: Final = 4
_POWER_OFF: Final = 0x4321FEDC
_NOT_HERE: Final = frozenset(
    {errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP, errno.EEXIST, errno.ENOENT}
)
"""What modules answer whose hardware is not there, or that of a module they need."""

BIND: Final = 4096
MOVE: Final = 8192
NO_SETUID: Final = 2
NO_DEVICES: Final = 4
NO_PROGRAMS: Final = 8
READ_ONLY_BIND: Final = 1 | 32 | BIND


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system, as the system call of that name does.

    Raises:
        OSError: the kernel refuses it.
    """
    words = [each.encode() or None for each in (source, target, kind)]
    if _LIBC.mount(*words, ctypes.c_ulong(flags), options.encode() or None):
        raise _failure(target)


def load_module(path: Path) -> bool:
    """Load a compressed module of the kernel; false if it has nothing to do on this machine.

    Raises:
        OSError: the kernel refuses it.
    """
    with path.open("rb") as file:
        if _LIBC.syscall(_FINIT_MODULE, file.fileno(), b"", _COMPRESSED_FILE) == 0:
            return True
    if ctypes.get_errno() in _NOT_HERE:
        return False
    raise _failure(str(path))


def leave_first_root() -> None:
    """Make the first root, which cannot be left, a mount that can be: isolates exchange theirs."""
    mount("/", "/mnt", flags=BIND)
    os.chdir("/mnt")
    mount(".", "/", flags=MOVE)
    os.chroot(".")
    os.chdir("/")


def power_off() -> None:
    """Switch the machine off.

    Raises:
        OSError: the kernel refuses it.
    """
    os.sync()
    if _LIBC.reboot(ctypes.c_int(_POWER_OFF)):
        raise _failure("power off")


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
