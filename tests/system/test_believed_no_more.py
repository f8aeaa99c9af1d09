"""Tabasco revokes, forgets or distrusts a Sonora: it enrols anew, and its isolates go on."""

import pytest

from support.processes import eventually
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, Stack, run


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Services of this module's own, whose Sonora asks every second."""
    stack = Stack(tmp_path_factory.mktemp("believed"))
    stack.sonora.stop()
    stack.sonora = stack.start_sonora("sonora.sock", "--check-interval", 1)
    stack.sonora.wait_ready()
    yield stack
    stack.close()


def tabasco(stack, *words):
    return run("tabasco", *words, "--state", stack.folder / "tabasco").done()


def live(stack):
    listed = tabasco(stack, "instance", "list", "--json").json["instances"]
    return [each["instance_id"] for each in listed if each["state"] == "live"]


def restart_tabasco(stack):
    assert stack.tabasco.stop() == 0
    stack.start_tabasco()


def goes_on(stack, computation, processes, before):
    """The very isolate is vouched for by a new instance, and gives its result."""
    assert eventually(lambda: set(live(stack)) - set(before))
    assert [computation.front, computation.guest] == processes
    assert computation.result(0) == b"hello"
    assert computation.shut_down(0) == 0


@pytest.fixture
def computation(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        computation.send_program()
        yield computation


def test_a_revoked_instance_is_enrolled_anew_and_its_isolates_go_on(stack, computation):
    processes = [computation.front, computation.guest]
    before = live(stack)
    assert computation.attest()
    for instance in before:  # a Sonora that has ended is among them
        tabasco(stack, "instance", "revoke", instance)
    goes_on(stack, computation, processes, before)
    assert eventually(lambda: "enrolled anew, as instance" in stack.sonora.last_words)


def test_a_tabasco_that_lost_its_database_gets_the_machine_back(stack, computation):
    processes = [computation.front, computation.guest]
    before = live(stack)
    assert stack.tabasco.stop() == 0
    for file in (stack.folder / "tabasco").glob("tabasco.db*"):
        file.unlink()
    stack.start_tabasco()
    goes_on(stack, computation, processes, before)


def test_a_removed_root_stays_removed_over_a_restart_until_it_is_added_by_name(stack, computation):
    processes = [computation.front, computation.guest]
    before = live(stack)
    (root,) = tabasco(stack, "root", "list", "--json").json["roots"]
    tabasco(stack, "root", "remove", root["name"])
    assert live(stack) == []
    restart_tabasco(stack)
    assert "was removed or its key revoked, and it stays so" in stack.tabasco.last_words
    assert tabasco(stack, "root", "list", "--json").json["roots"] == []
    assert eventually(lambda: "root-unknown" in stack.sonora.last_words)
    assert live(stack) == []
    tabasco(stack, "root", "add", "--name", "again", stack.root)
    goes_on(stack, computation, processes, before)
    restart_tabasco(stack)
    (kept,) = tabasco(stack, "root", "list", "--json").json["roots"]
    assert kept["name"] == "again"
