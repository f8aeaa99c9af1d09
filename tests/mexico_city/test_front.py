"""The loop and its deadlines, with times short enough to wait for and a guest that lies."""

import mmap
import os
import socket
from contextlib import ExitStack, suppress
from datetime import timedelta

import pytest

from colima import isolate, runtime
from colima.isolate import IsolateExit
from colima.runtime import (
    ComputationState,
    ContentKind,
    GetResult,
    GetState,
    RefusalReason,
    Shutdown,
)
from jalisco import SessionError, SessionLostError
from mexico_city import front, session
from support.local_front import close_all, local_front
from support.patience import PATIENCE_S
from support.processes import eventually, no_more_files, open_files, state
from support.runtime_guests import HELLO
from veracruz_utils.policy import Role

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
MIB = 1024 * 1024


@pytest.fixture
def short_times(monkeypatch):
    monkeypatch.setattr(session, "HANDSHAKE_TIMEOUT_S", 1.0)
    for module in (session, front):
        monkeypatch.setattr(module, "PROGRESS_TIMEOUT_S", 1.0)
    monkeypatch.setattr(session, "IDLE_TIMEOUT_S", 2.0)
    monkeypatch.setattr(front, "_DRAIN_S", 3.0)
    monkeypatch.setattr(front, "_TICK_S", 0.02)


def ready(rig) -> None:
    """Load the program."""
    with rig.session(0) as author:
        author.connection.send_frame(
            runtime.REQUEST.encode(runtime.Upload(ContentKind.PROGRAM, 0, len(HELLO)))
        )
        author.connection.send_content(HELLO)
        assert author.next_answer() == runtime.Proceed()
        rig.guest.load()
        assert author.next_answer() == runtime.Done()


def closed(channel: socket.socket) -> bool:
    """Whether the front closes this session, after whatever it has to say."""
    channel.settimeout(PATIENCE_S)
    with suppress(ConnectionResetError):
        while channel.recv(4096):
            pass
    return True


def reason_of_end(caller) -> tuple[RefusalReason, str]:
    """Why the front ends this session: its last word, after which it closes in TLS."""
    last = caller.next_answer()
    assert isinstance(last, runtime.Refused)
    with pytest.raises(SessionLostError, match="closed the session"):
        caller.next_answer()
    return last.reason, last.found


def refuses(channel: socket.socket, byte: int) -> bool:
    """Whether a byte more comes too late."""
    try:
        channel.sendall(bytes([byte]))
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_who_does_not_shake_hands_is_closed(isolates, short_times):
    with local_front(isolates, [[PI, READER]], program=HELLO) as rig, rig.raw_session() as silent:
        assert closed(silent)


def test_a_handshake_byte_by_byte_gets_no_more_time(isolates, short_times):
    with local_front(isolates, [[PI, READER]], program=HELLO) as rig, rig.raw_session() as channel:
        endpoint = rig.endpoint(rig.parties[0])
        endpoint.start()
        hello = iter(endpoint.data_to_send())
        assert eventually(lambda: refuses(channel, next(hello)))


def test_who_stops_mid_upload_is_closed_and_its_place_is_free_again(isolates, short_times):
    roles = [[PI], [DATA], [READER]]
    with local_front(isolates, roles, program=HELLO, data=[1]) as rig:
        ready(rig)
        with rig.session(1) as stalled:
            stalled.begin_upload(ContentKind.DATA, 100)
            stalled.connection.send_content(b"some")
            assert reason_of_end(stalled) == (
                RefusalReason.STALLED,
                "nothing came for 1 s in the middle of a request or an upload",
            )
        with rig.session(1) as again:
            assert isinstance(again.data(b"all of it"), runtime.Accepted)


def test_who_asks_nothing_for_long_is_closed(isolates, short_times):
    with local_front(isolates, [[PI, READER]], program=HELLO) as rig, rig.session(0) as idle:
        idle.state()
        assert reason_of_end(idle) == (RefusalReason.STALLED, "nothing came for 2 s")


def test_who_waits_for_a_result_may_wait_longer_than_any_of_these(isolates, short_times):
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig:
        ready(rig)
        with rig.session(1) as reader, rig.session(1) as idle:
            reader.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            assert reason_of_end(idle)[0] is RefusalReason.STALLED
            rig.guest.run(b"late")
            assert reader.content_of(reader.next_answer()) == b"late"


def test_the_end_waits_for_a_reader_that_reads_and_not_for_one_that_does_not(isolates, short_times):
    with local_front(isolates, [[PI], [READER], [READER]], program=HELLO) as rig:
        ready(rig)
        result = os.urandom(8 * MIB)
        with rig.session(1) as slow, rig.session(2) as stuck, rig.session(2) as voter:
            for each in (slow, stuck):
                each.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            rig.guest.run(result)
            answer = slow.next_answer()
            with rig.session(1) as another:
                assert another.ask(Shutdown()) == runtime.Awaited((2,))
            assert voter.ask(Shutdown()) == runtime.Done()
            assert slow.content_of(answer) == result
            assert rig.ended() is IsolateExit.QUORUM


def outcome_of(rig, play) -> runtime.Response:
    """What a reader is told about a run that `play` plays."""
    ready(rig)
    with rig.session(1) as reader:
        reader.connection.send_frame(runtime.REQUEST.encode(GetResult()))
        play(rig.guest)
        answer = reader.next_answer()
        assert isinstance(answer, runtime.Refused)
        assert reader.state() is ComputationState.ERROR
    assert eventually(lambda: state(rig.guest.process.pid) is None)
    return answer


def _announce_more(guest) -> None:
    _, descriptors = guest.hear()
    os.write(descriptors[-1], b"four")
    close_all(descriptors)
    guest.say(isolate.Finished(0, wrote_output=True, output_size=5, run_ms=1, fuel=0))


def _write_but_deny_it(guest) -> None:
    _, descriptors = guest.hear()
    os.write(descriptors[-1], b"four")
    close_all(descriptors)
    guest.say(isolate.Finished(0, wrote_output=False, output_size=0, run_ms=1, fuel=0))


def _beyond_the_limit(guest) -> None:
    _, descriptors = guest.hear()
    size = guest.link._limits.output_bytes + 1
    os.ftruncate(descriptors[-1], size)
    close_all(descriptors)
    guest.say(isolate.Finished(0, wrote_output=True, output_size=size, run_ms=1, fuel=0))


def _keep_a_way_to_change_it(guest) -> None:
    _, descriptors = guest.hear()
    os.write(descriptors[-1], b"four")
    guest.mapping = mmap.mmap(descriptors[-1], 4)
    close_all(descriptors)
    guest.say(isolate.Finished(0, wrote_output=True, output_size=4, run_ms=1, fuel=0))


def _answer_another_question(guest) -> None:
    close_all(guest.hear()[1])
    guest.say(isolate.Loaded(0))


def _leak_in_a_code(guest) -> None:
    close_all(guest.hear()[1])
    guest.say(isolate.Trapped("the first input begins with 42"))


@pytest.mark.parametrize(
    "play",
    [
        _announce_more,
        _write_but_deny_it,
        _beyond_the_limit,
        _keep_a_way_to_change_it,
        _answer_another_question,
        _leak_in_a_code,
    ],
)
def test_a_guest_that_lies_about_its_run_is_ended_and_not_quoted(isolates, play):
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig:
        answer = outcome_of(rig, play)
        assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "protocol")


def test_a_guest_that_answers_twice_leaves_the_first_answer_standing(isolates):
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig:
        ready(rig)
        with rig.session(1) as reader:
            reader.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            rig.guest.run(b"once")
            assert reader.content_of(reader.next_answer()) == b"once"
            rig.guest.say(isolate.Trapped("unreachable"))
            assert eventually(lambda: state(rig.guest.process.pid) is None)
            assert reader.result()[1] == b"once"
            assert reader.ask(runtime.NextRound()) == runtime.Done()
            reader.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            rig.guest.renewed()
            rig.guest.load()
            rig.guest.run(b"again")
            assert reader.content_of(reader.next_answer()) == b"again"


def test_a_failure_in_one_answer_keeps_no_other_reader_from_its_own(isolates, monkeypatch):
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig:
        ready(rig)
        with rig.session(1) as first, rig.session(1) as second:
            for each in (first, second):
                each.state()
                each.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            assert eventually(lambda: len(rig.runtime._answers._readers) == 2)
            broken = rig.runtime._answers._readers[0]
            monkeypatch.setattr(broken, "_send", lambda _: 1 / 0)
            rig.guest.run(b"result")
            with pytest.raises(SessionError):
                first.next_answer()
            assert second.content_of(second.next_answer()) == b"result"
            assert isinstance(second.ask(GetState()), runtime.StateIs)


def test_what_a_principal_began_goes_on_when_it_leaves(isolates):
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig:
        with rig.session(0) as author:
            author.begin_upload(ContentKind.PROGRAM, len(HELLO))
            author.connection.send_content(HELLO)
            _, descriptors = rig.guest.hear()
        close_all(descriptors)
        rig.guest.say(isolate.Loaded(0))
        with rig.session(1) as reader:
            assert eventually(lambda: reader.state() is ComputationState.READY_TO_EXECUTE)
            reader.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            _, descriptors = rig.guest.hear()
        os.write(descriptors[-1], b"done")
        close_all(descriptors)
        rig.guest.say(isolate.Finished(0, wrote_output=True, output_size=4, run_ms=1, fuel=0))
        with rig.session(1) as another:
            assert another.result()[1] == b"done"


def test_one_principal_does_not_get_all_places(isolates, monkeypatch):
    monkeypatch.setattr(front, "sessions_each", {2: 3}.__getitem__)
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig, ExitStack() as stack:
        for _ in range(3):
            last = stack.enter_context(rig.session(0))
            assert last.state() is ComputationState.INITIAL
        with rig.session(0) as one_more:
            too_many = "client 0 has as many sessions as it may"
            assert reason_of_end(one_more) == (RefusalReason.BUSY, too_many)
        with rig.session(1) as other:
            assert other.state() is ComputationState.INITIAL
        last.connection.close()
        assert eventually(lambda: is_let_in(rig))


def is_let_in(rig) -> bool:
    """Whether the first principal gets a session."""
    with rig.session(0) as caller:
        return isinstance(caller.ask(GetState()), runtime.StateIs)


def test_a_session_that_there_is_no_file_for_is_closed_and_the_others_go_on(isolates):
    with local_front(isolates, [[PI, READER]], program=HELLO) as rig, rig.session(0) as caller:
        caller.state()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, no_more_files():
                socket.send_fds(rig.isolate.control, [b"\0"], [theirs.fileno()])
                theirs.close()
                assert closed(ours)
            assert caller.state() is ComputationState.INITIAL
        with rig.session(0) as another:
            assert another.state() is ComputationState.INITIAL


def test_a_reader_whose_result_cannot_be_opened_once_more_is_refused_and_may_try_again(isolates):
    with local_front(isolates, [[PI], [READER]], program=HELLO) as rig:
        ready(rig)
        with rig.session(1) as reader, rig.session(1) as another:
            another.state()
            reader.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            rig.guest.run(b"done")
            assert reader.content_of(reader.next_answer()) == b"done"
            with no_more_files():
                answer = another.ask(GetResult())
            assert (answer.reason, answer.expected) == (RefusalReason.BUSY, "try again")
            assert another.result()[1] == b"done"


def secrets_held() -> int:
    """How many inputs and outputs are open in this process."""
    return sum(each.startswith("/memfd:content") for each in open_files(os.getpid()))


def test_at_expiry_secrets_are_gone_before_anybody_has_read_of_it(isolates):
    others = secrets_held()  # of tests before this one
    roles = [[PI], [DATA], [READER]]
    soon = timedelta(seconds=5)
    with local_front(isolates, roles, program=HELLO, data=[1], expires_in=soon) as rig:
        ready(rig)
        with rig.session(1) as provider, rig.session(2) as stuck:
            provider.data(b"a secret")
            stuck.connection.send_frame(runtime.REQUEST.encode(GetResult()))
            rig.guest.run(os.urandom(8 * MIB))
            assert isinstance(stuck.next_answer(), runtime.ResultIs)
            assert secrets_held() > others
            assert eventually(lambda: secrets_held() <= others)
            assert rig.endings == []  # it waits a little for the reader that does not read
            assert state(rig.guest.process.pid) is None
            assert rig.ended() is IsolateExit.EXPIRED
