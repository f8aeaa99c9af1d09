"""What the start of a zygote asks of the kernel."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from sonora.image import kernel_calls
from sonora.image.kernel_calls import enter_user_namespace, unreadable
from support.users import SONORA, as_user, needs_root

SLEEP = Path("/bin/sleep")


@pytest.fixture
def program():
    descriptor = os.open(SLEEP, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@needs_root
def test_an_unreadable_program_is_executed_and_read_by_nobody(program):
    def act() -> str:
        copy = unreadable(program)
        path = f"/proc/self/fd/{copy}"
        done = subprocess.run([SLEEP, "0"], executable=path, pass_fds=[copy], check=False)
        try:
            os.open(path, os.O_RDONLY)
        except PermissionError:
            return f"ended with {done.returncode}, not readable"
        return "readable"

    assert as_user(SONORA, act) == "ended with 0, not readable"


def test_a_copy_is_the_program_byte_for_byte(program, monkeypatch):
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    copy = unreadable(program)
    assert Path(f"/proc/self/fd/{copy}").read_bytes() == SLEEP.read_bytes()
    os.close(copy)


def test_where_no_anonymous_file_is_executed_the_program_itself_is(program, monkeypatch):
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "vm.memfd_noexec is 2")

    monkeypatch.setattr(os, "memfd_create", refuse)
    found = unreadable(program)
    assert os.fstat(found).st_ino == SLEEP.stat().st_ino
    os.close(found)


def test_an_older_kernel_is_not_told_that_the_file_is_to_be_executed(program, monkeypatch):
    asked = []
    real = os.memfd_create

    def create(name: str, flags: int) -> int:
        asked.append(flags)
        if flags & kernel_calls._MFD_EXEC:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(name, flags)

    monkeypatch.setattr(os, "memfd_create", create)
    os.close(unreadable(program))
    assert [bool(flags & kernel_calls._MFD_EXEC) for flags in asked] == [True, False]


@needs_root
def test_ids_are_mapped_when_asked_and_not_before():
    """By a child, while this process is closed to others and could not do it itself."""

    def act() -> str:
        kernel_calls.call("prctl", kernel_calls._SET_DUMPABLE, 0, 0, 0, 0)
        try:
            map_ids = enter_user_namespace()
        except OSError as error:
            return f"skip: {error}"
        before = (os.getuid(), Path("/proc/self/gid_map").read_bytes())
        map_ids()
        after = (os.getuid(), os.getgid(), Path("/proc/self/gid_map").read_bytes().split())
        return f"{before} {after}"

    said = as_user(SONORA, act)
    if said.startswith("skip"):
        pytest.skip(said)
    overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    assert said == f"{(overflow, b'')} {(0, 0, [b'0', str(SONORA).encode(), b'1'])}"


def test_who_maps_ids_ends_when_nobody_asks():
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        os.close(reading)
        try:
            enter_user_namespace()
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(process_id, 0)
    assert os.read(reading, 1) == b""  # the last holder of the other end is gone: the child, too
    os.close(reading)
