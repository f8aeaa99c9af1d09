"""Which bridges get which isolate, on plain sockets instead of isolates."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from colima.isolate import IsolateExit
from platform_services.descriptors import receive_descriptors
from sonora.errors import LaunchError
from sonora.holders import MAX_BRIDGES, Holders, Share
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


class LaunchedAnewError(Exception):
    """There was no isolate, and so one was to be launched."""


def launch():
    raise LaunchedAnewError


def first(holders: Holders, ends: Ends, *, owner: int = US) -> Share:
    """What the bridge has that had an isolate launched."""
    digest = ends.isolate.policy_digest
    share = holders.obtain(digest, owner, ends.bridge, lambda: ends.isolate)
    assert not share.found_again
    return share


def left(holders: Holders, ends: Ends, *, owner: int = US) -> Share:
    """What a bridge had that went without a word."""
    share = first(holders, ends, owner=owner)
    assert not holders.leave(share.holding, ends.bridge, hold=True)
    return share


def found(holders: Holders, bridge: socket.socket) -> Share:
    """What one more bridge has of the isolate there is."""
    share = holders.obtain(POLICY, US, bridge, launch)
    assert share.found_again
    return share


def nothing_is_found(holders: Holders, bridge: socket.socket, digest=POLICY, owner=US) -> bool:
    with pytest.raises(LaunchedAnewError):
        holders.obtain(digest, owner, bridge, launch)
    return True


def inside_of(share: Share, ends: Ends) -> bool:
    """Whether the isolate has the other end of this control socket."""
    (descriptor,) = receive_descriptors(ends.private, 1)
    with socket.socket(fileno=descriptor) as inside:
        share.control.sendall(b"x")
        return inside.recv(2) == b"x"


def test_what_is_left_is_held_and_the_next_of_the_same_user_gets_it(holders, ends, successor):
    holding = left(holders, ends).holding
    assert ends.isolate.held
    with closing(found(holders, successor).control):
        assert holding.bridges == {successor}
        assert not ends.isolate.held


def test_a_bridge_beside_another_has_a_control_socket_of_its_own(holders, ends, successor):
    share = first(holders, ends)
    another = found(holders, successor)
    with another.control:
        assert another.holding is share.holding
        assert inside_of(another, ends)
        share.control.sendall(b"y")
        assert ends.control.recv(2) == b"y"


@pytest.mark.parametrize(("digest", "owner"), [(OTHER, US), (POLICY, THEM)])
def test_nobody_gets_what_is_of_another(holders, ends, successor, digest, owner):
    left(holders, ends)
    assert nothing_is_found(holders, successor, digest, owner)
    assert ends.isolate.held


def test_of_several_the_right_one_is_found(holders, ends, successor):
    with closing(Ends(OTHER)) as another:
        left(holders, another)
        left(holders, ends)
        with closing(found(holders, successor).control):
            assert ends.isolate.held is False
            assert another.isolate.held


def test_the_last_bridge_alone_ends_the_isolate_or_leaves_it_held(holders, ends, successor):
    share = first(holders, ends)
    found(holders, successor).control.close()
    for hold in (False, True):
        assert not holders.leave(share.holding, ends.bridge, hold=hold)
        assert not ends.isolate.held
        with ends.bridge.dup() as back:
            found(holders, back).control.close()
            assert not holders.leave(share.holding, back, hold=hold)
    assert holders.leave(share.holding, successor, hold=False)
    assert holders._holdings == []


def test_an_isolate_has_so_many_bridges_and_one_that_is_gone_makes_room(holders, ends):
    first(holders, ends)
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(MAX_BRIDGES)]
        for each in (end for pair in pairs for end in pair):
            stack.enter_context(each)
        for ours, _ in pairs[:-1]:
            stack.enter_context(found(holders, ours).control)
        with pytest.raises(LaunchError, match="has 4 bridges, which is the limit"):
            found(holders, pairs[-1][0])
        ends.process.shutdown(socket.SHUT_WR)  # it may say no more, and is there
        with pytest.raises(LaunchError, match="end one of them"):
            found(holders, pairs[-1][0])
        pairs[0][1].close()
        stack.enter_context(found(holders, pairs[-1][0]).control)


def test_two_that_ask_at_once_get_one_isolate(holders, ends, successor):
    asked, go_on = threading.Event(), threading.Event()

    def slowly() -> Isolate:
        asked.set()
        assert go_on.wait(PATIENCE_S)
        return ends.isolate

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(holders.obtain, POLICY, US, ends.bridge, slowly)
        assert asked.wait(PATIENCE_S)
        two = threads.submit(found, holders, successor)
        with closing(Ends(OTHER)) as another:
            first(holders, another)  # whoever asks for something else does not wait
        go_on.set()
        with two.result(PATIENCE_S).control:
            assert one.result().holding is two.result().holding


def test_what_could_not_be_launched_keeps_nobody_from_asking_again(holders, ends, successor):
    assert nothing_is_found(holders, successor)
    first(holders, ends)


@pytest.mark.parametrize("closed_here", [False, True])
def test_a_bridge_whose_end_was_not_noticed_is_gone(holders, ends, successor, closed_here):
    holding = first(holders, ends).holding
    ends.process.close()
    if closed_here:
        ends.bridge.close()
    found(holders, successor).control.close()
    assert holding.bridges == {successor}
    # It notices late, and the isolate is not its own any more.
    for hold in (False, True):
        assert not holders.leave(holding, ends.bridge, hold=hold)
        assert not ends.isolate.held


def test_a_bridge_that_ends_its_isolate_leaves_nothing(holders, ends, successor):
    holding = first(holders, ends).holding
    assert holders.leave(holding, ends.bridge, hold=False)
    assert holders._holdings == []
    assert not ends.isolate.held
    assert nothing_is_found(holders, successor)


def test_what_has_ended_is_not_held_and_all_its_bridges_are_woken(holders, ends, successor):
    holding = first(holders, ends).holding
    found(holders, successor).control.close()
    ends.end()
    assert ends.bridge.recv(1) == successor.recv(1) == b""
    assert not holders.leave(holding, successor, hold=True)
    assert holders.leave(holding, ends.bridge, hold=True)
    assert nothing_is_found(holders, successor)


def test_what_has_ended_before_anybody_looked_wakes_its_bridge(holders, ends):
    ends.end()
    holding = first(holders, ends).holding
    assert ends.bridge.recv(1) == b""
    assert holders.leave(holding, ends.bridge, hold=True)


def test_what_ends_while_it_is_held_is_let_go(holders, ends, successor, caplog):
    caplog.set_level("INFO")
    left(holders, ends)
    ends.end()
    assert caplog.messages == ["isolate 1 ended without a bridge"]
    assert holders._holdings == []
    assert ends.isolate.private.fileno() == -1
    assert nothing_is_found(holders, successor)


def test_what_ends_just_as_it_is_taken_is_its_bridges_to_notice(holders, ends, successor):
    holding = left(holders, ends).holding
    found(holders, successor).control.close()
    ends.isolate.on_end()  # the launcher's thread was on its way
    assert ends.isolate.private.fileno() != -1
    assert successor.recv(1) == b""
    assert holders.leave(holding, successor, hold=False)


def test_what_takes_no_bridge_any_more_is_passed_over(holders, ends, successor):
    left(holders, ends)
    ends.private.close()
    assert nothing_is_found(holders, successor)
    with closing(Ends()) as another:
        left(holders, another)
        with closing(found(holders, successor).control):
            assert not another.isolate.held


def test_the_end_of_all_ends_what_is_held_and_holds_nothing_more(holders, ends):
    left(holders, ends)
    with closing(Ends(OTHER)) as attended:
        holding = first(holders, attended).holding
        ends.isolate.ended.set()
        holders.close()
        assert ends.isolate.private.fileno() == -1
        assert attended.isolate.private.fileno() != -1
        assert holders.leave(holding, attended.bridge, hold=True)


def test_tokens_are_counted_whichever_bridge_asks(holders, ends, successor):
    limit = left(holders, ends).holding.tokens
    with closing(found(holders, successor).control):
        assert holders._holdings[0].tokens is limit
