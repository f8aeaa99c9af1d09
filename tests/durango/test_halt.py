"""Halts: what one thread does is ended by another."""

import socket
import threading
import time

import pytest

from colima import runtime
from durango import Halt, HaltedError, Principal, attest
from support.cutter import cutter
from support.patience import PATIENCE_S
from veracruz_utils.address import Address


class Raised(threading.Thread):
    """A thread that does something, and what came of it."""

    def __init__(self, act) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self._act = act
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def halted(self) -> bool:
        self.join(PATIENCE_S)
        return isinstance(self.error, HaltedError)


@pytest.fixture
def silent():
    """An address where a connection is taken and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Address("127.0.0.1", server.getsockname()[1])


def test_a_call_that_waits_is_ended_and_the_session_with_it(rig):
    asked, answer, halt = threading.Event(), threading.Event(), Halt()

    def wait(request: runtime.Request) -> None:
        asked.set()
        answer.wait(PATIENCE_S)

    rig.isolate.answer_with = wait
    policy = rig.isolate.policy
    with Principal.connect(policy, rig.alice, attest(policy), halt=halt) as alice:
        waiting = Raised(alice.state)
        assert asked.wait(PATIENCE_S)
        halt.engage()
        assert waiting.halted()
        halt.engage()
        with pytest.raises(HaltedError, match="connect again"):
            alice.policy_digest()
    answer.set()


def test_to_attest_and_to_connect_are_ended(rig, silent):
    policy = rig.isolate.policy
    attestation = attest(policy)
    for act in (
        lambda halt: attest(policy, sinaloa=silent, timeout_s=PATIENCE_S, halt=halt),
        lambda halt: Principal.connect(
            policy, rig.alice, attestation, sinaloa=silent, timeout_s=PATIENCE_S, halt=halt
        ),
    ):
        halt = Halt()
        doing = Raised(lambda act=act, halt=halt: act(halt))
        time.sleep(0.1)
        halt.engage()
        assert doing.halted()


def test_what_is_halted_already_does_not_begin(rig):
    halt = Halt()
    halt.engage()
    policy = rig.isolate.policy
    with pytest.raises(HaltedError):
        attest(policy, halt=halt)
    with pytest.raises(HaltedError):
        Principal.connect(policy, rig.alice, attest(policy), halt=halt)


def test_patience_is_ended(rig):
    halt, lost = Halt(), threading.Event()
    policy = rig.isolate.policy
    with (
        cutter(rig.sinaloa) as way,
        Principal.connect(
            policy, rig.alice, attest(policy), sinaloa=way.address, patience_s=3600,
            notice=lambda _: lost.set(), halt=halt,
        ) as alice,
    ):  # fmt: skip
        way.leads = None
        way.cut()
        waiting = Raised(alice.state)
        assert lost.wait(PATIENCE_S)
        halt.engage()
        assert waiting.halted()


def test_an_input_that_is_being_read_is_ended(rig):
    halt = Halt()

    class Endless:
        """What is read is never all, as from a device."""

        name = "endless"

        def fileno(self) -> int:
            return 0

        def read(self, size: int) -> bytes:
            halt.engage()
            return bytes(size)

    policy = rig.isolate.policy
    with (
        Principal.connect(policy, rig.bob, attest(policy), halt=halt) as bob,
        pytest.raises(HaltedError),
    ):
        bob.send_data(0, Endless())


def test_a_halt_stops_at_once_what_it_watches_late():
    halt, stopped = Halt(), []
    halt.watch(lambda: stopped.append("first"))
    halt.watch(lambda: stopped.append("second"))
    halt.engage()
    assert stopped == ["second"]
    halt.watch(lambda: stopped.append("third"))
    assert stopped == ["second", "third"]
    with pytest.raises(HaltedError):
        halt.wait(3600)
