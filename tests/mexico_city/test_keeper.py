"""The keeper: guests for a front, one at a time, by real processes."""

import os
import signal
import socket
from contextlib import contextmanager

import pytest

from mexico_city.keeper import Keeper, KeeperLostError, keep_guests
from support.patience import PATIENCE_S
from support.processes import children, eventually, runs, state


def sleep(channel, keeper):
    """Be a guest that says who it is and whose, and ends by a word: with the status of that."""
    os.closerange(0, channel.fileno())
    os.closerange(channel.fileno() + 1, 2**16)
    channel.sendall(f"{os.getpid()} {keeper}".encode())
    word = channel.recv(1)
    os._exit(word[0] if word else 0)


@contextmanager
def kept():
    """The front's side of a keeper, and its process id."""
    front, theirs = socket.socketpair()
    process_id = os.fork()
    if process_id == 0:
        front.close()
        try:
            keep_guests(theirs, sleep)
        finally:
            os._exit(7)
    theirs.close()
    keeper = Keeper(front)
    try:
        yield keeper, process_id
    finally:
        keeper.close()
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)


def new_guest(keeper) -> tuple[socket.socket, int]:
    keeper.ask_for_guest()
    channel = keeper.guest_channel()
    channel.settimeout(PATIENCE_S)
    return channel, int(channel.recv(99).split()[0])


def test_a_guest_is_the_keepers_child_and_knows_it():
    with kept() as (keeper, process_id):
        keeper.ask_for_guest()
        with keeper.guest_channel() as channel:
            guest, its_keeper = map(int, channel.recv(99).split())
            assert its_keeper == process_id
            assert children(process_id) == [guest]


def test_a_guest_that_runs_is_killed_and_reaped():
    with kept() as (keeper, _):
        channel, guest = new_guest(keeper)
        with channel:
            assert keeper.end_guest() == -signal.SIGKILL
            assert state(guest) is None
            assert channel.recv(1) == b""


@pytest.mark.parametrize("status", [0, 3, 255])
def test_a_guest_that_ended_by_itself_is_told_by_how(status):
    with kept() as (keeper, _):
        channel, guest = new_guest(keeper)
        with channel:
            channel.sendall(bytes([status]))
            assert eventually(lambda: not runs(guest))
            assert keeper.end_guest() == status


def test_after_one_guest_there_is_another_of_the_same_keeper():
    with kept() as (keeper, process_id):
        seen = set()
        for _ in range(20):
            channel, guest = new_guest(keeper)
            with channel:
                assert children(process_id) == [guest]
                seen.add(guest)
                assert keeper.end_guest() == -signal.SIGKILL
        assert len(seen) == 20
        assert children(process_id) == []


def test_a_keeper_that_is_closed_has_ended_its_guest():
    with kept() as (keeper, _):
        channel, guest = new_guest(keeper)
        with channel:
            keeper.close()
            assert state(guest) is None


@pytest.mark.parametrize("requests", [b"nn", b"e", b"ne?", b"nee"])
def test_a_keeper_that_is_asked_for_what_cannot_be_is_no_more(requests):
    front, theirs = socket.socketpair()
    process_id = os.fork()
    if process_id == 0:
        front.close()
        try:
            keep_guests(theirs, sleep)
        finally:
            os._exit(7)
    theirs.close()
    with front:
        front.sendall(requests)
        _, status = os.waitpid(process_id, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_keeper_that_was_killed_is_noticed_and_nothing_more_is_asked_of_it():
    with kept() as (keeper, process_id):
        channel, _ = new_guest(keeper)
        with channel:
            os.kill(process_id, signal.SIGKILL)
            channel.sendall(b"\0")  # which in an isolate the kernel does to it
            with pytest.raises(KeeperLostError):
                keeper.end_guest()
            assert not keeper.alive
            for request in (keeper.ask_for_guest, keeper.end_guest):
                with pytest.raises(KeeperLostError):
                    request()


def test_a_keeper_that_does_not_answer_in_time_is_given_up(monkeypatch):
    monkeypatch.setattr("mexico_city.keeper._TIMEOUT_S", 0.2)
    with kept() as (keeper, process_id):
        channel, _ = new_guest(keeper)
        with channel:
            os.kill(process_id, signal.SIGSTOP)
            with pytest.raises(KeeperLostError):
                keeper.end_guest()
            assert not keeper.alive
            os.kill(process_id, signal.SIGCONT)
