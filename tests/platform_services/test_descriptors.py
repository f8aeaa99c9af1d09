"""Descriptors over sockets: as many as were announced, or none."""

import errno
import os
import resource
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from platform_services import DescriptorsLostError, PlatformError, descriptors
from platform_services.descriptors import receive_descriptors, send_descriptors
from support.processes import no_more_files, open_files
from support.users import as_user


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_many_descriptors_arrive_in_their_order_and_close_on_exec(pair):
    ours, theirs = pair
    ours.settimeout(7)
    files = [os.memfd_create(str(number)) for number in range(450)]
    for number, file in enumerate(files):
        os.write(file, b"%d" % number)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_descriptors, ours, files)
        received = receive_descriptors(theirs, len(files))
        sending.result()
    assert [os.pread(file, 9, 0) for file in received] == [b"%d" % n for n in range(450)]
    assert not any(os.get_inheritable(file) for file in received)
    assert ours.gettimeout() == 7
    for file in (*files, *received):
        os.close(file)
    for end in pair:  # no acknowledgement is left over
        end.settimeout(0)
        with pytest.raises(BlockingIOError):
            end.recv(1)


def test_where_the_other_side_is_gone_there_is_no_descriptor(pair):
    ours, theirs = pair
    ours.close()
    with pytest.raises(PlatformError, match="0 descriptors came, 1 were announced"):
        receive_descriptors(theirs, 1)


def test_a_receiver_that_is_gone_is_not_waited_for(pair, monkeypatch):
    ours, theirs = pair
    theirs.close()
    monkeypatch.setattr(descriptors.time, "sleep", pytest.fail)
    with pytest.raises(BrokenPipeError):
        send_descriptors(ours, [0])


def test_what_follows_a_batch_that_did_not_come_is_left_for_its_reader(pair):
    ours, theirs = pair
    ours.sendall(b"\0next")
    with pytest.raises(PlatformError, match="0 descriptors came, 1 were announced"):
        receive_descriptors(theirs, 1)
    assert theirs.recv(9) == b"next"


def test_descriptors_that_there_is_no_room_for_are_lost_and_the_channel_goes_on(pair):
    ours, theirs = pair
    socket.send_fds(ours, [b"\0"], [0])
    ours.sendall(b"next")
    with no_more_files(), pytest.raises(DescriptorsLostError, match="0 of 1 descriptors"):
        receive_descriptors(theirs, 1)
    assert theirs.recv(9) == b"next"


def test_descriptors_that_were_not_announced_are_closed(pair):
    ours, theirs = pair
    before = len(open_files(os.getpid()))
    socket.send_fds(ours, [b"\0"], [0, 1, 2])
    with pytest.raises(PlatformError, match="descriptors came, 2 were announced"):
        receive_descriptors(theirs, 2)
    socket.send_fds(ours, [b"\0"], [0])
    with pytest.raises(PlatformError, match="1 descriptors came, 2 were announced"):
        receive_descriptors(theirs, 2)
    assert len(open_files(os.getpid())) == before


def test_a_receiver_that_takes_none_keeps_no_more_than_a_batch_in_flight(pair):
    ours, theirs = pair
    with pytest.raises(TimeoutError):
        send_descriptors(ours, [0] * 4096, timeout_s=0.05)
    assert ours.gettimeout() is None
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises(PlatformError, match="32 descriptors came, 4096 were announced"):
        receive_descriptors(theirs, 4096)


def test_a_time_that_is_over_is_over_after_the_first_batch(pair):
    ours, _ = pair
    with pytest.raises(TimeoutError):
        send_descriptors(ours, [0] * 33, timeout_s=0)


def test_each_batch_is_acknowledged_by_one_byte_and_no_other(pair):
    ours, theirs = pair
    theirs.sendall(b"\0\0")
    send_descriptors(ours, [0] * 96)
    for sent in range(3):
        theirs.sendall(b"x")
        with pytest.raises(ConnectionAbortedError, match="descriptors were not taken"):
            send_descriptors(ours, [0] * (33 + sent))
    ours.shutdown(socket.SHUT_WR)
    batches = 0
    while len(theirs.recv(1)):
        batches += 1
    assert batches == 3 + 3


def flooded(act) -> str:
    """What `act` gives in a process of a user that has too many descriptors in flight."""

    def outcome() -> object:
        limit = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 16
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        flood, never_read = socket.socketpair()
        with flood, never_read:
            for _ in range(limit // 100 + 1):
                socket.send_fds(flood, [b"\0"], [0] * 100)
            return act(never_read)

    # The kernel counts by user: one of this process's own, whom no other test has descriptors of.
    return as_user(2_000_000_000 + os.getpid() if os.getuid() == 0 else os.getuid(), outcome)


def test_too_many_in_flight_are_waited_for_and_leave_both_sides_in_step():
    def act(_never_read) -> str:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            with pytest.raises(OSError, match="Too many references") as refused:
                send_descriptors(ours, [0], timeout_s=0.05)
            assert refused.value.errno == errno.ETOOMANYREFS
            with pytest.raises(PlatformError, match="0 descriptors came, 1 were announced"):
                receive_descriptors(theirs, 1)
            ours.sendall(b"next")
            return theirs.recv(9).decode()

    assert flooded(act) == "next"


def test_what_was_in_flight_and_is_taken_makes_room(monkeypatch):
    def act(never_read) -> str:
        waited = []

        def take(seconds: float) -> None:
            waited.append(seconds)
            never_read.recv(1)  # and with it what came with it

        monkeypatch.setattr(descriptors.time, "sleep", take)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            send_descriptors(ours, [0])
            return f"{len(waited)} {len(receive_descriptors(theirs, 1))}"

    assert flooded(act) == "1 1"
