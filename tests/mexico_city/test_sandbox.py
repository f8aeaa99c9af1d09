"""What a process has given up before it is walled in, asked of a real one."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from support.isolate_rig import new_party
from support.patience import PATIENCE_S
from veracruz_utils.policy import Role

SETUP = """
import ctypes, json, os, resource, signal, sys, threading
from mexico_city.sandbox import entry, failures, limits
from mexico_city.errors import RuntimeFailure
from veracruz_utils.policy import Limits

prctl = ctypes.CDLL(None).prctl
out = int(sys.argv[1])

def tell(value):
    os.write(out, json.dumps(value).encode())

def settle(*more):
    entry.settle(keep={out, *more}, parent=os.getppid())
"""


def settled(body: str) -> tuple[object, subprocess.CompletedProcess[bytes]]:
    """What a process tells after `SETUP` and this, and how it ended."""
    reading, writing = os.pipe()
    with open(reading, "rb") as told:  # noqa: PTH123 - a descriptor
        done = subprocess.run(
            [sys.executable, "-c", SETUP + textwrap.dedent(body), str(writing)],
            pass_fds=[writing],
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
        )
        os.close(writing)
        return json.loads(told.read() or b"null"), done


def test_a_settled_process_has_given_up_all_that_it_does_not_need():
    told, done = settled(
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        kept, _ = os.pipe()
        settle(kept)

        there = sorted(int(name) for name in os.listdir("/proc/self/fd"))
        listing = next(number for number in range(out + 100) if number not in (0, 1, 2, out, kept))

        death = ctypes.c_int()
        prctl(2, ctypes.byref(death), 0, 0, 0)  # PR_GET_PDEATHSIG
        tell({
            "descriptors": there == sorted({0, 1, 2, out, kept, listing}),
            "dies with its parent": death.value == signal.SIGKILL,
            "dumpable": prctl(3, 0, 0, 0, 0),  # PR_GET_DUMPABLE
            "no new privileges": prctl(39, 0, 0, 0, 0),  # PR_GET_NO_NEW_PRIVS
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        })
        """
    )
    assert told == {
        "descriptors": True,
        "dies with its parent": True,
        "dumpable": 0,
        "no new privileges": 1,
        "core": [0, 0],
        "files": [128, 128],
    }, done.stderr.decode()


def test_nothing_is_loaded_that_was_not_there_before():
    told, _ = settled(
        """
        settle()
        try:
            import sqlite3
        except ModuleNotFoundError as error:
            tell([str(error), error.name])
        """
    )
    assert told == ["module sqlite3 was not measured", "sqlite3"]


def test_a_process_whose_parent_is_gone_does_not_go_on():
    told, _ = settled(
        """
        try:
            entry.settle(keep={out}, parent=os.getpid())
        except RuntimeFailure as error:
            tell(str(error))
        """
    )
    assert told == "the parent of this process is gone"


def test_no_text_of_an_exception_is_printed_wherever_it_is_raised():
    _, done = settled(
        """
        class Careless:
            def __del__(self):
                raise ValueError("a secret")

        def fail():
            raise KeyError("a secret")

        settle()
        Careless()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        try:
            fail()
        except KeyError as error:
            failures.report("guest", type(error))
        failures.report("guest", None)
        """
    )
    told = ["callback failed: ValueError", "thread failed: KeyError"]
    assert done.stderr.decode().splitlines() == [
        *told,
        "guest failed: KeyError",
        "guest failed: None",
    ]
    assert done.returncode == 0


def test_what_a_library_prints_as_it_aborts_is_not_seen_but_a_failure_is():
    _, done = settled(
        """
        settle()
        failures.mute_libraries()
        os.write(2, b"a secret in the text of an abort")
        failures.report("guest", KeyError)
        failures.end(0)
        """
    )
    assert done.stderr == b"guest failed: KeyError\n"


def test_who_leaves_runs_nothing_that_was_registered_before():
    told, done = settled(
        """
        import atexit
        atexit.register(lambda: tell("ran"))
        failures.end(7)
        """
    )
    assert (told, done.returncode) == (None, 7)


@pytest.mark.parametrize("allowed", [False, True], ids=["while compiling", "in a run"])
def test_memory_is_bounded_by_the_limits_of_the_policy_and_a_little_more(allowed):
    mib = 1024 * 1024
    told, done = settled(
        f"""
        given = Limits(compile_memory_bytes=64 * {mib}, memory_bytes=64 * {mib})
        before = limits._data_bytes()
        limits.bound_memory(given)
        if {allowed}:
            limits.allow_run_memory()

        def fits(size):
            try:
                bytearray(size)
            except MemoryError:
                return False
            return True

        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        slack = 16 * {mib}
        stack = given.stack_bytes
        tell([fits(60 * {mib}), fits(110 * {mib}), fits(200 * {mib}),
              soft - before - slack, hard - before - slack - stack])
        """
    )
    compiling, running = 64 * mib, 128 * mib
    *fits, soft, hard = told
    assert fits == [True, allowed, False], done.stderr.decode()
    assert 0 <= hard - running < mib
    if not allowed:
        assert 0 <= soft - compiling < mib


def test_a_failure_that_cannot_be_told_is_no_failure_of_its_own():
    told, _ = settled(
        """
        reading, writing = os.pipe()
        os.dup2(writing, 2)
        os.close(reading)
        settle()
        failures.report("guest", KeyError)
        tell("went on")
        """
    )
    assert told == "went on"


def test_an_isolate_whose_guest_is_not_walled_in_makes_no_key(isolates):
    policy = isolates.policy(
        [(new_party("only"), [Role.PI_PROVIDER, Role.RESULT_READER])], program=b""
    )
    told, done = settled(
        f"""
        import socket
        from colima import isolate as wire, read_frame
        from mexico_city import isolate
        private, inside = socket.socketpair()
        control, _ = socket.socketpair()

        def refuse(**_):
            raise OSError("no")

        entry.enter = entry.enter_front = lambda **_: frozenset()
        entry.enter_guest = refuse
        isolate.make_certificate = None
        status = isolate.run(
            bytes.fromhex("{policy.hex()}"), measurement=bytes(32),
            control=control.detach(), private=inside.detach(), parent=os.getppid(),
        )
        report = wire.FROM_RUNTIME.decode(read_frame(private.recv))
        tell([type(report).__name__, report.reason, status])
        """
    )
    reason = "the guest process ended before it was walled in"
    assert told == ["RuntimeRefused", reason, 70], done.stderr.decode()
    assert done.stderr == b"guest failed: OSError\n"
