"""Sonora's own processes are closed to others of the same user, and those of isolates are held."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from sonora.errors import SonoraError
from sonora.process import ProcessHandle, protect_this_process
from support.patience import PATIENCE_S
from support.processes import eventually, runs, state
from support.users import as_user
from veracruz_shells.listening import allow_open_files

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
PR_SET_DUMPABLE = 4
NOBODY = 65534
NOT_DUMPABLE_TO_ITSELF = """
import ctypes, resource
from sonora.process import protect_this_process
protect_this_process()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_process_may_have_all_the_open_files_that_there_may_be():
    def limits() -> object:
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, 600))
        allow_open_files()
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    assert as_user(os.getuid(), limits) == "(600, 600)"


def give_up_root() -> None:
    """Be nobody if we are root, for whom all of this is open, and be dumpable as others are."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


@contextmanager
def sleeper(*preparations):
    """A process of an unprivileged user that did this and sleeps."""
    ready, said = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        try:
            for prepare in preparations:
                prepare()
            os.write(said, b"x")
            time.sleep(600)
        finally:
            os._exit(1)
    os.close(said)
    try:
        assert os.read(ready, 1) == b"x"
        yield process_id
    finally:
        os.close(ready)
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)


def as_nobody(look) -> str:
    """What an unprivileged process of the same user gets by `look`: OPEN, or the error."""
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        try:
            give_up_root()
            look()
            found = "OPEN"
        except OSError as error:
            found = error.strerror
        os.write(writing, found.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read().decode()
    os.waitpid(process_id, 0)
    return found


def attach(process_id: int) -> None:
    if LIBC.ptrace(PTRACE_SEIZE, process_id, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    LIBC.ptrace(PTRACE_DETACH, process_id, 0, 0)


def read_nothing(process_id: int) -> None:
    os.close(os.open(f"/proc/{process_id}/mem", os.O_RDONLY))


ATTEMPTS = {
    "mem": read_nothing,
    "environ": lambda one: Path(f"/proc/{one}/environ").read_bytes(),
    "descriptors": lambda one: list(Path(f"/proc/{one}/fd").iterdir()),
    "ptrace": attach,
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_another_process_of_the_same_user_is_kept_out(attempt):
    """Tried as an unprivileged user: the machine's root is kept out by nothing."""
    with sleeper(give_up_root) as control:
        found = as_nobody(lambda: ATTEMPTS[attempt](control))
        if found != "OPEN":
            pytest.skip(f"the kernel closes every process here: {found}")
    with sleeper(give_up_root, protect_this_process) as protected:
        assert as_nobody(lambda: ATTEMPTS[attempt](protected)) in {
            "Permission denied", "Operation not permitted",
        }  # fmt: skip


def test_a_handle_says_whether_another_process_of_that_user_can_look_into_it():
    def look(process_id: int) -> None:
        if not ProcessHandle(os.pidfd_open(process_id)).is_open_to_us():
            raise OSError(0, "closed")

    with sleeper(give_up_root) as control, sleeper(give_up_root, protect_this_process) as protected:
        found = as_nobody(lambda: read_nothing(control))
        assert as_nobody(lambda: look(control)) == ("OPEN" if found == "OPEN" else "closed")
        assert as_nobody(lambda: look(protected)) == "closed"


def test_a_process_that_is_traced_already_says_so():
    def traced() -> None:
        LIBC.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME: our parent traces us
        with pytest.raises(SonoraError, match=f"process {os.getppid()} traces this one"):
            protect_this_process()

    with sleeper(traced):
        pass


def test_a_protected_process_leaves_no_core_and_is_not_dumpable():
    done = subprocess.run(
        [sys.executable, "-c", NOT_DUMPABLE_TO_ITSELF], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "0", "0"]


def test_a_handle_ends_its_process_and_no_other_of_that_id():
    child = subprocess.Popen(["/bin/sleep", "600"])
    handle = ProcessHandle(os.pidfd_open(child.pid))
    assert handle.process_id == child.pid
    handle.kill()
    assert child.wait(PATIENCE_S) == -signal.SIGKILL
    assert handle.process_id == 0
    handle.kill()  # reaped: the id may be anybody's by now, the handle means nobody
    handle.close()
    handle.close()
    handle.kill()
    assert handle.process_id == 0


def test_a_closed_handle_leaves_its_process_alone():
    child = subprocess.Popen(["/bin/sleep", "600"])
    try:
        handle = ProcessHandle(os.pidfd_open(child.pid))
        handle.close()
        handle.kill()
        assert runs(child.pid)
    finally:
        child.kill()
        child.wait()
    assert eventually(lambda: state(child.pid) is None)


def test_a_process_that_gives_way_has_the_least_priority_and_we_keep_ours():
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    with subprocess.Popen(["sleep", "600"]) as sleeping:
        handle = ProcessHandle(os.pidfd_open(sleeping.pid))
        handle.give_way()
        assert os.getpriority(os.PRIO_PROCESS, sleeping.pid) == 19
        handle.kill()
    handle.give_way()  # it has ended
    handle.close()
    handle.give_way()
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours
