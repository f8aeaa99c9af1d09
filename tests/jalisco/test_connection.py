"""Sessions over a real gRPC server on loopback, down to TLS and back."""

import hashlib
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from baja import ServerContext, TlsFault
from colima.framing import frame
from colima.sinaloa import MAX_CHUNK_BYTES
from jalisco import (
    PIECE_BYTES,
    Connection,
    IsolateRefusedError,
    IsolateSilentError,
    SessionError,
    SessionLostError,
    SinaloaTransport,
    WrongIsolateError,
)
from support.patience import PATIENCE_S
from support.tls_echo import CONTENT, EchoIsolate, bridge
from support.tls_pair import DAY, NOW, client, config, connected, identity, server_context
from veracruz_utils.policy import TLS_1_2_SUITES, TLS_1_3_SUITES

ALICE = identity("alice")
MALLORY = identity("mallory")
SUITE = TLS_1_3_SUITES[0]
each_version = pytest.mark.parametrize(
    "suite", [SUITE, TLS_1_2_SUITES[0]], ids=lambda suite: suite.version.name
)


def echo_isolate(*accepted, suite=SUITE) -> EchoIsolate:
    certificates = accepted or (ALICE.certificate,)
    return EchoIsolate(server_context(*certificates, suite=suite))


@contextmanager
def session_with(session, *, who=ALICE, suite=SUITE, timeout_s=PATIENCE_S):
    """An open connection to `session` behind a bridge."""
    with bridge(session) as (address, _):
        transport = SinaloaTransport(address, close_timeout_s=1)
        with Connection.open(transport, client(who, suite), timeout_s=timeout_s) as connection:
            yield connection


@each_version
def test_frames_go_to_the_isolate_and_back(suite):
    isolate = echo_isolate(suite=suite)
    with session_with(isolate.session, suite=suite) as session:
        for payload in (b"", b"hello", b"x" * 65536):
            session.send_frame(payload)
            assert session.receive_frame(timeout_s=PATIENCE_S) == payload
    assert isolate.faults == []


@pytest.mark.parametrize("suite", TLS_1_3_SUITES + TLS_1_2_SUITES, ids=lambda suite: suite.name)
def test_a_piece_of_content_is_one_chunk_of_the_bridge(suite):
    principal, _ = connected(suite)
    principal.send(bytes(PIECE_BYTES))
    assert MAX_CHUNK_BYTES - 2**15 < principal.pending_output <= MAX_CHUNK_BYTES


def test_64_mib_of_content_go_to_the_isolate():
    size = 64 << 20
    content = CONTENT * (size // len(CONTENT))
    with session_with(echo_isolate().session) as session:
        session.send_frame(b"put %d" % size)
        session.send_content(memoryview(content))
        assert session.receive_frame(timeout_s=PATIENCE_S) == hashlib.sha256(content).digest()
        session.send_frame(b"and then")
        assert session.receive_frame(timeout_s=PATIENCE_S) == b"and then"


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000, 64 << 20])
def test_content_comes_from_the_isolate(size):
    with session_with(echo_isolate().session) as session:
        session.send_frame(b"get %d" % size)
        assert session.receive_frame(timeout_s=PATIENCE_S) == b"content follows"
        received = hashlib.sha256()
        for piece in session.receive_content(size, timeout_s=PATIENCE_S):
            received.update(piece)
        expected = (CONTENT * (size // len(CONTENT) + 1))[:size]
        assert received.digest() == hashlib.sha256(expected).digest()
        assert session.receive_frame(timeout_s=PATIENCE_S) == b"that was it"


@each_version
def test_an_isolate_with_another_certificate_than_the_attested_gets_no_byte(suite):
    imposter = EchoIsolate(ServerContext(config(MALLORY, suite), accepted=[ALICE.certificate]))
    with bridge(imposter.session) as (address, _):
        transport = SinaloaTransport(address, close_timeout_s=1)
        with pytest.raises(WrongIsolateError, match="attest again") as caught:
            Connection.open(transport, client(ALICE, suite), timeout_s=PATIENCE_S)
    assert str(MALLORY.digest) in str(caught.value)
    assert str(identity("isolate").digest) in str(caught.value)
    assert caught.value.exit_code == 3
    assert imposter.received == b""


@each_version
@pytest.mark.parametrize("who", ["mallory", "expired"])
def test_a_refused_certificate_is_named_with_all_that_may_be_wrong_with_it(suite, who):
    """In TLS 1.3 the client believes itself connected and learns better from the first read."""
    principal, now = (MALLORY, NOW) if who == "mallory" else (ALICE, NOW + 365 * DAY)
    isolate = EchoIsolate(server_context(ALICE.certificate, suite=suite), now=now)
    with pytest.raises(IsolateRefusedError) as caught:  # noqa: SIM117, PT012
        with session_with(isolate.session, who=principal, suite=suite) as session:
            session.send_frame(b"may I?")
            session.receive_frame(timeout_s=PATIENCE_S)
    assert str(caught.value) == (
        f"the isolate refused certificate {principal.digest}: "
        "it is not in the policy, expired, or not the policy's key"
    )
    assert caught.value.exit_code == 3
    assert isolate.received == b""


def test_a_refusal_during_an_upload_is_reported_as_the_refusal():
    isolate = echo_isolate(MALLORY.certificate)
    with pytest.raises(IsolateRefusedError):  # noqa: SIM117, PT012
        with session_with(isolate.session) as session:
            while True:
                session.send_content(bytes(1 << 20))


def test_another_policy_at_the_isolate_shows_as_another_ciphersuite():
    isolate = echo_isolate(suite=TLS_1_3_SUITES[1])
    with pytest.raises(SessionError, match="both sides hold the same policy"):  # noqa: SIM117
        with session_with(isolate.session):
            pass
    assert isolate.faults == [TlsFault.WRONG_SUITE]


def silent(chunks, _context):
    for _ in chunks:
        pass
    yield from ()


def test_an_isolate_that_never_answers_the_hello_is_given_up():
    with pytest.raises(IsolateSilentError, match=r"finish the TLS handshake within 0\.2 s") as e:  # noqa: SIM117
        with session_with(silent, timeout_s=0.2):
            pass
    assert e.value.exit_code == 4


def test_an_isolate_that_owes_an_answer_is_given_up():
    with session_with(echo_isolate().session) as session:
        with pytest.raises(IsolateSilentError, match=r"answer within 0\.1 s"):
            session.receive_frame(timeout_s=0.1)
        session.send_frame(b"but the session lives")
        assert session.receive_frame(timeout_s=PATIENCE_S) == b"but the session lives"


def test_an_isolate_that_stops_in_the_middle_of_content_is_given_up():
    with session_with(echo_isolate().session) as session:
        session.send_frame(b"get 100000")
        session.receive_frame(timeout_s=PATIENCE_S)
        with pytest.raises(IsolateSilentError, match="go on sending"):
            for _ in session.receive_content(1_000_000, timeout_s=0.2):
                pass


def test_a_bridge_that_takes_no_more_is_given_up():
    stop = threading.Event()
    isolate = echo_isolate()

    def deaf_later(chunks, context):
        session = isolate.session(chunks, context)
        yield next(session)  # the server's side of the handshake
        stop.wait(PATIENCE_S)

    with bridge(deaf_later) as (address, _):
        transport = SinaloaTransport(address, send_timeout_s=0.2, close_timeout_s=0.1)
        connection = Connection.open(transport, client(ALICE), timeout_s=PATIENCE_S)
        with pytest.raises(IsolateSilentError, match="takes no more bytes"):
            connection.send_content(bytes(64 << 20))
        connection.close()
        stop.set()


def test_a_bridge_that_vanishes_in_the_middle_is_named():
    with bridge(echo_isolate().session) as (address, server):
        transport = SinaloaTransport(address)
        connection = Connection.open(transport, client(ALICE), timeout_s=PATIENCE_S)
        connection.send_frame(b"hello")
        connection.receive_frame(timeout_s=PATIENCE_S)
        server.stop(0).wait()
        with pytest.raises(SessionLostError, match="went away in the middle"):
            connection.receive_frame(timeout_s=PATIENCE_S)
        connection.close()


def test_nobody_at_the_address_is_named_with_the_remedy():
    with bridge(silent) as (address, _):
        pass
    with pytest.raises(SessionLostError, match=f"{address} cannot be reached") as caught:
        Connection.open(SinaloaTransport(address), client(ALICE), timeout_s=PATIENCE_S)
    assert caught.value.exit_code == 4


class Custom(EchoIsolate):
    """An isolate whose answer to anything is given."""

    def __init__(self, answer) -> None:
        super().__init__(server_context(ALICE.certificate))
        self.converse = lambda endpoint: self.answer_with(endpoint, answer)

    def answer_with(self, endpoint, answer):
        while True:
            yield
            answer(endpoint)


def test_an_isolate_that_closes_instead_of_answering_is_reported():
    isolate = Custom(lambda endpoint: endpoint.close())
    with session_with(isolate.session) as session:
        session.send_frame(b"hello")
        with pytest.raises(SessionLostError, match="closed the session"):
            session.receive_frame(timeout_s=PATIENCE_S)
        with pytest.raises(SessionLostError, match="closed the session"):
            session.receive_frame(timeout_s=PATIENCE_S)


def test_a_stream_that_ends_without_the_isolates_farewell_is_not_trusted():
    isolate = echo_isolate()

    def cut_short(chunks, context):
        session = isolate.session(chunks, context)
        yield next(session)
        yield next(session)
        next(chunks)

    with session_with(cut_short) as session:
        session.send_frame(b"get 10")
        with pytest.raises(SessionLostError, match="without a closing alert"):
            session.receive_frame(timeout_s=PATIENCE_S)
        with pytest.raises(SessionError, match="cannot be used any more"):
            session.send_frame(b"hello?")
        with pytest.raises(SessionError, match="cannot be used any more"):
            session.receive_frame(timeout_s=PATIENCE_S)


def test_an_answer_that_came_before_the_end_can_be_taken_after_a_failed_upload():
    isolate = echo_isolate()

    def answer_and_leave(chunks, context):
        session = isolate.session(chunks, context)
        yield next(session)
        yield next(session)
        yield next(session)

    with session_with(answer_and_leave) as session:
        session.send_frame(b"that is enough")
        with pytest.raises(SessionLostError):
            session.send_content(bytes(64 << 20))
        assert session.receive_frame(timeout_s=PATIENCE_S) == b"that is enough"
        with pytest.raises(SessionError):
            session.receive_frame(timeout_s=PATIENCE_S)


def test_an_upload_into_a_stream_that_ended_tells_how_it_ended():
    isolate = echo_isolate()

    def cut_short(chunks, context):
        yield next(isolate.session(chunks, context))

    with (
        pytest.raises(SessionLostError, match="without a closing alert"),
        session_with(cut_short) as session,
    ):
        session.send_content(bytes(64 << 20))


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64])
def test_garbage_from_the_bridge_breaks_the_session(garbage):
    def garble(chunks, _context):
        next(chunks)
        yield garbage

    with pytest.raises(SessionError, match="not valid TLS"):  # noqa: SIM117
        with session_with(garble):
            pass


def test_a_changed_byte_from_the_bridge_breaks_the_session():
    isolate = echo_isolate()

    def flip(chunks, context):
        session = isolate.session(chunks, context)
        yield next(session)
        for chunk in session:
            yield chunk[:-1] + bytes([chunk[-1] ^ 1])

    with session_with(flip) as session:
        session.send_frame(b"hello")
        with pytest.raises(SessionError, match="integrity check"):
            session.receive_frame(timeout_s=PATIENCE_S)
        with pytest.raises(SessionError, match="cannot be used any more"):
            session.send_frame(b"hello again")
        with pytest.raises(SessionError, match="cannot be used any more"):
            session.receive_frame(timeout_s=PATIENCE_S)


def test_a_frame_over_the_limit_is_refused_before_it_comes():
    isolate = Custom(lambda endpoint: endpoint.send(b"\xff\xff\xff\x7f"))
    with session_with(isolate.session) as session:
        session.send_frame(b"hello")
        with pytest.raises(SessionError, match="2147483647 bytes was announced"):
            session.receive_frame(timeout_s=PATIENCE_S)


def test_a_limit_for_one_frame_keeps_what_already_came():
    isolate = Custom(lambda endpoint: endpoint.send(frame(b"one") + frame(b"two" * 30_000)))
    with session_with(isolate.session) as session:
        session.send_frame(b"hello")
        assert session.receive_frame(timeout_s=PATIENCE_S, limit=10) == b"one"
        assert session.receive_frame(timeout_s=PATIENCE_S, limit=100_000) == b"two" * 30_000


def test_closing_twice_does_no_harm_and_the_isolate_hears_it():
    isolate = echo_isolate()
    with session_with(isolate.session) as session:
        session.close()
        session.close()
        with pytest.raises(SessionError):
            session.send_frame(b"late")
    assert isolate.faults == []


def ask(address, who) -> bytes:
    """The answer to `hello` in a session of its own."""
    with Connection.open(SinaloaTransport(address), client(who), timeout_s=PATIENCE_S) as session:
        session.send_frame(b"hello")
        return session.receive_frame(timeout_s=PATIENCE_S)


def test_the_next_client_is_served_whatever_the_last_one_did():
    isolate = echo_isolate()
    with bridge(isolate.session, maximum_sessions=2) as (address, _):
        for who in (MALLORY, ALICE, MALLORY, ALICE):
            asks = partial(ask, address, who)
            if who is ALICE:
                assert asks() == b"hello"
            else:
                with pytest.raises(IsolateRefusedError):
                    asks()
    assert isolate.faults == [TlsFault.UNKNOWN_CERTIFICATE] * 2
