"""Bytes no honest peer sends: garbage, floods, cuts, changes, repetitions, early leavings."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from baja import LocalError, PeerClosed, PeerError, PlaintextReceived, TlsFault
from support.tls_pair import (
    NOW,
    SUITES,
    carry,
    client,
    connected,
    handshake,
    identity,
    pair,
    plaintext,
    server_context,
)
from veracruz_utils.policy import TLS_1_2_SUITES, TLS_1_3_SUITES

ALICE = identity("alice")
CONTEXT = server_context(ALICE.certificate)
each_version = pytest.mark.parametrize(
    "suite", [TLS_1_3_SUITES[0], TLS_1_2_SUITES[0]], ids=lambda suite: suite.version.name
)


def failure_of(endpoint, data: bytes) -> PeerError:
    with pytest.raises(PeerError) as caught:
        endpoint.receive_data(data)
    return caught.value


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: isolate\r\n\r\n",
        b"\0" * 100,
        b"\xff" * 40000,
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",  # a ServerHello to a server
        b"\x17\x03\x03\x00\x05hello",  # application data before any handshake
    ],
)
def test_garbage_is_malformed(garbage):
    assert failure_of(CONTEXT.endpoint(now=NOW), garbage).fault is TlsFault.MALFORMED


@given(st.binary(max_size=400))
def test_arbitrary_bytes_give_no_event_and_no_other_error(data):
    endpoint = CONTEXT.endpoint(now=NOW)
    faults, events = set(), []
    try:
        events = endpoint.receive_data(data)
    except PeerError as error:
        faults = {error.fault}
    assert events == []
    assert faults <= {TlsFault.MALFORMED, TlsFault.WRONG_VERSION, TlsFault.ALERT}


@given(st.data())
@settings(deadline=None)
def test_a_hello_changed_in_one_place_gives_no_event_and_no_other_error(data):
    left, right = client(ALICE), CONTEXT.endpoint(now=NOW)
    left.start()
    hello = bytearray(left.data_to_send())
    # beyond the record's header, whose version field nobody reads and no transcript covers
    hello[data.draw(st.integers(5, len(hello) - 1))] ^= data.draw(st.integers(1, 255))
    events = []
    with suppress(PeerError):
        events += right.receive_data(hello)
        carry(right, left)
        events += carry(left, right)
    assert events == []


def endless_hello() -> bytes:
    """The beginning of a ClientHello that announces 60,000 bytes, in small records."""
    message = b"\x01\x00\xea\x60" + b"\x03\x03" + bytes(32) + bytes(60_000)
    records = (message[start : start + 100] for start in range(0, len(message), 100))
    return b"".join(b"\x16\x03\x01" + len(r).to_bytes(2, "big") + r for r in records)


@pytest.mark.parametrize("step", [1000, 4096, 100_000])
def test_a_handshake_that_does_not_end_is_cut_off_at_32_kib(step):
    flood, endpoint = endless_hello(), CONTEXT.endpoint(now=NOW)
    honest = 32 * 1024 // step * step
    for taken in range(0, honest, step):
        assert endpoint.receive_data(flood[taken : min(taken + step, 32 * 1024 - 1)]) == []
    assert failure_of(endpoint, flood[honest:]).fault is TlsFault.HANDSHAKE_TOO_LONG


def test_the_last_byte_of_32_kib_is_the_one_that_is_too_much():
    flood, endpoint = endless_hello(), CONTEXT.endpoint(now=NOW)
    endpoint.start()  # which reads nothing and is not counted
    assert endpoint.receive_data(flood[: 32 * 1024 - 1]) == []
    fault = failure_of(endpoint, flood[32 * 1024 - 1 : 32 * 1024]).fault
    assert fault is TlsFault.HANDSHAKE_TOO_LONG


@each_version
def test_a_handshake_left_half_way_is_a_truncation_at_either_end(suite):
    left, right = pair(suite)
    left.start()
    carry(left, right)
    carry(right, left)
    for endpoint in (left, right):
        with pytest.raises(PeerError) as caught:
            endpoint.receive_end()
        assert caught.value.fault is TlsFault.TRUNCATED


@each_version
def test_a_session_cut_without_a_close_is_a_truncation(suite):
    left, right = connected(suite)
    left.send(b"transfer everything to")
    carry(left, right)
    with pytest.raises(PeerError) as caught:
        right.receive_end()
    assert caught.value.fault is TlsFault.TRUNCATED


@each_version
def test_a_changed_record_is_refused_and_the_alert_says_so(suite):
    left, right = connected(suite)
    left.send(b"pay 100")
    record = bytearray(left.data_to_send())
    record[-1] ^= 1
    assert failure_of(right, record).fault is TlsFault.BAD_RECORD
    error = failure_of(left, right.data_to_send())
    assert (error.fault, error.alert) == (TlsFault.ALERT, "bad record mac")


@each_version
def test_a_repeated_record_is_refused(suite):
    left, right = connected(suite)
    left.send(b"pay 100")
    record = left.data_to_send()
    assert plaintext(right.receive_data(record)) == b"pay 100"
    assert failure_of(right, record).fault is TlsFault.BAD_RECORD


@each_version
def test_a_missing_record_is_noticed(suite):
    left, right = connected(suite)
    left.send(b"do not ")
    left.data_to_send()
    left.send(b"delete everything")
    assert failure_of(right, left.data_to_send()).fault is TlsFault.BAD_RECORD


def test_bytes_of_another_session_are_refused():
    left, _ = connected()
    _, right = connected()
    left.send(b"hello")
    assert failure_of(right, left.data_to_send()).fault is TlsFault.BAD_RECORD


def test_an_oversized_record_is_refused():
    _, right = connected()
    assert failure_of(right, b"\x17\x03\x03\xff\xff" + bytes(65535)).fault is TlsFault.MALFORMED


@each_version
def test_a_failed_session_stays_failed(suite):
    left, right = connected(suite)
    failure_of(right, b"\x17\x03\x03\x00\x20" + bytes(32))
    left.send(b"perfectly good")
    with pytest.raises(LocalError, match="failed"):
        carry(left, right)
    with pytest.raises(LocalError, match="failed"):
        right.send(b"more")
    right.close()
    right.receive_end()


def test_a_session_that_fails_in_one_call_hands_out_nothing_from_it():
    left, right = connected()
    left.send(b"good")
    with pytest.raises(PeerError):
        right.receive_data(left.data_to_send() + b"\x17\x03\x03\x00\x20" + bytes(32))


def test_what_follows_a_close_is_ignored():
    left, right = connected()
    left.close()
    assert right.receive_data(left.data_to_send() + b"GET / HTTP/1.1") == [PeerClosed()]
    assert right.receive_data(b"more of it") == []
    right.receive_end()


@each_version
def test_a_close_inside_the_handshake_ends_it(suite):
    left, right = pair(suite)
    left.start()
    carry(left, right)
    for endpoint in (left, right):
        error = failure_of(endpoint, b"\x15\x03\x03\x00\x02\x01\x00")
        assert (error.fault, error.alert) == (TlsFault.ALERT, "close notify")


def test_a_client_cannot_renegotiate():
    """Only TLS 1.2 knows renegotiation; our server turns it down and begins no handshake."""
    suite = TLS_1_2_SUITES[0]
    left, right = pair(suite)
    allowed = SSL.Context(SSL.TLS_CLIENT_METHOD)  # the same client without OP_NO_RENEGOTIATION
    allowed.set_max_proto_version(SSL.TLS1_2_VERSION)
    allowed.use_certificate(left._tls.get_certificate(as_cryptography=True))
    allowed.use_privatekey(ALICE.private_key)
    allowed.set_alpn_protos([b"veracruz/1"])
    hostile = SSL.Connection(allowed, None)
    hostile.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        hostile.do_handshake()
    right.receive_data(hostile.bio_read(65536))
    hostile.bio_write(right.data_to_send())
    with pytest.raises(SSL.WantReadError):
        hostile.do_handshake()
    assert len(right.receive_data(hostile.bio_read(65536))) == 1
    hostile.bio_write(right.data_to_send())
    hostile.do_handshake()
    hostile.renegotiate()
    with pytest.raises(SSL.WantReadError):
        hostile.do_handshake()
    assert right.receive_data(hostile.bio_read(65536)) == []
    hostile.bio_write(right.data_to_send())
    with pytest.raises(SSL.Error, match="no renegotiation"):
        hostile.do_handshake()
    assert right._tls.total_renegotiations() == 0


def joined(events) -> list:
    """Events with neighbouring plaintexts put together: what a stream means, however cut."""
    result = []
    for event in events:
        if isinstance(event, PlaintextReceived) and result:
            last = result[-1]
            if isinstance(last, PlaintextReceived):
                result[-1] = PlaintextReceived(last.data + event.data)
                continue
        result.append(event)
    return result


@given(cuts=st.lists(st.integers(0, 3000), max_size=12), suite=st.sampled_from(SUITES))
@settings(deadline=None)
def test_how_the_stream_is_cut_changes_nothing(cuts, suite):
    left, right = pair(suite)
    at_left, at_right = [], []
    left.start()

    def carry_in_pieces(source, target, events):
        data = source.data_to_send()
        bounds = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for start, end in pairwise(bounds):
            events += target.receive_data(data[start:end])

    for _ in range(4):
        carry_in_pieces(left, right, at_right)
        carry_in_pieces(right, left, at_left)
    left.send(b"question " * 3000)
    left.close()
    right.send(b"answer")
    right.close()
    carry_in_pieces(left, right, at_right)
    carry_in_pieces(right, left, at_left)
    assert joined(at_right)[1:] == [PlaintextReceived(b"question " * 3000), PeerClosed()]
    assert joined(at_left)[1:] == [PlaintextReceived(b"answer"), PeerClosed()]
    assert at_right[0].peer_certificate == ALICE.certificate
    assert at_left[0].peer_certificate == identity("isolate").certificate


def test_one_byte_at_a_time_is_enough():
    left, right = pair()
    left.start()
    events = []
    while left.pending_output or right.pending_output:
        for byte in left.data_to_send():
            events += right.receive_data(bytes([byte]))
        carry(right, left)
    assert [type(event).__name__ for event in events] == ["HandshakeCompleted"]


def test_application_data_in_the_same_bytes_as_the_end_of_the_handshake_arrives():
    left, right = pair()
    left.start()
    carry(left, right)
    carry(right, left)
    content = b"early bird " * 20_000
    left.send(content)
    assert left.pending_output > 32 * 1024  # more than a handshake may have
    events = carry(left, right)
    assert plaintext(events) == content


def test_two_sessions_may_interleave():
    pairs = [pair() for _ in range(5)]
    for left, _ in pairs:
        left.start()
    for _ in range(3):
        for left, right in pairs:
            carry(left, right)
        for left, right in reversed(pairs):
            carry(right, left)
    for number, (left, right) in enumerate(pairs):
        left.send(b"%d" % number)
        assert plaintext(carry(left, right)) == b"%d" % number


def test_handshake_helper_is_complete():
    left, right = pair()
    assert [len(events) for events in handshake(left, right)] == [1, 1]
