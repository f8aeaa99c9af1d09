"""Clients at the port for bulk of a real bridge, with an echo behind it; hostile ones, too."""

import contextlib
import socket
import threading
import time
from contextlib import ExitStack

import pytest

import colima
from colima import encode, frame
from colima.sinaloa import (
    BULK_VERSION,
    MAX_OPENING_BYTES,
    SERVICE,
    BulkPortRequest,
    BulkPortResponse,
    BulkStatus,
    OpenBulk,
)
from colima.sonora import IsolateEnding
from sinaloa.computations import Computations
from support.bulk_clients import answer_on
from support.patience import PATIENCE_S
from support.sinaloa_fakes import deaf, flood, open_descriptors, sink
from veracruz_shells.channels import unary

PIECE = bytes(range(256)) * 4096  # 1 MiB


def exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size and (piece := connection.recv(size - len(found))):
        found += piece
    return bytes(found)


def rest_of(connection: socket.socket) -> bytes:
    """All that comes to the end, or to a reset."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            found += piece
    return bytes(found)


def eventually(condition) -> bool:
    """Wait for what other threads are about to bring about."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return True


def opening(rig, version: int = BULK_VERSION) -> bytes:
    return frame(encode(OpenBulk(version, rig.isolate.launched.policy_digest)))


def test_bytes_go_to_the_isolate_and_back_unchanged(serve):
    with serve() as rig, rig.connect() as connection:
        sent = PIECE * 5 + b"end"
        sending = threading.Thread(target=connection.sendall, args=(sent,))
        sending.start()
        assert exactly(connection, len(sent)) == sent
        sending.join()


def test_bytes_that_come_with_the_first_word_are_the_sessions(serve):
    with serve() as rig, rig.connect(opens=False) as connection:
        connection.sendall(opening(rig) + b"hello")
        assert answer_on(connection).status is BulkStatus.OPENED
        assert exactly(connection, 5) == b"hello"


def test_the_isolate_sees_the_end_of_what_the_principal_sends(serve, sonora):
    sonora.serve = sink
    with serve() as rig, rig.connect() as connection:
        connection.sendall(PIECE * 3)
        connection.shutdown(socket.SHUT_WR)
        assert rest_of(connection) == b"%d" % (3 << 20)


def test_the_bridge_says_where_its_port_is(serve):
    with serve() as rig:
        asked = encode(BulkPortRequest())
        method = f"/{SERVICE}/BulkPort"
        answer = unary(rig.channel, method, asked, timeout_s=PATIENCE_S, peer="sinaloa")
        port = colima.decode(BulkPortResponse, answer).port
        assert rig.bulk.address == f"127.0.0.1:{port}"


@pytest.mark.parametrize("said", [b"", b"\x24\0", b"\x24\0\0\0\x08"])
def test_who_does_not_say_what_it_wants_is_given_up(serve, said):
    with serve(opening_s=0.2) as rig, rig.connect(opens=False) as connection:
        connection.sendall(said)
        assert rest_of(connection) == b""
        assert not rig.isolate._handed_over


def test_who_says_it_byte_by_byte_gets_no_more_time(serve):
    with serve(opening_s=0.3) as rig, rig.connect(opens=False) as connection:
        with contextlib.suppress(OSError):
            for byte in opening(rig)[:-1]:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        assert rest_of(connection) == b""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((MAX_OPENING_BYTES + 1).to_bytes(4, "little"), "the limit is 128"),
        (b"\xff\xff\xff\xff", "the limit is 128"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the limit is 128"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "the limit is 128"),
        (frame(b"\xff" * 20), "port for sessions"),
        (frame(b""), "policy digest has 0 bytes"),
    ],
)
def test_what_is_no_first_word_is_refused_before_anything_is_made_for_it(serve, said, words):
    with serve() as rig, rig.connect(opens=False) as connection:
        connection.sendall(said)
        answer = answer_on(connection)
        assert answer.status is BulkStatus.REFUSED
        assert words in answer.reason
        assert rest_of(connection) == b""
        assert not rig.isolate._handed_over


def test_another_version_is_refused_with_the_other_way(serve):
    with serve() as rig, rig.connect(opens=False) as connection:
        connection.sendall(opening(rig, version=2))
        answer = answer_on(connection)
        assert answer.status is BulkStatus.REFUSED
        assert "version 2, this bridge 1" in answer.reason


def test_a_policy_that_is_not_served_is_refused(serve):
    with serve() as rig:
        only = rig.bridge._computations.only
        rig.bridge._computations = Computations()
        rig.bridge._computations.add(only)
        with rig.connect() as connection:
            connection.sendall(b"x")
            assert exactly(connection, 1) == b"x"
        with rig.connect(opens=False) as connection:
            connection.sendall(frame(encode(OpenBulk(BULK_VERSION, bytes(32)))))
            answer = answer_on(connection)
            assert answer.status is BulkStatus.REFUSED
            assert "does not serve your policy" in answer.reason


def test_connections_that_say_nothing_keep_nobody_out(serve):
    with serve() as rig, ExitStack() as silent:
        for _ in range(150):
            silent.enter_context(rig.connect(opens=False))
        with rig.connect() as connection:
            connection.sendall(b"x")
            assert exactly(connection, 1) == b"x"


def test_strangers_give_way_on_either_way_in(serve):
    with serve(max_sessions=2) as rig, ExitStack() as opened:
        strangers = [opened.enter_context(rig.connect()) for _ in range(2)]
        assert list(rig.session(iter([b"over gRPC"]))) == [b"over gRPC"]
        assert rest_of(strangers[0]) == b""
        strangers[1].sendall(b"still here")
        assert exactly(strangers[1], 10) == b"still here"


def test_one_session_too_many_is_refused_and_the_next_is_served(serve, sonora):
    sonora.lets_in = True
    with serve(max_sessions=1) as rig:
        with rig.connect() as first:
            first.sendall(b"x")
            assert exactly(first, 1) == b"x"
            eventually(lambda: all(place.let_in for place in rig.places._taken))
            with rig.connect(opens=False) as second:
                second.sendall(opening(rig))
                answer = answer_on(second)
                assert answer.status is BulkStatus.BUSY
                assert "1 sessions are open" in answer.reason
            first.sendall(b"x")
            assert exactly(first, 1) == b"x"
        eventually(lambda: len(rig.places) == 0)
        rig.connect().close()


@pytest.mark.parametrize("isolate", [deaf, flood])
def test_a_side_that_takes_nothing_is_cut_off(serve, sonora, isolate):
    sonora.serve = isolate
    with serve(stall_s=0.3) as rig, rig.connect() as connection:
        connection.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection.send(PIECE)
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        eventually(lambda: len(rig.places) == 0)


def test_who_opens_a_session_and_never_shakes_hands_is_cut_off(serve):
    with serve(stall_s=0.2) as rig, rig.connect() as connection:
        assert rest_of(connection) == b""
        eventually(lambda: len(rig.places) == 0)


def test_a_principal_that_vanishes_in_the_middle_leaves_nothing(serve, sonora):
    sonora.serve = flood
    with serve() as rig:
        with rig.connect() as connection:
            assert exactly(connection, 1 << 20)
        assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
        eventually(lambda: len(rig.places) == 0)


def test_the_isolates_last_word_reaches_who_is_still_sending(serve, sonora):
    def refuse(channel) -> None:
        channel.recv(1)
        channel.sendall(b"refused")

    sonora.serve = refuse
    with serve() as rig, rig.connect() as connection:
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(64):
                connection.sendall(PIECE)
        connection.settimeout(PATIENCE_S)
        assert rest_of(connection) == b"refused"


def test_a_bridge_that_is_drained_takes_no_session_and_ends_those_that_are_idle(serve):
    with serve() as rig, rig.connect() as connection:
        connection.sendall(b"x")
        assert exactly(connection, 1) == b"x"
        draining = threading.Thread(target=rig.bridge.drain, args=(PATIENCE_S,))
        draining.start()
        eventually(lambda: rig.bridge._draining)
        with rig.connect(opens=False) as another:
            another.sendall(opening(rig))
            answer = answer_on(another)
            assert answer.status is BulkStatus.ENDING
            assert "connect again" in answer.reason
        assert rest_of(connection) == b""
        draining.join()


def test_after_the_isolates_end_no_session_is_opened(serve, sonora):
    with serve() as rig, rig.connect() as connection:
        sonora.end_isolate(IsolateEnding.FAILURE)
        assert rest_of(connection) == b""
        eventually(lambda: rig.isolate.end is not None)
        with rig.connect(opens=False) as another:
            another.sendall(opening(rig))
            assert "the isolate has ended" in answer_on(another).reason


def test_many_sessions_leave_no_descriptor(serve, sonora):
    with serve() as rig:

        def several(count: int) -> None:
            for _ in range(count):
                with rig.connect() as connection:
                    connection.sendall(b"x")
                    assert exactly(connection, 1) == b"x"
                assert sonora.isolates[0].session_ended.acquire(timeout=PATIENCE_S)
            eventually(lambda: len(rig.places) == 0)

        several(5)
        before = open_descriptors()
        several(40)
        eventually(lambda: open_descriptors() <= before)
