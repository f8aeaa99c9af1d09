"""What the start of a zygote asks of the kernel: file systems without a place, namespaces, powers.

Each function is a system call or two. The numbers below 400 differ between architectures.
"""

import ctypes
import os
import struct
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from mexico_city.sandbox.kernel import call

NEWNS: Final = 0x00020000
NEWUSER: Final = 0x10000000
APART: Final = NEWNS | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
"""Mount, cgroup, uts, ipc, pid and net namespaces."""

_SYSTEM_CALLS: Final = {"x86_64": (56, 155), "aarch64": (220, 41)}
"""Those of clone and pivot_root."""
_MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 429, 430, 431, 432, 442
_CLOEXEC: Final = 1
_SET_STRING, _CREATE = 1, 6
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4
_AT_FDCWD, _AT_EMPTY_PATH, _FROM_EMPTY_PATH = -100, 0x1000, 0x4
_MS_REC, _MS_PRIVATE, _MNT_DETACH = 0x4000, 0x40000, 0x2
_CLONE_PARENT: Final = 0x00008000
_SIGCHLD: Final = 17
_SET_DUMPABLE, _CAP_AMBIENT, _AMBIENT_RAISE = 4, 47, 2
_CAPABILITIES_VERSION: Final = 0x20080522
_MFD_EXEC: Final = 0x10
"""Says that the file is meant to be executed; kernels before 6.3 do not know it."""


def empty_file_system(options: Mapping[str, str]) -> int:
    """A tmpfs that is mounted nowhere: nobody reaches it but by this descriptor."""
    context = call("syscall", _FSOPEN, b"tmpfs", _CLOEXEC)
    try:
        for key, value in {"source": "tmpfs", **options}.items():
            call("syscall", _FSCONFIG, context, _SET_STRING, key.encode(), value.encode(), 0)
        call("syscall", _FSCONFIG, context, _CREATE, None, None, 0)
        return call("syscall", _FSMOUNT, context, _CLOEXEC, _ATTR_NOSUID | _ATTR_NODEV)
    finally:
        os.close(context)


def make_read_only(mount: int) -> None:
    """Let nobody write to the file system of this descriptor."""
    attributes = struct.pack("QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    call("syscall", _MOUNT_SETATTR, mount, b"", _AT_EMPTY_PATH, attributes, len(attributes))


def keep_mounts_apart() -> None:
    """What is mounted in here turns up nowhere outside, nor the other way round."""
    call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)


def make_root(mount: int, place: str) -> None:
    """Make a file system the root of everything; nothing of the old one stays within reach."""
    path = os.fsencode(place)
    call("syscall", _MOVE_MOUNT, mount, b"", _AT_FDCWD, path, _FROM_EMPTY_PATH)
    os.chdir(place)
    _, pivot_root = _SYSTEM_CALLS[os.uname().machine]
    call("syscall", pivot_root, b".", b".")
    call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def fork_sibling() -> int:
    """Fork, but the child's parent is ours; the child's id as that sees it, 0 in the child."""
    clone, _ = _SYSTEM_CALLS[os.uname().machine]
    return call("syscall", clone, _CLONE_PARENT | _SIGCHLD, 0, 0, 0, 0)


def keep_powers() -> None:
    """Have what is executed keep the powers of this process in its namespaces.

    By itself it would only if its user were number 0 there, and there are no numbers yet.
    """
    header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
    held = ctypes.create_string_buffer(24)
    call("capget", header, held)
    effective, permitted, _, effective_high, permitted_high, _ = struct.unpack("6I", held)
    call(
        "capset", header,
        struct.pack(
            "6I", effective, permitted, permitted, effective_high, permitted_high, permitted_high
        ),
    )  # fmt: skip
    powers = permitted | permitted_high << 32
    for each in range(powers.bit_length()):
        if powers >> each & 1:
            call("prctl", _CAP_AMBIENT, _AMBIENT_RAISE, each, 0, 0)


def enter_user_namespace(others: int = 0) -> Callable[[], None]:
    """Enter a user namespace, and other namespaces with it, in which no id has a number yet.

    What it returns maps this process's user and group to 0. A child does it, which is forked now:
    this process may have no /proc later, and is closed to others, so that its maps are not its own.

    Raises:
        OSError: the kernel gives none; or, when that is called, the ids cannot be mapped.
    """
    user, group = os.geteuid(), os.getegid()
    call("unshare", NEWUSER | others)
    waiting, go = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        os.close(go)
        _map_ids(waiting, user, group)
    os.close(waiting)

    def map_now() -> None:
        os.write(go, b"x")
        os.close(go)
        _, status = os.waitpid(process_id, 0)
        if status != 0:
            raise OSError(os.waitstatus_to_exitcode(status), "ids cannot be mapped")

    return map_now


def _map_ids(waiting: int, user: int, group: int) -> NoReturn:
    """Be that child."""
    try:
        if os.read(waiting, 1):  # or else we are not needed any more
            call("prctl", _SET_DUMPABLE, 1, 0, 0, 0)
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"0 {user} 1"),
                ("gid_map", f"0 {group} 1"),
            ):
                descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
                os.write(descriptor, text.encode())
                os.close(descriptor)
            os._exit(0)
    finally:
        os._exit(1)


def unreadable(program: int) -> int:
    """A copy of a program that can be executed and not be read, not even by this user.

    What is executed from it is closed to other processes from its first instruction. Where a kernel
    executes no anonymous files (vm.memfd_noexec), it is the program itself.
    """
    try:
        copy = _memory_file()
    except PermissionError:
        return os.dup(program)
    size, done = os.fstat(program).st_size, 0
    while done < size:
        done += os.sendfile(copy, program, done, size - done)
    os.fchmod(copy, 0o111)
    try:
        # A file that is open for writing is not executed.
        return os.open(f"/proc/self/fd/{copy}", os.O_PATH | os.O_CLOEXEC)
    finally:
        os.close(copy)


def _memory_file() -> int:
    try:
        return os.memfd_create("program", os.MFD_CLOEXEC | _MFD_EXEC)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        return os.memfd_create("program", os.MFD_CLOEXEC)
