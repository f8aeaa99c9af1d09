"""The gRPC stream, without TLS in it."""

import threading

import grpc
import pytest

from colima.sinaloa import MAX_CHUNK_BYTES
from jalisco import BridgeBusyError, SessionError, SessionLostError, SinaloaTransport
from support.patience import PATIENCE_S
from support.tls_echo import bridge


def echo(chunks, _context):
    yield from chunks


@pytest.fixture(autouse=True)
def no_thread_stays():
    """Each transport takes its threads with it."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread


def free_address() -> str:
    """An address where nobody listens."""
    with bridge(echo) as (address, _):
        return address


def send_for_ever(transport, chunk: bytes, sent: list | None = None) -> None:
    """Send until that fails; `sent` tells how often it did not."""
    while True:
        transport.send(chunk)
        if sent is not None:
            sent.append(chunk)


def received(transport, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += transport.receive(10)
    return data


def test_bytes_of_any_size_travel_in_chunks_of_at_most_a_mebibyte():
    sizes = []

    def measure(chunks, _context):
        for chunk in chunks:
            sizes.append(len(chunk))
            yield chunk

    data = bytes(range(256)) * 10_000
    with bridge(measure) as (address, _):
        transport = SinaloaTransport(address)
        transport.send(data)
        assert received(transport, len(data)) == data
        transport.close()
    assert sizes == [MAX_CHUNK_BYTES, MAX_CHUNK_BYTES, len(data) - 2 * MAX_CHUNK_BYTES]


def test_the_end_of_the_stream_is_an_empty_chunk_and_stays_so():
    def once(chunks, _context):
        yield b"last"

    with bridge(once) as (address, _):
        transport = SinaloaTransport(address)
        assert [transport.receive(10) for _ in range(3)] == [b"last", b"", b""]
        with pytest.raises(SessionLostError, match="ended the session"):
            send_for_ever(transport, b"more")
        transport.close()


def test_an_empty_message_of_the_bridge_is_not_the_end():
    def padded(chunks, _context):
        yield b""
        yield b"content"

    with bridge(padded) as (address, _):
        transport = SinaloaTransport(address)
        assert transport.receive(10) == b"content"
        transport.close()


def test_what_was_sent_before_closing_arrives():
    seen = []

    def collect(chunks, _context):
        seen.extend(chunks)
        yield from ()

    with bridge(collect) as (address, _):
        transport = SinaloaTransport(address)
        for number in range(20):
            transport.send(b"%d" % number)
        transport.close()
        transport.close()
    assert seen == [b"%d" % number for number in range(20)]


def test_nobody_listening_names_the_address_and_the_remedy():
    address = free_address()
    transport = SinaloaTransport(address)
    with pytest.raises(SessionLostError, match="sinaloa serve POLICY") as caught:
        transport.receive(20)
    assert address in str(caught.value)
    assert caught.value.exit_code == 4
    transport.close()


def test_too_many_sessions_is_an_error_of_its_own():
    with bridge(echo, maximum_sessions=1) as (address, _):
        first, second = SinaloaTransport(address), None
        first.send(b"here first")
        assert first.receive(10) == b"here first"
        second = SinaloaTransport(address)
        with pytest.raises(BridgeBusyError, match="try again later"):
            second.receive(10)
        first.send(b"still here")
        assert first.receive(10) == b"still here"
        second.close()
        first.close()


def test_another_service_at_the_address_is_told_apart():
    with bridge(echo, service="somebody.Else") as (address, _):
        transport = SinaloaTransport(address)
        with pytest.raises(SessionError, match="is another service"):
            transport.receive(10)
        transport.close()


def test_what_the_bridge_complains_of_is_passed_on_cut_short():
    def complain(chunks, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the isolate is gone\n" + "x" * 5000)
        yield

    with bridge(complain) as (address, _):
        transport = SinaloaTransport(address)
        with pytest.raises(SessionError, match=r"FAILED_PRECONDITION 'the isolate is gone\\n") as e:
            transport.receive(10)
        assert len(str(e.value)) < 250
        transport.close()


def test_a_bridge_that_stops_in_the_middle_is_reported_by_both_directions():
    with bridge(echo) as (address, server):
        transport = SinaloaTransport(address)
        transport.send(b"hello")
        assert transport.receive(10) == b"hello"
        server.stop(0).wait()
        with pytest.raises(SessionLostError, match="went away in the middle"):
            transport.receive(10)
        with pytest.raises(SessionLostError, match="went away in the middle"):
            transport.send(b"more")
        transport.close()


def test_a_silent_bridge_is_a_timeout():
    with bridge(echo) as (address, _):
        transport = SinaloaTransport(address)
        with pytest.raises(TimeoutError):
            transport.receive(0.05)
        transport.close()


def test_a_bridge_that_takes_nothing_holds_the_sender_back():
    done = threading.Event()

    def deaf(_chunks, _context):
        done.wait(PATIENCE_S)
        yield from ()

    with bridge(deaf) as (address, _):
        transport = SinaloaTransport(address, send_timeout_s=0.2, close_timeout_s=0.1)
        sent = []
        with pytest.raises(TimeoutError):
            send_for_ever(transport, bytes(MAX_CHUNK_BYTES), sent)
        assert len(sent) <= 64
        transport.close()
        done.set()


def test_a_bridge_that_floods_is_held_back_while_nobody_reads():
    given = []

    def flood(_chunks, context):
        while context.is_active():
            given.append(None)
            yield bytes(MAX_CHUNK_BYTES)

    with bridge(flood) as (address, _):
        transport = SinaloaTransport(address, close_timeout_s=0.1)
        transport.receive(10)
        threading.Event().wait(0.5)
        assert len(given) <= 64
        transport.close()


def test_a_message_over_the_limit_ends_the_session():
    def oversized(_chunks, _context):
        yield b"small"
        yield bytes(MAX_CHUNK_BYTES + 4096)

    with bridge(oversized) as (address, _):
        transport = SinaloaTransport(address)
        assert transport.receive(10) == b"small"
        with pytest.raises(SessionError, match="RESOURCE_EXHAUSTED"):
            transport.receive(10)
        transport.close()


def test_a_session_open_too_long_is_ended():
    with bridge(echo) as (address, _):
        transport = SinaloaTransport(address, session_timeout_s=0.2)
        with pytest.raises(SessionLostError, match="longer than is allowed"):
            transport.receive(10)
        transport.close()
