"""The front's side of the guest process, with real processes that do as they are told."""

import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from colima import frame, isolate, read_frame
from colima.runtime import ContentKind, TrapFrame
from mexico_city import guest_link
from mexico_city.computation import Job
from mexico_city.content import anonymous_file, content_of
from mexico_city.guest_link import GuestLink, GuestLostError
from mexico_city.keeper import WALLED_IN
from platform_services.descriptors import receive_descriptors
from support.computations import package
from support.played_keeper import PlayedKeeper
from support.processes import open_files, runs, state
from veracruz_utils.policy import Limits

LIMITS = Limits(compile_seconds=10, run_seconds=20)
PROGRAM = content_of(b"module")
CODE = (anonymous_file(), 0)
JOB = Job([package(1, 0, ContentKind.DATA, b"data")], [], None)
FINISHED = isolate.Finished(0, wrote_output=False, output_size=0, run_ms=1, fuel=0)


class Guest:
    """A process that sleeps; the test speaks for it on its end of the channel."""

    def __init__(self, *command: str) -> None:
        self.keeper = PlayedKeeper(*command)
        self.front, guest = self.keeper.first()
        self.channel, self.process = guest.channel, guest.process
        self.channel.settimeout(1)  # what is to come here is there at once
        self.link = GuestLink(self.keeper.link, self.front, LIMITS)

    def say(self, answer: isolate.FromGuest) -> None:
        self.channel.sendall(frame(isolate.FROM_GUEST.encode(answer)))

    @property
    def gone(self) -> bool:
        """Ended and reaped."""
        return state(self.process.pid) is None


@contextmanager
def guest(*command):
    one = Guest(*command)
    try:
        yield one
    finally:
        one.link.kill()
        one.keeper.close()


def lost(call, *args, **terms) -> str:
    with pytest.raises(GuestLostError) as error:
        call(*args, **terms)
    assert str(error.value) == error.value.code
    return error.value.code


def test_an_answer_is_taken_when_all_of_it_is_there():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        answer = frame(isolate.FROM_GUEST.encode(isolate.Loaded(0)))
        for byte in answer[:-1]:
            one.channel.sendall(bytes([byte]))
            assert one.link.receive() is None
        one.channel.sendall(answer[-1:])
        assert one.link.receive() == isolate.Loaded(0)
        assert one.link.alive


def test_a_guest_has_the_program_from_its_word_for_it_to_its_end():
    with guest() as one:
        assert not one.link.loaded
        one.link.load(PROGRAM, code=CODE, now=100)
        assert not one.link.loaded
        one.say(isolate.Loaded(0))
        one.link.receive()
        assert one.link.loaded
        one.link.kill()
        assert not one.link.loaded


def test_a_guest_that_says_nothing_is_not_waited_for():
    with guest() as one:
        assert one.link.receive() is None
        one.link.load(PROGRAM, code=CODE, now=100)
        assert one.link.receive() is None
        assert one.link.alive


@pytest.mark.parametrize(
    ("begin", "seconds", "code"),
    [
        (lambda link: link.load(PROGRAM, code=CODE, now=100), 10, "compile-time"),
        (lambda link: os.close(link.run(JOB, now=100)), 20, "time"),
    ],
)
def test_a_guest_has_until_its_deadline_and_no_longer(begin, seconds, code):
    with guest() as one:
        begin(one.link)
        one.link.check_deadline(100 + seconds - 0.001)
        assert runs(one.process.pid)
        assert lost(one.link.check_deadline, 100 + seconds) == code
        assert one.gone


def test_under_debug_a_run_has_a_moment_more_for_what_it_says_last():
    with guest() as one:
        one.link.kill()
        link = GuestLink(one.keeper.link, one.keeper.first()[0], LIMITS, debug=True)
        os.close(link.run(JOB, now=100))
        assert link.deadline == 120 + guest_link._LAST_WORD_S
        link.kill()


def test_a_guest_that_answered_has_no_deadline():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        one.say(isolate.Loaded(0))
        one.link.receive()
        one.link.check_deadline(1e9)
        assert one.link.alive


def test_a_guest_that_closes_its_channel_is_ended_and_reaped():
    with guest() as one:
        one.channel.close()
        assert lost(one.link.receive) == "signal-9"
        assert one.gone


def test_a_guest_that_died_is_told_apart_by_how():
    with guest() as one:
        one.process.send_signal(signal.SIGSEGV)
        one.channel.close()
        os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOWAIT)
        assert lost(one.link.receive) == "signal-11"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 0", "exit-0"),
        ("exit 3", "exit-3"),
        ("exec env --default-signal=HUP sh -c 'kill -HUP $$'", "signal-1"),
    ],
)
def test_a_guest_that_ended_by_itself_is_told_apart_by_how(command, code):
    with guest("/bin/sh", "-c", command) as one:
        one.channel.close()
        os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOWAIT)
        assert lost(one.link.receive) == code


def test_a_guest_that_ends_with_a_request_unread_is_told_apart_by_how():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        one.channel.close()  # which resets the connection
        assert lost(one.link.receive) == "signal-9"
        assert one.gone


def test_a_guest_that_aborts_when_it_has_compiled_did_not_lack_memory():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        one.say(isolate.Loaded(0))
        one.link.receive()
        one.process.send_signal(signal.SIGABRT)
        one.channel.close()
        os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOWAIT)
        assert lost(one.link.receive) == "signal-6"


def test_without_room_for_an_output_the_guest_is_lost(monkeypatch):
    def no_room():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(guest_link, "anonymous_file", no_room)
    with guest() as one:
        assert lost(one.link.run, JOB, now=100) == "no-room"
        assert one.gone


@pytest.mark.parametrize(
    ("begin", "code"),
    [
        (lambda link: link.load(PROGRAM, code=CODE, now=100), "compile-memory"),
        (lambda link: os.close(link.run(JOB, now=100)), "signal-6"),
    ],
)
def test_a_guest_that_aborts_while_it_compiles_had_no_more_memory(begin, code):
    with guest() as one:
        begin(one.link)
        one.process.send_signal(signal.SIGABRT)
        one.channel.close()
        os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOWAIT)
        assert lost(one.link.receive) == code


@pytest.mark.parametrize(
    "words",
    [
        frame(b"garbage"),
        (2**31).to_bytes(4, "little"),
        frame(isolate.FROM_GUEST.encode(isolate.Loaded(0))) + b"\0",
        frame(isolate.FROM_GUEST.encode(isolate.Trapped("the secret is 42"))),
        frame(isolate.FROM_GUEST.encode(isolate.LimitReached("unreachable"))),
        frame(isolate.FROM_GUEST.encode(isolate.LoadRefused("time"))),
    ],
)
def test_a_guest_that_breaks_the_protocol_is_not_believed_and_ends(words):
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        one.channel.sendall(words)
        assert lost(one.link.receive) == "protocol"
        assert one.gone


def test_a_guest_that_speaks_unasked_ends():
    with guest() as one:
        one.say(FINISHED)
        assert lost(one.link.receive) == "protocol"
        assert one.gone


def test_a_loss_is_reported_once_however_often_it_shows():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        assert lost(one.link.check_deadline, 200) == "compile-time"
        assert one.link.receive() is None
        one.link.check_deadline(300)
        one.link.kill()


class Watcher:
    """Which channels are watched, and with which numbers."""

    def __init__(self) -> None:
        self.watched: set[int] = set()

    def watch(self, channel):
        self.watched.add(channel.fileno())

    def forget(self, channel):
        self.watched.remove(channel.fileno())


def test_the_channel_of_a_lost_guest_is_forgotten_before_its_number_is_anothers():
    with guest() as one:
        watcher = Watcher()
        one.link.watched_by(watcher)
        assert watcher.watched == {one.front.fileno()}
        one.link.kill()
        assert not watcher.watched
        assert one.front.fileno() < 0


def test_a_lost_guest_is_replaced_by_one_that_is_heard_when_it_is_walled_in():
    with guest() as one:
        watcher = Watcher()
        one.link.watched_by(watcher)
        one.link.load(PROGRAM, code=CODE, now=100)
        one.say(isolate.Loaded(0))
        one.link.receive()
        one.link.kill()
        assert one.link.renewable
        one.link.renew()
        assert len(watcher.watched) == 1
        assert one.link.alive
        assert one.link.receive() is None
        second = one.keeper.guest()
        assert runs(second.process.pid)
        assert one.link._channel.gettimeout() == guest_link._SEND_TIMEOUT_S
        one.link.load(PROGRAM, code=CODE, now=100)
        second.channel.sendall(frame(isolate.FROM_GUEST.encode(isolate.Loaded(0))))
        assert one.link.receive() == isolate.Loaded(0)


@pytest.mark.parametrize("first", [WALLED_IN, b"\2"])
def test_what_a_new_guest_says_counts_behind_its_word_that_it_is_walled_in(first):
    with guest() as one:
        one.link.kill()
        one.keeper._walled_in = b""
        one.link.renew()
        second = one.keeper.guest()
        one.link.load(PROGRAM, code=CODE, now=100)
        second.channel.sendall(first + frame(isolate.FROM_GUEST.encode(isolate.Loaded(0))))
        if first == WALLED_IN:
            assert one.link.receive() == isolate.Loaded(0)
        else:
            assert lost(one.link.receive) == "protocol"


def test_a_new_guest_that_is_not_walled_in_is_not_believed():
    with guest() as one:
        one.link.kill()
        one.keeper._walled_in = b""
        one.link.renew()
        second = one.keeper.guest()
        one.link.load(PROGRAM, code=CODE, now=100)
        second.channel.sendall(frame(isolate.FROM_GUEST.encode(isolate.Loaded(0))))
        assert lost(one.link.receive) == "protocol"
        assert state(second.process.pid) is None


def test_without_a_keeper_a_guest_is_lost_for_good():
    with guest() as one:
        one.keeper.vanish()
        assert lost(one.link.receive) == "keeper"
        assert not one.link.renewable
        assert lost(one.link.renew) == "keeper"
        assert not one.link.alive


def test_a_guest_that_takes_nothing_is_lost_and_leaves_no_output_behind():
    with guest() as one:
        one.channel.close()
        before = len(open_files(os.getpid()))
        assert lost(one.link.run, JOB, now=100) == "protocol"
        assert len(open_files(os.getpid())) == before - 1  # the channel to the guest
        assert one.gone


def test_a_run_comes_with_its_inputs_and_an_empty_file_for_the_output():
    with guest() as one, ThreadPoolExecutor(1) as pool:
        previous = content_of(b"before")
        streams = [package(1, n, ContentKind.STREAM, b"%d" % n) for n in range(210)]
        running = pool.submit(one.link.run, Job(JOB.inputs, streams, previous), now=100)
        run = isolate.TO_GUEST.decode(read_frame(one.channel.recv))
        assert (run.inputs, len(run.streams)) == ((4,), 210)
        assert (run.has_previous, run.previous) == (True, 6)
        received = receive_descriptors(one.channel, 213)
        output = running.result()
        contents = [os.pread(descriptor, 99, 0) for descriptor in received]
        assert contents == [b"data", *(b"%d" % n for n in range(210)), b"before", b""]
        os.write(received[-1], b"after")
        assert os.pread(output, 99, 0) == b"after"
        for descriptor in [*received, output]:
            os.close(descriptor)


@pytest.mark.parametrize("acknowledgement", [b"", b"\1"])
def test_a_guest_gets_no_second_batch_before_it_took_the_first(monkeypatch, acknowledgement):
    monkeypatch.setattr(guest_link, "_SEND_TIMEOUT_S", 0.2)
    with guest() as one:
        one.channel.sendall(acknowledgement)
        streams = [package(1, n, ContentKind.STREAM, b"") for n in range(100)]
        assert lost(one.link.run, Job([], streams, None), now=100) == "protocol"
        read_frame(one.channel.recv)
        for descriptor in receive_descriptors(one.channel, 32):
            os.close(descriptor)
        with suppress(ConnectionResetError):
            assert one.channel.recv(1) == b""
        assert one.gone


def test_a_program_is_handed_over_with_the_file_for_its_code():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        payload = read_frame(one.channel.recv)
        assert isolate.TO_GUEST.decode(payload) == isolate.Load(PROGRAM.size, 0)
        module, code = receive_descriptors(one.channel, 2)
        assert os.pread(module, 99, 0) == b"module"
        assert os.path.sameopenfile(code, CODE[0])
        os.close(module)
        os.close(code)


def test_a_run_after_a_program_was_loaded_has_the_limit_of_a_run():
    with guest() as one:
        one.link.load(PROGRAM, code=CODE, now=100)
        one.say(isolate.Loaded(0))
        one.link.receive()
        os.close(one.link.run(JOB, now=100))
        assert lost(one.link.check_deadline, 120) == "time"


def test_the_front_waits_for_a_request_to_be_taken_for_a_bounded_time():
    with guest() as one:
        assert one.front.gettimeout() == guest_link._SEND_TIMEOUT_S


@pytest.mark.parametrize("name", ["two\nlines", "d\u00e9j\u00e0", "\x00"])
def test_a_name_that_is_not_plain_is_not_passed_on(name):
    with guest() as one:
        os.close(one.link.run(JOB, now=100))
        one.say(isolate.Trapped("unreachable", (TrapFrame(1, 2, name),)))
        assert lost(one.link.receive) == "protocol"
        assert one.gone


@pytest.mark.parametrize(
    "answer",
    [
        isolate.Trapped("unreachable", (TrapFrame(1, 2, "main"),), "first\n\tsecond"),
        isolate.Trapped("unreachable", (TrapFrame(1, 2, ""), TrapFrame(3, 4, "a b"))),
        dataclasses.replace(FINISHED, message="d\u00e9j\u00e0"),
        isolate.LimitReached("memory"),
    ],
)
def test_what_is_plain_is_passed_on(answer):
    with guest() as one:
        os.close(one.link.run(JOB, now=100))
        one.say(answer)
        assert one.link.receive() == answer
        assert one.link.alive


@pytest.mark.parametrize(
    "answer",
    [
        isolate.Trapped("unreachable", (TrapFrame(1, 2, "main"),), "\x1b[2J"),
        isolate.Trapped("unreachable", (TrapFrame(1, 2, "a"), TrapFrame(3, 4, "\x7f"))),
        dataclasses.replace(FINISHED, message="\x1b[2J"),
    ],
)
def test_a_message_that_is_not_plain_is_not_passed_on(answer):
    with guest() as one:
        os.close(one.link.run(JOB, now=100))
        one.say(answer)
        assert lost(one.link.receive) == "protocol"
        assert one.gone


def test_a_guest_that_answers_twice_at_once_ends():
    with guest() as one:
        os.close(one.link.run(JOB, now=100))
        answer = frame(isolate.FROM_GUEST.encode(FINISHED))
        one.channel.sendall(answer + answer)
        assert lost(one.link.receive) == "protocol"
        assert one.gone


def test_a_run_of_the_first_round_has_no_previous_result():
    message, descriptors = guest_link.run_request(JOB)
    assert message == isolate.Run((4,), (), has_previous=False, previous=0)
    assert descriptors == [JOB.inputs[0].content.descriptor]
