"""System calls: a filter each for the front, the keeper and the guest process (seccomp(2)).

`mexico_city.filters` says which calls pass, and makes the programs that lie here, one folder for
each architecture. They are read as this module is loaded: inside an isolate no file can be.
"""

import ctypes
import functools
import os
import struct
from pathlib import Path
from typing import Final

from mexico_city.sandbox import kernel

_SET_MODE_FILTER: Final = 1
_ACTION_AVAILABLE: Final = 2
_TSYNC: Final = 1
_KILL_PROCESS: Final = 0x80000000
_NUMBERS: Final = {"x86_64": 317, "aarch64": 277}
"""Of the system call that takes a filter."""
_ANY_PROCESS: Final = struct.pack("I", 0x7FEDCBA9)
"""Stands in a program for the process that loads it; left there, it would be about none."""
_MACHINE: Final = os.uname().machine
_FOLDER: Final = Path(__file__).parent / "programs" / _MACHINE
# On a machine with programs a missing one is an error here: nothing starts without.
_PROGRAMS: Final = {
    name: (_FOLDER / name).read_bytes()
    for name in ("front", "keeper", "guest", "compiled")
    if _MACHINE in _NUMBERS
}


def confine_front() -> bool:
    """Leave the front process the calls it needs.

    False on a machine that does not do it.

    Raises:
        OSError: it should have.
    """
    return _install("front")


def confine_keeper() -> bool:
    """Leave the keeper process the calls that it and its guests need.

    False on a machine that does not do it.

    Raises:
        OSError: it should have.
    """
    return _install("keeper")


def confine_guest() -> bool:
    """Leave the guest process the calls it needs to compile and to run.

    False on a machine that does not do it.

    Raises:
        OSError: it should have.
    """
    return _install("guest")


def forbid_executable_memory() -> bool:
    """Take from the guest process what only compiling needs: memory that becomes executable.

    What is executable stays so. It is the last filter: no other can be put over it.

    False on a machine that does not do it.

    Raises:
        OSError: it should have.
    """
    return _install("compiled")


@functools.cache
def _is_available() -> bool:
    """Whether this machine's kernel filters system calls, and we have programs for it.

    Asked once in a process: later a filter does not let us ask.
    """
    if _MACHINE not in _NUMBERS:
        return False
    try:
        kernel.system_call(
            _NUMBERS[_MACHINE], _ACTION_AVAILABLE, 0, struct.pack("I", _KILL_PROCESS)
        )
    except OSError:
        return False
    return True


def _install(name: str) -> bool:
    if not _is_available():
        return False
    program = _PROGRAMS[name].replace(_ANY_PROCESS, struct.pack("I", os.getpid()))
    memory = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(memory))
    # For all threads: one that was left out could do what this one may not.
    kernel.system_call(_NUMBERS[_MACHINE], _SET_MODE_FILTER, _TSYNC, header)
    return True
