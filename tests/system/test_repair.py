"""Mistakes and failed runs, over real processes: the right message, and the others go on."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from colima.runtime import ComputationState
from durango.refusals import RequestRefusedError
from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import COLLECTOR, RANDOM, WANTS_FOUR, Collected
from veracruz_utils.policy import Role

PI, DATA, RESULT = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
AUTHOR, NORTH, READER = range(3)


@pytest.fixture
def computation(stack):
    with stack.computation([PI], [DATA], [RESULT], program=WANTS_FOUR, data=(1,)) as one:
        yield one


def test_a_run_that_failed_is_repaired_by_who_sent_the_wrong_file(computation):
    computation.send_program()
    computation.send_data(NORTH, b"not four bytes")
    out = computation.folder / "out"
    get = ("result get", "--output", out)
    failed = computation.durango(*get, client=READER)
    failed.refused(1, "the program returned error code -4")
    assert not out.exists()
    for who in (AUTHOR, NORTH, READER):
        told = computation.durango("status", client=who).out
        assert "there is no result, the last run failed" in told
        assert "can be fetched" not in told
        assert "attempt 1 of 3" in told
    told = computation.durango("status", client=AUTHOR).out
    assert "failure the program returned an error code" in told
    assert "-4" not in told
    twice = computation.durango("data send", computation.file(b"four"), client=NORTH)
    twice.refused(3, "duplicate package", "--replace")
    mended = computation.durango("data send", computation.file(b"four"), "--replace", client=NORTH)
    mended.done()
    computation.durango(*get, client=READER).done()
    assert out.read_bytes() == b"four"
    assert "can be fetched" in computation.durango("status", client=NORTH).out


def test_a_failure_is_told_again_and_another_run_takes_an_express_wish(computation):
    computation.send_program()
    computation.send_data(NORTH, b"not four bytes")
    get = ("result get", "--output", computation.folder / "out")
    for retry in ((), (), ("--retry",)):
        computation.durango(*get, *retry, client=READER).refused(1, "error code -4")
    kept = computation.durango(*get, "--retry", client=READER)
    kept.refused(3, "one attempt is left in this round", "data send --replace")
    told = computation.durango("status", client=READER).out
    assert "allows 1 more attempt, when an input has changed: client 1 may replace one" in told
    again = computation.file(b"not four bytes either")
    computation.durango("data send", again, "--replace", client=NORTH).done()
    computation.durango(*get, client=READER).refused(1, "error code -4")
    with computation.connect(AUTHOR) as author:
        found = author.state()
    assert (found.state, found.attempt) == (ComputationState.ERROR, 3)
    late = computation.durango("data send", computation.file(b"x"), "--replace", client=NORTH)
    late.refused(1, "start the computation anew")


def test_a_provider_withdraws_and_everybody_is_told_who_is_awaited(computation):
    computation.send_program()
    computation.send_data(NORTH, b"mine")
    taken = computation.durango("data withdraw", client=NORTH)
    assert "data package 0 of client 1 is withdrawn" in taken.out
    told = computation.durango("status", client=READER).out
    assert "waiting for data of client 1" in told
    assert re.search(r"input 0 +client 1 +missing", told)
    early = computation.durango("result get", "--output", "out", client=READER)
    early.refused(1, "DATA_SOURCES_LOADING", "durango status")
    computation.durango("data withdraw", client=NORTH).refused(3, "is not in")
    computation.send_data(NORTH, b"four")
    assert computation.result(READER) == b"four"
    computation.durango("data withdraw", client=NORTH).refused(1, "wrong state")


def test_what_comes_too_early_or_in_the_wrong_order_is_told_what_to_wait_for(computation):
    early = computation.durango("data send", computation.file(b"four"), client=NORTH)
    early.refused(1, "INITIAL", "--wait")
    computation.durango("result get", "--output", "out", client=READER).refused(1, "INITIAL")
    computation.durango("round next", client=READER).refused(1, "wrong state")
    computation.send_program()
    computation.send_data(NORTH, b"four")
    assert computation.result(READER) == b"four"


def test_one_round_is_one_round_however_often_it_is_asked_for(stack):
    with stack.computation([PI], [RESULT], program=RANDOM) as computation:
        computation.send_program()
        first = computation.result(1)
        with computation.connect(1) as reader:
            for _ in range(400):
                with pytest.raises(RequestRefusedError, match="rounds used"):
                    reader.next_round()
            assert {reader.result()[0] for _ in range(3)} == {first}
        asked = computation.durango("round next", client=1)
        asked.refused(3, "rounds used: round 1 is over, expected rounds <= 1")


def test_others_see_that_a_reader_never_came(stack):
    with stack.computation([PI], [RESULT], [RESULT], program=COLLECTOR) as computation:
        computation.send_program()
        assert computation.result(1)
        asked = computation.durango("shutdown", client=1)
        assert asked.out == "client 1 has asked; the isolate ends when client 2 asked as well\n"
        assert "awaited for the end: client 2" in computation.durango("status", client=0).out
        facts = json.loads(computation.durango("status", "--json", client=0).out)
        assert facts["shutdown_awaited"] == [{"client_id": 2, "name": "client 2"}]
        assert computation.shut_down(2) == 0


def test_another_round_begins_when_all_have_asked_whom_the_policy_names(stack):
    terms = {"rounds": 2, "next_round": "all"}
    roles = ([PI], [RESULT], [RESULT])
    with stack.computation(*roles, program=COLLECTOR, terms=terms) as computation:
        computation.send_program()
        computation.result(1)
        one = computation.durango("round next", client=1)
        assert "it takes the word of client 2" in one.out
        assert "awaited for another round: client 2" in computation.durango("status", client=0).out
        both = computation.durango("round next", client=2)
        assert both.out.startswith("round 2 began, ready")
        assert Collected.parse(computation.result(1), count=0).previous is not None


def test_status_tells_programs_all_of_it_by_stable_keys(computation):
    computation.send_program()
    facts = json.loads(computation.durango("status", "--json", client=NORTH).out)
    assert set(facts) == {
        "state", "description", "final", "round", "rounds", "attempt", "attempts", "running",
        "last_run_failed", "places", "shutdown_awaited", "round_awaited", "consent_awaited",
        "receipts", "program_digest", "policy_digest", "attestation", "failure", "message",
    }  # fmt: skip
    program, data = facts["places"]
    assert (program["state"], program["name"]) == ("in", "client 0")
    assert data == {
        "kind": "data", "index": 0, "label": "input 0", "client_id": 1, "name": "client 1",
        "state": "missing", "package_id": None, "size": None, "since": None,
    }  # fmt: skip


def watching(computation, client, *options, **streams):
    """A `durango status --watch` of its own."""
    command = computation.command("status", "--watch", *options, client=client)
    return subprocess.Popen(command, text=True, **streams)


def test_where_there_is_no_terminal_every_change_is_a_line(computation):
    with watching(computation, READER, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
        assert "INITIAL: waiting for the program of client 0" in watch.stdout.readline()
        computation.send_program()
        computation.send_data(NORTH, b"four")
        computation.result(READER)
        lines, _ = watch.communicate(timeout=PATIENCE_S)
    assert watch.returncode == 0
    assert "\x1b" not in lines
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines.splitlines())
    assert "input 0 of client 1: in, 4 bytes, 20" in lines
    assert "FINISHED_EXECUTING: the result can be fetched by client 2" in lines


def test_programs_get_an_object_a_line(computation):
    with watching(
        computation, READER, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watch:
        assert json.loads(watch.stdout.readline())["state"] == "INITIAL"
        computation.send_program()
        computation.send_data(NORTH, b"four")
        computation.result(READER)
        *_, last = map(json.loads, watch.communicate(timeout=PATIENCE_S)[0].splitlines())
    assert (last["state"], last["final"]) == ("FINISHED_EXECUTING", True)


def test_on_a_terminal_it_is_drawn_in_place_and_ctrl_c_ends_it(computation):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with watching(
        computation, READER, stdout=theirs, stderr=subprocess.PIPE, env=environment
    ) as watch:
        os.close(theirs)
        seen = drawn_until(ours, "bytes")
        computation.send_program()
        seen += drawn_until(ours, "waiting for data of client 1")
        assert re.search(r"\x1b\[\d+A\r\x1b\[J", seen)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(PATIENCE_S) == 130
    os.close(ours)


def drawn_until(terminal: int, text: str) -> str:
    seen = ""

    def there() -> bool:
        nonlocal seen
        seen += os.read(terminal, 4096).decode()
        return text in seen

    assert eventually(there)
    return seen


def test_a_computation_that_failed_for_good_ends_the_watch_with_its_reason(stack):
    terms = {"attempts": 1}
    roles = ([PI], [DATA], [RESULT])
    with stack.computation(*roles, program=WANTS_FOUR, data=(1,), terms=terms) as computation:
        computation.send_program()
        computation.send_data(NORTH, b"not four")
        computation.durango("result get", "--output", "out", client=READER)
        watch = computation.durango("status", "--watch", client=NORTH)
        assert watch.status == 1
        assert "the program returned an error code" in watch.err
        assert "start the computation anew" in watch.err
