"""Connections: few of each address, and what waits for its client gives way."""

import contextlib
import http.client
import socket

import pytest

from support.patience import PATIENCE_S
from support.processes import eventually
from tabasco.http import Context, HttpService, create_app
from tabasco.http.connections import MAX_CONNECTIONS, MAX_OF_PEER, Connections
from tabasco.registry.administrators import Administrators
from veracruz_utils.address import Address


class Line:
    """A connection that may wait, and knows that it was ended."""

    def __init__(self, *, waiting=True):
        self.waiting = waiting
        self.ended = False

    def is_waiting(self):
        return self.waiting

    def end(self):
        self.ended = True


def filled(room, host, count, **more):
    lines = [Line(**more) for _ in range(count)]
    assert all(room.add(line, host) for line in lines)
    return lines


def test_of_one_address_the_oldest_that_waits_gives_way():
    room = Connections()
    busy = filled(room, "192.0.2.1", 1, waiting=False)
    lines = filled(room, "192.0.2.1", MAX_OF_PEER - 1)
    assert room.add(Line(), "192.0.2.1")
    assert [line.ended for line in [*busy, *lines]] == [False, True] + [False] * (MAX_OF_PEER - 2)
    assert len(room) == MAX_OF_PEER


def test_what_is_at_work_is_not_ended_for_another():
    room = Connections()
    lines = filled(room, "192.0.2.1", MAX_OF_PEER, waiting=False)
    assert not room.add(Line(), "192.0.2.1")
    assert not any(line.ended for line in lines)
    assert room.add(Line(), "192.0.2.2")


def test_when_there_are_too_many_the_worst_gives_way():
    room = Connections()
    filled(room, "2001:db8::1", MAX_OF_PEER)
    modest = filled(room, "2001:db8:1::1", 1)
    number = 0
    while len(room) < MAX_CONNECTIONS:
        number += 1
        filled(room, f"192.0.2.{number}", 2 if len(room) < MAX_CONNECTIONS - 1 else 1)
    late = Line()
    assert room.add(late, "198.51.100.1")
    assert len(room) == MAX_CONNECTIONS
    assert not modest[0].ended
    room.remove(late)
    room.remove(late)
    assert len(room) == MAX_CONNECTIONS - 1


@pytest.fixture
def place(service, database, clock):
    app = create_app(Context(service, database, Administrators(database), clock))
    with HttpService(app, Address.parse("127.0.0.1:0")) as server:
        address = Address.parse(server.url.removeprefix("http://"))
        yield address.host, address.port


def alive(place, source="127.0.0.1"):
    line = http.client.HTTPConnection(*place, timeout=PATIENCE_S, source_address=(source, 0))
    with contextlib.closing(line):
        line.request("GET", "/livez")
        return line.getresponse().status == 200


HALVES = [
    b"", b"GET /livez HTTP/1.1\r\nX: ",
    b"POST /v1/enrolments HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
]  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("half", HALVES)
def test_clients_that_say_half_keep_nobody_out_from_one_address_or_many(place, half):
    with contextlib.ExitStack() as stack:
        for number in range(MAX_CONNECTIONS + 44):
            source = (f"127.0.0.{2 + number % 11}", 0)
            line = socket.create_connection(place, PATIENCE_S, source_address=source)
            stack.enter_context(line)
            with contextlib.suppress(OSError):  # ended for another already
                line.sendall(half)
        assert eventually(lambda: alive(place))
        assert eventually(lambda: alive(place, "127.0.0.2"))


SMUGGLED = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: +5\r\n\r\nabcde",
    b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n",
    b"X: a\x00b\r\n\r\n",
    b"Host: y\r\n\r\n",
]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("head", SMUGGLED)
def test_a_request_that_can_be_read_in_two_ways_ends_the_connection(place, head):
    with socket.create_connection(place, PATIENCE_S) as line:
        line.sendall(b"POST /v1/enrolment-challenges HTTP/1.1\r\nHost: x\r\n" + head)
        answers = b""
        with contextlib.suppress(ConnectionResetError):
            while data := line.recv(4096):
                answers += data
    # One answer at most, never one to what was hidden in the first request.
    assert answers.count(b"HTTP/1.1 ") <= 1
    assert b'"alive"' not in answers
    assert alive(place)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_head_without_end_is_refused(place):
    with socket.create_connection(place, PATIENCE_S) as line:
        with contextlib.suppress(OSError):
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * (1 << 20))
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = line.recv(64)
    assert answer[:13] in {b"", b"HTTP/1.1 400 ", b"HTTP/1.1 431 "}
    assert alive(place)
