"""Two bridges of one isolate: real processes, with a way to them that leads to one or the other."""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from colima.runtime import ComputationState
from jalisco import SessionLostError
from support.cutter import cutter
from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import COLLECTOR, HELLO, Collected
from support.stack import DATA, PI, RESULT, Computation, run
from veracruz import Service
from veracruz_utils.address import Address

AUTHOR, PROVIDER, READER = range(3)
ROLES = ([PI], [DATA], [RESULT])
CONTENT = random.Random(0).randbytes(2 << 20)


def beside(computation: Computation) -> tuple[Service, Service]:
    """The bridge of a computation, and another one that is started now."""
    first = computation.sinaloa
    computation.start_bridge()
    assert computation.sinaloa.last_words.endswith(", found again")
    return first, computation.sinaloa


def address_of(bridge: Service) -> Address:
    return Address.parse(bridge.address)


def listed(computation: Computation, bridge: Service) -> list[tuple[str, str]]:
    where = ["--policies", computation.folder, "--at", bridge.address, "--json"]
    rows = run("sinaloa", "list", *where).done().json["policies"]
    return [(row["file"], row["state"]) for row in rows]


def test_two_bridges_serve_one_isolate_and_killing_one_costs_nothing(stack):
    with stack.computation(*ROLES, program=COLLECTOR, data=(PROVIDER,)) as computation:
        first, second = beside(computation)
        for bridge in (first, second):
            assert listed(computation, bridge) == [("policy.json", "running")]
        with (
            computation.connect(AUTHOR, via=address_of(first)) as author,
            computation.connect(READER, via=address_of(second)) as reader,
            cutter(address_of(first)) as way,
        ):
            author.send_program(COLLECTOR)
            assert reader.state().state is ComputationState.DATA_SOURCES_LOADING
            # Attestation has a connection of its own.
            way.holds, way.plan = True, [(None, None), (len(CONTENT) // 2, None)]
            content = computation.file(CONTENT)
            command = computation.command("data send", content, client=PROVIDER)
            with subprocess.Popen(
                [*command, "--sinaloa", str(way.address)], stderr=subprocess.PIPE, text=True
            ) as sending:
                assert way.held.wait(PATIENCE_S)
                os.kill(first.process_id, signal.SIGKILL)
                way.leads = address_of(second)
                way.cut()
                said = sending.stderr.read()
                assert sending.wait(PATIENCE_S) == 0, said
                assert "connection lost" in said
            with pytest.raises(SessionLostError):
                author.state()
            output, _ = reader.result()
            assert Collected.parse(output, count=1).items == (CONTENT,)


def test_a_bridge_that_is_ended_leaves_the_isolate_to_the_other_until_the_last(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        first, second = beside(computation)
        computation.send_program()
        first.stop()
        assert listed(computation, second) == [("policy.json", "running")]
        front = computation.front
        assert computation.result(0) == b"hello"
        second.stop()
        assert eventually(lambda: not Path(f"/proc/{front}").exists())


def test_an_isolate_that_ends_by_its_policy_ends_both_bridges(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        first, second = beside(computation)
        computation.send_program()
        assert computation.result(0) == b"hello"
        assert computation.shut_down(0) == 0
        assert first.wait(PATIENCE_S) == 0
        for bridge in (first, second):
            assert "done: every result reader asked for shutdown" in bridge.last_words
