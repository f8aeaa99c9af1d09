"""How an isolate begins and ends, and that nothing of it is left."""

import os
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from colima import decode, read_frame, runtime
from colima.isolate import IsolateExit, LetIn, sessions_of_isolate
from colima.runtime import RefusalReason
from jalisco import SessionLostError
from sonora.errors import LaunchError
from support import runtime_guests as guests
from support.patience import PATIENCE_S
from support.processes import descendants, eventually, open_files, state
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, Role

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER


@pytest.fixture
def rig(isolates):
    with isolates.computation([[PI, READER], [DATA]], program=guests.HELLO) as one:
        yield one


def ends(rig, how: int) -> bool:
    """Whether the isolate ends in this way, leaving none of its processes behind."""
    front = rig.isolate.process_id
    processes = [front, *descendants(front)] if front else []  # it may have ended by now
    assert rig.isolate.ended.wait(PATIENCE_S)
    assert rig.isolate.exit_code == how
    return eventually(lambda: [state(each) for each in processes] == [None] * len(processes))


def is_left(rig) -> bool:
    """Whether the isolate has closed its end of the control socket, and runs."""
    rig.isolate.control.settimeout(PATIENCE_S)
    while rig.isolate.control.recv(4096):
        pass  # notices of sessions
    return not rig.isolate.ended.is_set()


def attach(rig) -> None:
    """Have another bridge, over which the sessions come from now on."""
    rig.isolate.control.close()
    rig.isolate.control = rig.isolate.take_bridge()


def test_a_bridge_that_goes_takes_its_sessions_and_nothing_else(rig):
    with rig.session(0) as author, rig.session(1) as idle:
        assert author.program(guests.HELLO) == runtime.Done()
        rig.isolate.control.shutdown(socket.SHUT_WR)
        assert is_left(rig)
        with pytest.raises(SessionLostError):
            idle.next_answer()
    attach(rig)
    with rig.session(0) as reader:
        assert reader.result()[1] == b"hello"


def told(control: socket.socket) -> int:
    """Which session the isolate says it has let in."""
    control.settimeout(PATIENCE_S)
    return decode(LetIn, read_frame(control.recv)).session


def test_bridges_beside_each_other_have_sessions_of_their_own(rig):
    first, second = rig.isolate.control, rig.isolate.take_bridge()
    with first, rig.session(1) as idle:
        idle.state()
        assert told(first) == 1
        rig.isolate.control = second
        for number in (1, 2):
            with rig.session(0) as caller:
                caller.state()
                assert told(second) == number
        with rig.session(0) as author:
            assert author.program(guests.HELLO) == runtime.Done()
            first.shutdown(socket.SHUT_WR)  # this one goes, and takes its own along
            with pytest.raises(SessionLostError):
                idle.next_answer()
            assert author.state() is not None
        assert first.recv(4096) == b""
    assert not rig.isolate.ended.is_set()


def test_an_isolate_waits_for_a_bridge_as_long_as_its_policy_says(isolates):
    limits = Limits(detached_seconds=2)
    with isolates.computation([[PI, READER]], program=guests.HELLO, limits=limits) as rig:
        time.sleep(limits.detached_seconds + 1)  # with a bridge, any time
        rig.isolate.control.close()
        assert ends(rig, IsolateExit.BRIDGE_GONE)


def test_the_end_of_sonora_is_the_end_of_the_isolate(rig):
    rig.isolate.private.shutdown(socket.SHUT_RDWR)
    assert ends(rig, IsolateExit.SONORA_GONE)


def test_a_sonora_that_speaks_out_of_turn_is_the_end_too(rig):
    rig.isolate.private.sendall(b"?")
    assert ends(rig, IsolateExit.SONORA_GONE)


def test_open_sessions_do_not_hold_up_the_end(rig):
    with rig.raw_session(), rig.session(0) as caller:
        caller.state()
        rig.isolate.private.shutdown(socket.SHUT_RDWR)
        assert ends(rig, IsolateExit.SONORA_GONE)


@pytest.mark.parametrize(
    "hand_over",
    [
        lambda control: control.sendall(b"\0"),
        lambda control: socket.send_fds(control, [b"\0"], [0, 1]),
    ],
)
def test_a_bridge_that_does_not_keep_to_one_socket_a_byte_is_left(rig, hand_over):
    hand_over(rig.isolate.control)
    assert is_left(rig)
    attach(rig)
    with rig.session(0) as caller:
        caller.state()


def test_a_socket_of_another_kind_is_not_served(rig):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
    ):
        theirs, _ = listener.accept()
        with theirs:
            socket.send_fds(rig.isolate.control, [b"\0"], [theirs.fileno()])
        ours.settimeout(PATIENCE_S)
        assert ours.recv(1) == b""
    with rig.session(0) as caller:
        assert caller.state()


def test_a_killed_front_takes_its_keeper_and_its_guest_with_it(rig):
    others = descendants(rig.isolate.process_id)
    assert len(others) == 2
    os.kill(rig.isolate.process_id, signal.SIGKILL)
    assert rig.isolate.ended.wait(PATIENCE_S)
    assert rig.isolate.exit_code == -signal.SIGKILL
    assert eventually(lambda: {state(each) for each in others} <= {None, "Z"})


def test_an_isolate_reports_its_policy_and_a_certificate_of_its_own(isolates, rig):
    assert rig.isolate.policy_digest == rig.policy.digest.value
    with isolates.launch(rig.policy.raw, rig.parties) as another:
        assert another.isolate.policy_digest == rig.isolate.policy_digest
        assert another.isolate.certificate_digest != rig.isolate.certificate_digest


def test_an_isolate_holds_no_descriptor_but_its_own(rig):
    opened = open_files(rig.isolate.process_id)
    kinds = [each.partition(":")[0] for each in opened if not each.startswith("/memfd:code")]
    # Opened before the image became the root of everything: it has no /dev.
    assert kinds.count("/null") + kinds.count("/dev/null") == 2
    assert kinds.count("socket") == 4  # to the bridge, to Sonora, to the keeper and the guest
    assert len(kinds) == 8  # and the selector's and standard error; code that Sonora had, perhaps


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw[:-3], "policy"),
        (lambda raw: b"", "policy"),
        (lambda raw: raw.replace(b'"JIT"', b'"AOT"'), "execution_strategy"),
    ],
)
def test_a_bad_policy_is_refused_with_its_reason(isolates, rig, spoil, message):
    with pytest.raises(LaunchError, match=message):
        isolates.launcher.launch(spoil(rig.policy.raw))


def test_an_expired_policy_is_refused(isolates, rig):
    raw = rig.policy.raw
    past = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    expiry = rig.policy.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    with pytest.raises(LaunchError, match="expire"):
        isolates.launcher.launch(raw.replace(expiry.encode(), past.encode()))


def test_a_policy_with_more_inputs_than_a_receipt_lists_is_refused(isolates, rig):
    raw = isolates.policy(
        [(rig.parties[0], [PI, READER]), (rig.parties[1], [DATA])],
        program=guests.HELLO,
        data=[1] * 4097,
    )
    with pytest.raises(LaunchError, match="orders 4097 inputs a round, a receipt lists 4096"):
        isolates.launcher.launch(raw)


def test_an_isolate_may_open_a_file_for_each_input_and_for_what_comes_instead_of_it(isolates):
    places = 100
    with isolates.computation(
        [[PI, READER], [DATA]], program=guests.HELLO, data=[1] * places
    ) as rig:
        limits = Path(f"/proc/{rig.isolate.process_id}/limits").read_text()
        files = int(limits.partition("Max open files")[2].split()[0])
    assert files > 2 * places + 2 * sessions_of_isolate(2)


def test_the_policy_digest_is_over_its_exact_bytes(isolates, rig):
    raw = rig.policy.raw + b"\n"
    with isolates.launch(raw, rig.parties) as another:
        assert another.isolate.policy_digest == Digest.of(raw).value
        assert another.isolate.policy_digest != rig.isolate.policy_digest


def last_word(caller) -> runtime.Refused:
    """What the isolate says of itself before it closes this session, in TLS."""
    word = caller.next_answer()
    assert isinstance(word, runtime.Refused)
    with pytest.raises(SessionLostError, match="closed the session"):
        caller.next_answer()
    return word


def soon(isolates, roles, **terms):
    """A computation whose policy expires in a few seconds."""
    return isolates.computation(roles, expires_in=timedelta(seconds=5), **terms)


def test_an_isolate_ends_when_its_policy_expires_and_says_so_to_everybody(isolates):
    roles = [[PI], [DATA], [READER]]
    with soon(isolates, roles, program=guests.HELLO, data=[1]) as rig:
        with rig.session(0) as idle, rig.session(1) as sending, rig.session(1) as midway:
            assert idle.program(guests.HELLO) == runtime.Done()
            assert isinstance(sending.data(b"a secret"), runtime.Accepted)
            midway.connection.send_content(b"\x20")  # a part of a frame
            told = [last_word(each) for each in (idle, sending, midway)]
        expiry = f"the policy expired at {rig.policy.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        assert {(word.reason, word.found) for word in told} == {(RefusalReason.EXPIRED, expiry)}
        assert datetime.now(UTC) >= rig.policy.expires_at
        assert ends(rig, IsolateExit.EXPIRED)


def test_an_upload_and_a_wait_for_a_result_end_with_the_policy(isolates):
    roles = [[PI], [DATA], [READER]]
    with soon(isolates, roles, program=guests.ENDLESS, data=[1, 1]) as rig:
        with rig.session(0) as author, rig.session(1) as provider, rig.session(2) as reader:
            assert author.program(guests.ENDLESS) == runtime.Done()
            provider.data(b"one")
            provider.data(b"two", 1)
            reader.connection.send_frame(runtime.REQUEST.encode(runtime.GetResult()))
            assert last_word(reader).reason is RefusalReason.EXPIRED
            assert last_word(provider).reason is RefusalReason.EXPIRED
        assert ends(rig, IsolateExit.EXPIRED)


def test_a_silent_stranger_does_not_hold_up_the_end_of_a_policy(isolates):
    with (
        soon(isolates, [[PI, READER]], program=guests.HELLO) as rig,
        rig.raw_session(),
        rig.raw_session() as stranger,
    ):
        stranger.sendall(b"\x16\x03\x01")
        assert ends(rig, IsolateExit.EXPIRED)


def test_an_isolate_without_a_session_ends_when_the_policys_patience_does(isolates):
    limits = Limits(idle_seconds=2)
    with isolates.computation([[PI, READER]], program=guests.HELLO, limits=limits) as rig:
        with rig.session(0) as caller:
            # Longer than that patience, in a session: the isolate is in use.
            time.sleep(limits.idle_seconds + 1)
            caller.state()
        with rig.raw_session():  # a stranger is nobody's use of it
            assert ends(rig, IsolateExit.IDLE)


def test_a_run_that_nobody_waits_for_is_use_of_an_isolate(isolates):
    limits = Limits(idle_seconds=1, run_seconds=4)
    with isolates.computation([[PI, READER]], program=guests.ENDLESS, limits=limits) as rig:
        with rig.session(0) as caller:
            caller.program(guests.ENDLESS)
            caller.connection.send_frame(runtime.REQUEST.encode(runtime.GetResult()))
            caller.connection.send_frame(runtime.REQUEST.encode(runtime.GetState()))
        time.sleep(limits.idle_seconds + 1.5)
        with rig.session(0) as caller:
            assert isinstance(caller.ask(runtime.GetState()), runtime.StateIs)
        assert ends(rig, IsolateExit.IDLE)


def test_who_stays_to_the_quorum_is_told_of_it(isolates):
    with isolates.computation([[PI], [READER]], program=guests.HELLO) as rig:
        with rig.session(0) as watching, rig.session(1) as reader:
            watching.state()
            assert reader.ask(runtime.Shutdown()) == runtime.Done()
            word = last_word(watching)
        assert word.reason is RefusalReason.SHUT_DOWN
        assert word.found == "every result reader asked for shutdown"
        assert ends(rig, IsolateExit.QUORUM)
