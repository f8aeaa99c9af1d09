"""System calls that Python has no function for, through the C library."""

import ctypes
import os
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call a function of the C library that gives -1 and sets errno when it fails.

    Raises:
        OSError: it failed.
    """
    # Of full width each: a variadic function would read garbage above an int of 32 bits.
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    result = int(getattr(_LIBC, name)(*given))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int = 0) -> int:
    """Call `prctl`; the kernel refuses some options unless the arguments they ignore are 0.

    Raises:
        OSError: it failed.
    """
    return call("prctl", option, value, 0, 0, 0)


def system_call(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by its number.

    Raises:
        OSError: it failed.
    """
    return call("syscall", number, *arguments)
