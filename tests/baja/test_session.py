"""Sessions between two of our own ends, in memory."""

import pytest

from baja import HandshakeCompleted, LocalError, PeerClosed
from support.tls_pair import SUITES, carry, connected, handshake, pair, plaintext


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
