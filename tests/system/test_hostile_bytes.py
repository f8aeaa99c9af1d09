"""Bytes no honest client sends, and clients that go without a word: the next one is served."""

import random
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from baja import EndpointConfig
from baja.client import ClientEndpoint
from colima import frame, runtime
from colima.framing import MAX_REQUEST_BYTES
from colima.runtime import ComputationState, ContentKind, RefusalReason, Upload
from colima.sinaloa import MAX_CHUNK_BYTES
from jalisco import SessionError
from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import COLLECTOR, ENDLESS
from support.stack import DATA, PI, RESULT, SCRIPTS, Computation
from veracruz_shells.channels import is_serving, open_channel

NOISE = random.Random(2021).randbytes(200_000)
AUTHOR, NORTH, SOUTH, READER = range(4)


@pytest.fixture(scope="module")
def shared(stack):
    """A computation that has its program and one of two inputs, and stays so all the time."""
    with stack.computation(
        [PI], [DATA], [DATA], [RESULT], program=COLLECTOR, data=(NORTH, SOUTH)
    ) as computation:
        computation.send_program(AUTHOR)
        computation.send_data(NORTH, b"north's")
        yield computation


@pytest.fixture
def computation(shared):
    """The same, for a test after which everybody is still served and nothing has changed."""
    yield shared
    with shared.caller(SOUTH) as next_client:
        assert next_client.state() is ComputationState.DATA_SOURCES_LOADING
        assert next_client.ask(Upload(ContentKind.DATA, 0, 5)) == runtime.Proceed()


# Before and in TLS.


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x16",
        b"GET / HTTP/1.1\r\nHost: isolate\r\n\r\n",
        NOISE,
        bytes(100_000),
        b"\x16\x03\x01\xff\xff" + NOISE[:1000],
        b"\x80\x2e\x01\x00\x02" + bytes(44),
    ],
    ids=["nothing", "one byte", "http", "noise", "zeros", "a record too long", "a hello of SSL 2"],
)
def test_garbage_instead_of_tls_ends_that_session_alone(computation, data):
    transport = computation.transport()
    with suppress(SessionError):
        if data:
            transport.send(data)
        transport._outbound.close()  # all that this client has to say
        answer = b""
        while piece := transport.receive(30):
            answer += piece
        assert len(answer) < 100  # an alert at most
    transport.close()


def test_garbage_in_the_middle_of_the_handshake_ends_that_session_alone(computation):
    endpoint = client_endpoint(computation)
    transport = computation.transport()
    endpoint.start()
    transport.send(endpoint.data_to_send())
    assert transport.receive(30)
    with suppress(SessionError):
        transport.send(NOISE)
        while transport.receive(30):
            pass
    transport.close()


def test_garbage_after_the_handshake_ends_that_session_alone(computation):
    with computation.caller(SOUTH) as caller:
        assert caller.state() is ComputationState.DATA_SOURCES_LOADING
        caller.connection._transport.send(NOISE[:5000])
        with pytest.raises(SessionError):
            caller.answer()


def test_a_changed_record_ends_that_session_alone(computation):
    with computation.caller(SOUTH) as caller:
        endpoint = caller.connection._endpoint
        endpoint.send(frame(runtime.REQUEST.encode(runtime.GetState())))
        record = bytearray(endpoint.data_to_send())
        record[-1] ^= 1
        caller.connection._transport.send(bytes(record))
        with pytest.raises(SessionError):
            caller.answer()


# Inside TLS.


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        (MAX_REQUEST_BYTES + 1).to_bytes(4, "little"),
        frame(b""),
        frame(b"\xff" * 100),
        frame(runtime.RESPONSE.encode(runtime.DigestIs(bytes(32)))),
        frame(runtime.REQUEST.encode(runtime.GetState()) * 2),
    ],
    ids=["the longest", "too long", "empty", "no message", "an answer", "two in one"],
)
def test_a_frame_that_is_no_request_is_refused_and_ends_the_session(computation, data):
    with computation.caller(SOUTH) as caller:
        caller.send_bytes(data)
        assert caller.answer().reason is RefusalReason.BAD_REQUEST
        with pytest.raises(SessionError):
            caller.ask(runtime.GetState())


@pytest.mark.parametrize("length", [1, 3, 4, 6])
def test_a_frame_that_stops_in_the_middle_leaves_nothing(computation, length):
    whole = frame(runtime.REQUEST.encode(Upload(ContentKind.DATA, 0, 5)))
    with computation.caller(SOUTH) as caller:
        caller.send_bytes(whole[:length])


def test_an_upload_that_stops_in_the_middle_gives_its_place_back(computation):
    with computation.caller(SOUTH) as caller:
        assert caller.ask(Upload(ContentKind.DATA, 0, 1000)) == runtime.Proceed()
        caller.send_bytes(bytes(999))


def test_more_than_was_announced_is_no_part_of_the_input(stack):
    with stack.computation([PI, DATA, RESULT], program=COLLECTOR, data=(0,)) as computation:
        computation.send_program()
        with computation.caller(0) as caller:
            assert caller.ask(Upload(ContentKind.DATA, 0, 5)) == runtime.Proceed()
            caller.send_bytes(b"five!\xff\xff\xff\xff more")
            assert isinstance(caller.answer(), runtime.Accepted)
            assert caller.answer().reason is RefusalReason.BAD_REQUEST
        assert b"five!" in computation.result(0)
        assert b"more" not in computation.result(0)


# Clients that are killed.


def test_a_client_killed_in_the_middle_of_an_upload_gives_its_place_back(computation):
    large = computation.folder / "large"
    with large.open("wb") as file:
        file.truncate(1 << 30)  # takes no room, and some time
    sending = subprocess.Popen(
        [
            *(SCRIPTS / "durango", "data", "send", computation.policy_file, large),
            *("--sinaloa", str(computation.address), *computation.who(SOUTH)),
        ],
        stderr=subprocess.DEVNULL,
    )
    digested = 0
    while (position := position_in(large, sending.pid)) >= digested:  # first it is read for that
        digested = position
        assert sending.poll() is None
    sending.send_signal(signal.SIGSTOP)
    assert position_in(large, sending.pid) < 1 << 30
    sending.kill()
    sending.wait()
    assert eventually(lambda: is_free(computation, SOUTH))


def test_a_reader_killed_while_the_program_runs_stops_nobody_else(stack):
    with stack.computation([PI, RESULT], [RESULT], program=ENDLESS) as computation:
        computation.send_program()
        asking = subprocess.Popen(
            [
                *(SCRIPTS / "durango", "result", "get", computation.policy_file),
                *("--output", computation.folder / "result"),
                *("--sinaloa", str(computation.address), *computation.who(0)),
            ],
            stderr=subprocess.DEVNULL,
        )
        with computation.connect(1) as other:
            assert eventually(lambda: other.state().running)
            asking.kill()
            asking.wait()
            assert other.state().running
            other.shutdown()
        assert computation.shut_down(0) == 0


def test_a_client_that_goes_without_a_word_leaves_no_session(computation):
    transport = computation.transport()
    endpoint = client_endpoint(computation)
    endpoint.start()
    transport.send(endpoint.data_to_send())
    assert transport.receive(30)
    transport._call.cancel()
    transport.close()


# Garbage where services listen.


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", NOISE, b"PRI * HTTP/2.0\r\n\r\n"])
def test_garbage_at_a_port_is_dropped(computation, stack, data):
    for address in (computation.address, stack.tabasco_address):
        throw(socket.create_connection((address.host, address.port), timeout=PATIENCE_S), data)
        with open_channel(str(address)) as channel:
            assert is_serving(channel, timeout_s=PATIENCE_S)


@pytest.mark.parametrize(
    "data",
    [b"", b"GET / HTTP/1.1\r\n\r\n", NOISE, b"\xff\xff\xff\xff", frame(b""), frame(NOISE[:1000])],
    ids=["nothing", "http", "noise", "the longest frame", "an empty frame", "no message"],
)
def test_garbage_at_sonoras_door_is_dropped(computation, stack, data):
    door = socket.socket(socket.AF_UNIX)
    door.settimeout(PATIENCE_S)
    door.connect(str(stack.socket))
    throw(door, data)
    computation.attest()


def test_a_chunk_over_the_limit_ends_that_session_alone(computation):
    transport = computation.transport()
    transport._outbound.put(bytes(MAX_CHUNK_BYTES + 4096), 5)
    with pytest.raises(SessionError, match="sinaloa at"):
        transport.receive(30)
    transport.close()


def client_endpoint(computation: Computation) -> ClientEndpoint:
    party = computation.parties[SOUTH]
    return ClientEndpoint(
        EndpointConfig(computation.policy.ciphersuite, party.private_key, party.certificate),
        server_certificate_digest=computation.attest().certificate_digest,
        server_name="runtime.veracruz",
    )


def is_free(computation: Computation, client: int) -> bool:
    """Whether the place of this client's input is there to be taken; it is given back at once."""
    with computation.caller(client) as caller:
        return caller.ask(Upload(ContentKind.DATA, 0, 5)) == runtime.Proceed()


def position_in(path: Path, process_id: int) -> int:
    """How far a process has read a file, in bytes; 0 when it has not opened it."""
    process = Path(f"/proc/{process_id}")
    with suppress(FileNotFoundError):
        for descriptor in (process / "fd").iterdir():
            if descriptor.readlink() == path:
                return int((process / "fdinfo" / descriptor.name).read_text().split()[1])
    return 0


def throw(connection: socket.socket, data: bytes) -> None:
    """Send it all, and read until the other side has had enough."""
    with connection, suppress(OSError):  # it may have had enough before we are done
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
