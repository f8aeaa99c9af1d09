"""What code injected into the processes of a real isolate cannot reach, and could without walls."""

import os
import platform
import shutil

import pytest

from support.escapes import ALONE, ATTEMPTS, FRONT_ATTEMPTS, ISOLATE, NOBODY, OPEN, escape_table
from veracruz_utils.policy import RUNTIME_LAYERS

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the injected code is of x86-64"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare (util-linux) here"),
]

# What the kernel gives to nobody, or to root alone: without walls it fails as well.
WITHOUT_CONTROL = {"call of x32"}
OF_ROOT_ALONE = {
    "mount", "change root", "host name", "become another user", "bpf", "kernel log",
    "type into a terminal",
}  # fmt: skip
# Compiling needs it, so that the keeper must not lack it. Once the program is compiled it is gone.
OF_THE_COMPILER = {"memory that is executable", "make memory executable"}
ENDS_THE_PROCESS = {
    "execute", "trace a process", "read a process's memory", "new user namespace", "mount",
    "change root", "io_uring", "userfaultfd", "performance event", "bpf", "keyring", "add a key",
    "shared memory of System V", "semaphores", "message queue", "personality", "call of x32",
    "call of i386",
}  # fmt: skip
# For each wall, what it stops by itself.
STOPPED_BY = {
    "namespaces": {
        "connect over TCP", "connect to an abstract socket", "trace a process",
        "read a process's memory", "signal a process", "signal a thread", "pidfd of a process",
        "read a process's environment", "bpf", "kernel log",
    },
    "capabilities": {"mount", "change root", "host name", "bpf", "kernel log"},
    "landlock": {
        "read a file", "create a file", "create shared memory by name", "connect over TCP",
        "read a process's environment", "connect to an abstract socket", "execute",
        "trace a process", "read a process's memory", "signal a process", "signal a thread",
        "mount",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=[0, NOBODY], ids=["root", "an unprivileged user"])
def user(request):
    if request.param and os.getuid() != 0:
        pytest.skip("only root can be another user; this one is tried as root of its namespaces")
    return request.param


@pytest.fixture(scope="module")
def table(user):
    return escape_table(user)


@pytest.mark.parametrize("kind", ISOLATE)
def test_nothing_that_is_open_without_walls_is_open_in_an_isolate(table, kind):
    rows = ATTEMPTS if kind == "front" else ATTEMPTS | FRONT_ATTEMPTS
    reached = {row for row in rows if table[row][kind] == OPEN}
    assert reached == (OF_THE_COMPILER if kind in {"keeper", "guest"} else set())


@pytest.mark.parametrize("kind", ISOLATE)
def test_what_only_an_attack_would_try_is_the_end_of_the_process(table, kind):
    killed = {row for row in ATTEMPTS if table[row][kind] == "killed"}
    assert killed == ENDS_THE_PROCESS
    if kind != "front":
        assert table["trace the front"][kind] == table["read the front's memory"][kind] == "killed"


def test_every_attempt_would_have_worked_without_walls(table, user):
    failed = {row for row in ATTEMPTS | FRONT_ATTEMPTS if table[row]["none"] != OPEN}
    proves_nothing = WITHOUT_CONTROL | (OF_ROOT_ALONE if user or os.getuid() else set())
    assert failed <= proves_nothing


@pytest.mark.parametrize("wall", ALONE)
def test_each_wall_stops_something_by_itself(table, user, wall):
    if user:
        pytest.skip("walls by themselves are tried as root, who has more to lose")
    stopped = {row for row in ATTEMPTS if table[row]["none"] == OPEN != table[row][wall]}
    if wall == "seccomp":  # all but what is no system call's matter
        assert stopped == {row for row in ATTEMPTS if table[row]["none"] == OPEN} - {
            "write to a file of Sonora's", "raise a limit",
        }  # fmt: skip
    else:
        assert stopped >= STOPPED_BY[wall] - {row for row in ATTEMPTS if table[row]["none"] != OPEN}


def test_all_layers_of_the_runtime_are_in_force_as_it_reports_them(table):
    assert set(table["layers"]) == set(RUNTIME_LAYERS)
