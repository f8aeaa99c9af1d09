"""Sessions between two of our own ends, in memory."""

import pytest

from baja import HandshakeCompleted, LocalError, PeerClosed, PeerError
from support.tls_pair import (
    SUITES,
    carry,
    connected,
    handshake,
    pair,
    plaintext,
)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_suite_of_a_policy_completes_with_exactly_that_suite(suite):
    client, server = pair(suite)
    at_client, at_server = handshake(client, server)
    assert [type(event) for event in at_client + at_server] == [HandshakeCompleted] * 2
    assert {event.ciphersuite for event in at_client + at_server} == {suite}
    assert {event.version for event in at_client + at_server} == {suite.version}


@pytest.mark.parametrize("size", [1, 16384, 16385, 1 << 20, 3_000_001])
def test_plaintext_of_any_size_arrives_unchanged_both_ways(size):
    client, server = connected()
    sent = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    client.send(sent)
    assert plaintext(carry(client, server)) == sent
    server.send(memoryview(sent))
    assert plaintext(carry(server, client)) == sent


def test_closing_is_reported_once_and_last():
    client, server = connected()
    client.send(b"last words")
    client.close()
    client.close()
    events = carry(client, server)
    assert plaintext(events) == b"last words"
    assert events[-1] == PeerClosed()
    server.receive_end()


def test_nothing_is_sent_before_the_handshake_or_after_closing():
    client, server = pair()
    with pytest.raises(LocalError, match="handshake"):
        server.send(b"too early")
    handshake(client, server)
    client.close()
    with pytest.raises(LocalError, match="closing"):
        client.send(b"too late")


def test_starting_again_says_nothing_new():
    client, server = pair()
    client.start()
    hello = client.data_to_send()
    client.start()
    server.start()
    assert (client.data_to_send(), server.data_to_send()) == (b"", b"")
    server.receive_data(hello)
    assert len(carry(server, client)) == 1
    client.start()
    assert len(carry(client, server)) == 1


def test_pending_output_counts_what_data_to_send_hands_out():
    assert [end.pending_output for end in pair()] == [0, 0]
    client, _ = connected()
    client.send(b"x" * 1_000_000)
    waiting = client.pending_output
    assert len(client.data_to_send()) == waiting > 1_000_000
    assert (client.pending_output, client.data_to_send()) == (0, b"")


def test_large_input_comes_out_in_large_pieces():
    client, server = connected()
    client.send(bytes(1 << 20))
    pieces = [len(event.data) for event in carry(client, server)]
    assert sum(pieces) == 1 << 20
    assert len(pieces) <= 5


def test_one_end_may_close_while_the_other_still_speaks():
    client, server = connected()
    client.close()
    carry(client, server)
    server.send(b"one more thing")
    server.close()
    assert plaintext(carry(server, client)) == b"one more thing"


def test_leaving_before_the_handshake_is_complete_says_nothing():
    client, server = pair()
    server.close()
    assert server.data_to_send() == b""
    client.start()
    client.close()
    with pytest.raises(LocalError, match="closing"):
        client.send(b"x")


def test_a_session_that_was_cut_short_says_no_more():
    client, server = connected()
    with pytest.raises(PeerError):
        client.receive_end()
    client.close()
    assert client.data_to_send() == b""
    assert carry(client, server) == []
