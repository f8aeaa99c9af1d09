"""Which bridge gets an isolate that another one has left, on plain sockets instead of isolates."""

import socket
from contextlib import closing

import pytest

from colima.isolate import IsolateExit
from platform_services.descriptors import receive_descriptors
from sonora.holders import Holders, Holding
from sonora.isolates import Isolate
from support.patience import PATIENCE_S

POLICY, OTHER = b"\1" * 32, b"\2" * 32
US, THEM = 1000, 1001


class Ends:
    """What is at the other end of an isolate's channels, and of its bridge's connection."""

    def __init__(self, digest: bytes = POLICY) -> None:
        control, self.control = socket.socketpair()
        private, self.private = socket.socketpair()
        self.private.settimeout(PATIENCE_S)
        self.isolate = Isolate(1, b"", digest, control, private)
        self.bridge, self.process = socket.socketpair()

    def end(self) -> None:
        """End as an isolate does."""
        self.private.close()
        self.isolate.exit_code = IsolateExit.BRIDGE_GONE
        self.isolate.ended.set()
        self.isolate.on_end()

    def close(self) -> None:
        self.isolate.ended.set()
        self.isolate.close()
        for each in (self.control, self.private, self.bridge, self.process):
            each.close()


@pytest.fixture
def holders():
    return Holders()


@pytest.fixture
def ends():
    with closing(Ends()) as one:
        yield one


@pytest.fixture
def successor():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


def left(holders: Holders, ends: Ends, *, owner: int = US) -> Holding:
    """An isolate whose bridge went without a word."""
    holding = holders.add(ends.isolate, owner, ends.bridge)
    assert not holders.leave(holding, ends.bridge, hold=True)
    return holding


def test_what_is_left_is_held_and_the_next_of_the_same_user_gets_it(holders, ends, successor):
    holding = left(holders, ends)
    assert ends.isolate.held
    before = ends.isolate.control
    assert holders.take(POLICY, US, successor) is holding
    assert not ends.isolate.held
    assert before.fileno() == -1
    # The isolate has the other end of its new control socket.
    (descriptor,) = receive_descriptors(ends.private, 1)
    with socket.socket(fileno=descriptor) as inside:
        ends.isolate.control.sendall(b"x")
        assert inside.recv(2) == b"x"
    assert holders.take(POLICY, US, successor) is None


@pytest.mark.parametrize(("digest", "owner"), [(OTHER, US), (POLICY, THEM)])
def test_nobody_gets_what_is_held_for_another(holders, ends, successor, digest, owner):
    left(holders, ends)
    assert holders.take(digest, owner, successor) is None
    assert ends.isolate.held


def test_of_several_the_right_one_is_found(holders, ends, successor):
    with closing(Ends(OTHER)) as another:
        left(holders, another)
        left(holders, ends)
        assert holders.take(POLICY, US, successor).isolate is ends.isolate


def test_a_bridge_that_is_there_keeps_its_isolate(holders, ends, successor):
    holders.add(ends.isolate, US, ends.bridge)
    assert holders.take(POLICY, US, successor) is None
    ends.process.shutdown(socket.SHUT_WR)  # it may say no more, and is there
    assert holders.take(POLICY, US, successor) is None


@pytest.mark.parametrize("closed_here", [False, True])
def test_a_bridge_whose_end_was_not_noticed_is_gone(holders, ends, successor, closed_here):
    holding = holders.add(ends.isolate, US, ends.bridge)
    ends.process.close()
    if closed_here:
        ends.bridge.close()
    assert holders.take(POLICY, US, successor) is holding
    # It notices late, and the isolate is not its own any more.
    for hold in (False, True):
        assert not holders.leave(holding, ends.bridge, hold=hold)
        assert not ends.isolate.held
    assert holders.take(POLICY, US, successor) is None


def test_a_bridge_that_ends_its_isolate_leaves_nothing(holders, ends, successor):
    holding = holders.add(ends.isolate, US, ends.bridge)
    assert holders.leave(holding, ends.bridge, hold=False)
    assert holders._holdings == []
    assert not ends.isolate.held
    assert holders.take(POLICY, US, successor) is None


def test_what_has_ended_is_not_held(holders, ends, successor):
    holding = holders.add(ends.isolate, US, ends.bridge)
    ends.end()
    assert holders.leave(holding, ends.bridge, hold=True)
    assert holders.take(POLICY, US, successor) is None


def test_what_ends_while_it_is_held_is_let_go(holders, ends, successor, caplog):
    caplog.set_level("INFO")
    left(holders, ends)
    ends.end()
    assert caplog.messages == ["isolate 1 ended without a bridge"]
    assert holders._holdings == []
    assert ends.isolate.private.fileno() == -1
    assert holders.take(POLICY, US, successor) is None


def test_what_ends_just_as_it_is_taken_is_its_bridges_to_notice(holders, ends, successor):
    holding = left(holders, ends)
    told = ends.isolate.on_end
    assert holders.take(POLICY, US, successor) is holding
    told()  # the launcher's thread was on its way
    assert ends.isolate.private.fileno() != -1
    assert holders.leave(holding, successor, hold=False)


def test_what_takes_no_bridge_any_more_is_passed_over(holders, ends, successor):
    left(holders, ends)
    ends.private.close()
    assert holders.take(POLICY, US, successor) is None
    with closing(Ends()) as another:
        left(holders, another)
        assert holders.take(POLICY, US, successor).isolate is another.isolate


def test_the_end_of_all_ends_what_is_held_and_holds_nothing_more(holders, ends):
    left(holders, ends)
    with closing(Ends()) as attended:
        holding = holders.add(attended.isolate, US, attended.bridge)
        ends.isolate.ended.set()
        holders.close()
        assert ends.isolate.private.fileno() == -1
        assert attended.isolate.private.fileno() != -1
        assert holders.leave(holding, attended.bridge, hold=True)


def test_tokens_are_counted_whichever_bridge_asks(holders, ends, successor):
    limit = left(holders, ends).tokens
    assert holders.take(POLICY, US, successor).tokens is limit
