"""Who counts as one peer, and how often each may ask."""

import pytest

from sinaloa import peers
from sinaloa.peers import AttestationQuota, KnownPeers, peer_of
from veracruz_shells.service import CallError, CallStatus


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("ipv4:192.0.2.7:40112", "192.0.2.7"),
        ("ipv4:192.0.2.7:40113", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:40112", "2001:db8::/64"),
        ("ipv6:[2001:db8::ffff:1]:40112", "2001:db8::/64"),
        ("ipv6:[2001:db8:0:1::1]:40112", "2001:db8:0:1::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:40112", "fe80::/64"),
        ("ipv6:[::ffff:192.0.2.7]:40112", "192.0.2.7"),
        ("unix:", "unix"),
        ("unix:/run/a", "unix"),
        ("", ""),
    ],
)
def test_a_peer_is_an_address_or_a_network_of_64_bits(name, peer):
    assert peer_of(name) == peer


def refused(quota: AttestationQuota, peer: str, *, known: bool = False, now: float = 0.0) -> str:
    with pytest.raises(CallError) as caught:
        quota.take(peer, known=known, now=now)
    assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
    return str(caught.value)


@pytest.fixture
def small(monkeypatch):
    """Ten for all, four of them kept for those let in; three each, and five."""
    monkeypatch.setattr(peers, "ATTESTATIONS", 10)
    monkeypatch.setattr(peers, "RESERVED", 4)
    monkeypatch.setattr(peers, "ATTESTATIONS_EACH", 3)
    monkeypatch.setattr(peers, "ATTESTATIONS_EACH_KNOWN", 5)
    return AttestationQuota()


def take(quota: AttestationQuota, peer: str, count: int, *, known: bool = False) -> None:
    for _ in range(count):
        quota.take(peer, known=known, now=0.0)


def test_one_stranger_has_its_share_and_leaves_the_others_theirs(small):
    take(small, "loud", 3)
    assert "3 attestations in 60 s from one address" in refused(small, "loud")
    take(small, "other", 3)


def test_strangers_together_leave_something_for_those_that_were_let_in(small):
    take(small, "loud", 3)
    take(small, "louder", 3)
    assert "all attestations of 60 s are given out" in refused(small, "newcomer")
    take(small, "friend", 4, known=True)
    assert "are given out" in refused(small, "friend", known=True)


def test_one_that_was_let_in_has_a_larger_share_and_an_end_of_it(small):
    take(small, "friend", 5, known=True)
    assert "5 attestations in 60 s from one address" in refused(small, "friend", known=True)
    take(small, "stranger", 3)
    take(small, "another friend", 2, known=True)


def test_a_refusal_costs_nothing_of_anybodys_share(small):
    take(small, "loud", 3)
    for _ in range(100):
        refused(small, "loud")
    take(small, "other", 3)


def test_a_window_ends_and_the_next_begins_with_the_first_that_asks(small):
    take(small, "loud", 3)
    refused(small, "loud", now=59.9)
    small.take("loud", known=False, now=60.0)
    for _ in range(5):
        small.take("friend", known=True, now=61.0)
    refused(small, "friend", known=True, now=119.9)
    small.take("friend", known=True, now=120.0)


def test_the_shares_leave_sonora_room_for_two_windows():
    # 600 now and 600 in our next window, which may both be in one of Sonora's.
    from sonora.server import TOKEN_WINDOW_S, TOKENS_EACH  # noqa: PLC0415 - beside its one use

    assert 2 * peers.ATTESTATIONS <= TOKENS_EACH
    assert peers.WINDOW_S == TOKEN_WINDOW_S
    assert peers.RESERVED < peers.ATTESTATIONS


def test_the_latest_are_remembered():
    known = KnownPeers(most=2)
    for peer in ("a", "b", "a", "c"):
        known.add(peer)
    assert [peer in known for peer in "abc"] == [True, False, True]
