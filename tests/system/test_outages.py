"""Killed processes: who was with them is told, what depended on them ends, the rest goes on."""

import os
import signal
import subprocess
from contextlib import contextmanager

import pytest

from colima.runtime import ComputationState
from durango import RequestFailedError, attest
from support.patience import PATIENCE_S
from support.processes import children, eventually, keeper_of, runs
from support.runtime_guests import COLLECTOR, ENDLESS, HELLO
from support.stack import DATA, PI, RESULT, SCRIPTS, Computation, below
from veracruz_utils.errors import UnreachableError


def kill(process_id: int) -> None:
    os.kill(process_id, signal.SIGKILL)


@contextmanager
def a_reader_waiting(computation: Computation):
    """`durango result get` as a process, once its request has made the program run."""
    command = [
        *(SCRIPTS / "durango", "result", "get", computation.policy_file),
        *("--output", computation.folder / "result"),
        *("--sinaloa", str(computation.address), *computation.who(0)),
        *("--timeout", "3"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as reader:
        with computation.connect(0) as other:
            assert eventually(lambda: other.state().running)
        yield reader
        assert not (computation.folder / "result").exists()


@pytest.fixture
def running(stack):
    """A computation whose program runs for good, and a reader in a process who waits for it."""
    with stack.computation([PI, RESULT], program=ENDLESS) as computation:
        computation.send_program()
        with a_reader_waiting(computation) as reader:
            yield computation, reader
    stack.serve_somebody()


# The guest.


def test_a_guest_killed_in_its_run_costs_an_attempt_and_nothing_else(running):
    computation, reader = running
    with computation.connect(0) as other:
        kill(computation.guest)
        assert "guest lost: signal-9: see `durango status`" in reader.stderr.read()
        assert reader.wait(PATIENCE_S) == 1
        assert other.state().state is ComputationState.READY_TO_EXECUTE
        with pytest.raises(RequestFailedError, match="guest lost: signal-9"):
            other.result()
    told = computation.durango("status", client=0).out
    assert "the process that ran the program ended" in told
    assert "attempt 1 of 3" in told
    assert runs(computation.front)
    assert computation.shut_down(0) == 0


def test_a_guest_killed_before_its_run_is_replaced(stack):
    with stack.computation([PI, DATA, RESULT], program=COLLECTOR, data=(0,)) as computation:
        computation.send_program()
        kill(computation.guest)
        computation.send_data(0, b"not late")
        assert b"not late" in computation.result(0)
        assert computation.shut_down(0) == 0


def test_a_guest_killed_after_its_run_leaves_the_result(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        computation.send_program()
        assert computation.result(0) == b"hello"
        guest = computation.guest
        kill(guest)
        assert eventually(lambda: not runs(guest))
        assert computation.result(0) == b"hello"
        assert computation.shut_down(0) == 0


def test_without_the_keeper_of_its_guests_a_computation_fails(stack):
    with stack.computation([PI, DATA, RESULT], program=COLLECTOR, data=(0,)) as computation:
        computation.send_program()
        kill(keeper_of(computation.front))
        with computation.connect(0) as other:
            assert eventually(lambda: other.state().state is ComputationState.ERROR)
        sent = computation.durango("data send", computation.file(b"late"), client=0)
        sent.refused(1, "ERROR (guest lost)", "start the computation anew")
        assert computation.shut_down(0) == 0


# The front, and with it the isolate.


def test_a_killed_front_ends_its_isolate_and_bridge_and_tells_who_was_there(running):
    computation, reader = running
    guest = computation.guest
    kill(computation.front)
    assert "see that the isolate runs, then start again" in reader.stderr.read()
    assert reader.wait(PATIENCE_S) == 4
    assert computation.sinaloa.wait(PATIENCE_S) == 1
    assert "the isolate ended unexpectedly" in computation.sinaloa.last_words
    assert eventually(lambda: not runs(guest))
    computation.durango("status", client=0).refused(4, "sinaloa at", "cannot be reached")


# The bridge.


def test_a_killed_bridge_tells_who_was_there_and_the_next_finds_the_isolate(running):
    computation, reader = running
    isolate = [computation.front, computation.guest]
    attestation = computation.attest()
    computation.kill_bridge()
    assert f"sinaloa at {computation.address} went away" in reader.stderr.read()
    assert reader.wait(PATIENCE_S) == 4
    computation.start_bridge(str(computation.address))
    assert computation.sinaloa.last_words.endswith(", found again")
    with computation.connect(0, attestation) as other:
        assert other.state().running
    assert [computation.front, computation.guest] == isolate
    assert computation.sinaloa.stop() == 0
    assert eventually(lambda: not any(map(runs, isolate)))


def test_a_bridge_killed_in_the_middle_of_an_upload_is_told(stack):
    with stack.computation([PI], [DATA], [RESULT], program=COLLECTOR, data=(1,)) as computation:
        computation.send_program()
        with computation.connect(1) as provider:
            large = computation.folder / "large"
            with large.open("wb") as file:
                file.truncate(1 << 30)

            def kill_bridge(_: int) -> None:
                if runs(computation.sinaloa.process_id):
                    kill(computation.sinaloa.process_id)

            with pytest.raises(UnreachableError, match=f"sinaloa at {computation.address}"):
                provider.send_data(0, large, on_progress=kill_bridge)
    stack.serve_somebody()


# Sonora.


def test_a_killed_sonora_takes_its_isolates_along_and_the_next_one_takes_its_place(stack):
    sonora = stack.start_sonora("killed.sock")
    sonora.wait_ready()
    with stack.computation([PI, RESULT], program=HELLO, sonora=sonora) as computation:
        tree = below(sonora.process_id)
        with computation.connect(0) as principal:
            kill(sonora.process_id)
            assert computation.sinaloa.wait(PATIENCE_S) == 1
            with pytest.raises(UnreachableError):
                principal.state()
        assert "sonora went away, and the isolate with it" in computation.sinaloa.last_words
        assert eventually(lambda: not any(map(runs, tree)))
    successor = stack.start_sonora("killed.sock")
    assert successor.wait_ready() == sonora.address
    stack.serve_somebody(sonora=successor)
    assert successor.stop() == 0


def test_a_killed_zygote_ends_sonora_and_its_isolates_with_the_reason(stack):
    sonora = stack.start_sonora("orphaned.sock")
    sonora.wait_ready()
    with stack.computation([PI, RESULT], program=HELLO, sonora=sonora) as computation:
        tree = below(sonora.process_id)
        (zygote,) = children(sonora.process_id)
        kill(zygote)
        assert sonora.wait(PATIENCE_S) == 1
        assert "the zygote ended unexpectedly, and all isolates with it" in sonora.last_words
        assert computation.sinaloa.wait(PATIENCE_S) == 1
        assert eventually(lambda: not any(map(runs, tree)))
    stack.serve_somebody()


# Tabasco.


def test_a_killed_tabasco_keeps_what_it_knew_and_sessions_go_on_meanwhile(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        attestation = computation.attest()
        kill(stack.tabasco.process_id)
        assert stack.tabasco.wait(PATIENCE_S) == -signal.SIGKILL
        try:
            asked = computation.durango("attest")
            asked.refused(4, f"tabasco at {stack.tabasco_address} cannot be reached")
            with computation.connect(0, attestation) as principal:
                principal.send_program(HELLO)
                assert principal.result()[0] == b"hello"
        finally:
            stack.start_tabasco()
        again = attest(
            computation.policy, sinaloa=computation.address, tabasco=stack.tabasco_address
        )
        assert again.instance_id == attestation.instance_id
        assert again.certificate_digest == attestation.certificate_digest
