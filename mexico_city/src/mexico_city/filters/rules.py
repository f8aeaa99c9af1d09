"""Which system calls an isolate's processes may make: a list for each, and no others.

What is not on a list fails with EPERM, for a library may try it and live without. What only an
attack would try ends the process. `clone3` fails with ENOSYS: its flags lie in memory, where a
filter cannot look, and the C library then takes `clone`, whose flags it can.

No list has a call that takes a path or names another process, but for the keeper's: it forks, may
kill and wait for its guest, and makes the pair of sockets between that and the front. It also has
what a guest needs, whose filter is put over it: a call passes when both let it.
"""

import errno
import fcntl
import os
import signal
import socket
from typing import Final

from mexico_city.filters.assembler import (
    ALLOW,
    CallRule,
    allow,
    assemble,
    equal,
    kill,
    null,
    refuse,
    without,
)
from mexico_city.filters.numbers import Architecture

PROCESS: Final = 0x7FEDCBA9
"""Stands for the id of the process that loads a filter: no process has it, and who loads the
program puts the right one in its place."""

_SET_MODE_FILTER: Final = 1
_PROT_EXEC: Final = 4
_MAP_SHARED: Final = 0x01
_MAP_ANONYMOUS: Final = 0x20
_MAP_GROWSDOWN: Final = 0x0100
_SET_PDEATHSIG: Final = 1
_NEGATIVE: Final = 0x80000000
_FIONBIO: Final = 0x5421
_MADV_DONTNEED: Final = 4
_MADV_FREE: Final = 8
# CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _SETTLS, _PARENT_SETTID, _CHILD_CLEARTID:
# what the C library's pthread_create asks for. No process, and no namespace.
_THREAD: Final = 0x003D0F00
# CLONE_CHILD_SETTID and _CHILD_CLEARTID: what the C library's fork asks for.
_FORK: Final = 0x01200000 | signal.SIGCHLD

# Memory, signals, clocks, locks, random numbers; itself.
_COMMON: Final = [
    *allow(
        """read write close fstat munmap brk
        rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall
        futex sched_yield sched_getaffinity getrandom clock_gettime clock_nanosleep gettimeofday
        getpid gettid exit exit_group rseq set_robust_list recvfrom recvmsg poll ppoll lseek"""
    ),
    CallRule("madvise", ((equal(2, _MADV_DONTNEED),), (equal(2, _MADV_FREE),))),
    CallRule("prlimit64", ((equal(0, 0),),)),  # its own, of which it can raise none
    CallRule("sendto", ((*null(4),),)),  # to whoever is at the other end, to nobody by address
    CallRule("ioctl", ((equal(1, _FIONBIO),),), refuse(errno.ENOTTY)),
    CallRule("clone3", otherwise=refuse(errno.ENOSYS)),
]

# Memory of its own, or a file: RLIMIT_DATA counts neither shared memory nor what grows by itself.
# No mremap at all, which would make more of the executable pages of Python's callbacks.
_COUNTED: Final = (
    (without(3, _MAP_SHARED), without(3, _MAP_GROWSDOWN)),
    (without(3, _MAP_ANONYMOUS), without(3, _MAP_GROWSDOWN)),
)

_NO_EXECUTION: Final = [
    CallRule("mmap", ((without(2, _PROT_EXEC),),)),
    CallRule("mprotect", ((without(2, _PROT_EXEC),),)),
]

_ATTACKS: Final = kill(
    """execve execveat ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
    unshare setns mount umount2 pivot_root chroot fsopen fsmount move_mount open_tree
    mount_setattr io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open
    bpf add_key request_key keyctl shmget shmat shmctl semget msgget personality
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff
    acct quotactl settimeofday clock_settime adjtimex clock_adjtime name_to_handle_at
    open_by_handle_at iopl ioperm modify_ldt"""
)

_FRONT: Final = [
    *_COMMON,
    CallRule("mmap", tuple((without(2, _PROT_EXEC), *case) for case in _COUNTED)),
    CallRule("mprotect", ((without(2, _PROT_EXEC),),)),
    *allow(
        """sendmsg getsockname getpeername getsockopt
        epoll_create1 epoll_ctl epoll_wait epoll_pwait pread64"""
    ),
    CallRule("memfd_create", ((equal(1, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING),),)),
    CallRule(
        "fcntl",
        (
            (equal(1, fcntl.F_ADD_SEALS),),
            (equal(1, fcntl.F_GET_SEALS),),
            (equal(1, fcntl.F_DUPFD_CLOEXEC),),
            (equal(1, fcntl.F_GETFL),),
        ),
    ),
]

_COMPILES: Final = [
    *_COMMON,
    CallRule("mmap", _COUNTED),
    *allow("mprotect membarrier"),
    CallRule("fcntl", ((equal(1, fcntl.F_DUPFD_CLOEXEC),),)),  # for a view of a file
    CallRule("seccomp", ((equal(0, _SET_MODE_FILTER),),)),  # for a guest's filters
]

_KEEPER: Final = [
    *_COMPILES,
    CallRule("clone", ((equal(0, _THREAD),), (equal(0, _FORK),))),
    # One process, and never all of a group; Landlock keeps it to those that it forked.
    CallRule("kill", ((without(0, _NEGATIVE), equal(1, signal.SIGKILL)),)),
    CallRule("wait4", ((without(0, _NEGATIVE),),)),
    CallRule("tgkill", ((equal(2, signal.SIGABRT),),)),
    CallRule("socketpair", ((equal(0, socket.AF_UNIX),),)),
    # All but the first, and the next, are how a guest enters less than this.
    *allow("sendmsg close_range landlock_create_ruleset landlock_restrict_self getppid"),
    CallRule("prctl", ((equal(0, _SET_PDEATHSIG),),)),
]

_GUEST: Final = [
    *_COMPILES,
    CallRule("clone", ((equal(0, _THREAD),),)),  # a run has a thread, for a stack of its size
]


def programs(architecture: Architecture) -> dict[str, bytes]:
    """The filters of this architecture, by their names; `PROCESS` stands for a process's id."""
    # How the C library and the engine end a process that they give up.
    abort = CallRule("tgkill", ((equal(0, PROCESS), equal(2, signal.SIGABRT)),))
    compiled = [*_NO_EXECUTION, CallRule("seccomp")]
    return {
        "front": assemble([*_FRONT, *_ATTACKS], architecture),
        "keeper": assemble([*_KEEPER, *_ATTACKS], architecture),
        "guest": assemble([*_GUEST, abort, *_ATTACKS], architecture),
        # Over the guest's: what it does not name, that has decided.
        "compiled": assemble(compiled, architecture, default=ALLOW),
    }
