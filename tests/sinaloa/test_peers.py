"""Who counts as one site, and how often each may ask."""

import pytest

from sinaloa import peers
from sinaloa.peers import AttestationQuota, KnownPeers, site_of
from veracruz_shells.call_errors import CallError, CallStatus


@pytest.mark.parametrize(
    ("peer", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::/64", "2001:db8:1::/48"),
        ("2001:db8:2:2::/64", "2001:db8:2::/48"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_a_site_is_an_address_or_a_network_of_48_bits(peer, site):
    assert site_of(peer) == site


def refused(quota: AttestationQuota, peer: str, *, sites: int = 0, now: float = 0.0) -> str:
    with pytest.raises(CallError) as caught:
        quota.take(peer, sites=sites, now=now)
    assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
    return str(caught.value)


@pytest.fixture
def small(monkeypatch):
    """Sixteen for all, six kept for those let in; three each, one when scarce, and eight."""
    monkeypatch.setattr(peers, "ATTESTATIONS", 16)
    monkeypatch.setattr(peers, "RESERVED", 6)
    monkeypatch.setattr(peers, "ATTESTATIONS_EACH", 3)
    monkeypatch.setattr(peers, "ATTESTATIONS_EACH_SCARCE", 1)
    monkeypatch.setattr(peers, "ATTESTATIONS_EACH_KNOWN", 8)
    monkeypatch.setattr(peers, "_LEAST_SHARE", 1)
    return AttestationQuota()


def take(
    quota: AttestationQuota, peer: str, count: int, *, sites: int = 0, now: float = 0.0
) -> None:
    for _ in range(count):
        quota.take(peer, sites=sites, now=now)


def as_many_as_there_are(
    quota: AttestationQuota, peer: str, *, sites: int = 0, now: float = 0.0
) -> int:
    """What one gets that asks until it is refused."""
    for count in range(1000):
        try:
            take(quota, peer, 1, sites=sites, now=now)
        except CallError:
            return count
    raise AssertionError("no end")


def test_one_stranger_has_its_share_and_leaves_the_others_theirs(small):
    take(small, "loud", 3)
    assert "3 attestations in 60 s from one address" in refused(small, "loud")
    take(small, "other", 2)


def test_a_few_strangers_do_not_take_what_is_there_for_all(small):
    assert [as_many_as_there_are(small, peer) for peer in "abcd"] == [3, 2, 1, 1]
    take(small, "newcomer", 1)


def test_the_networks_of_one_site_share_what_a_site_has(small):
    networks = [f"2001:db8:1:{number}::/64" for number in range(100)]
    assert sum(as_many_as_there_are(small, network) for network in networks) == 5
    take(small, "192.0.2.7", 1)
    take(small, "2001:db8:2:1::/64", 1)


def test_strangers_together_leave_something_for_those_that_were_let_in(small):
    for number in range(100):
        as_many_as_there_are(small, f"loud {number}")
    assert "all attestations of 60 s are given out" in refused(small, "newcomer")
    take(small, "friend", 3, sites=1)
    assert "are given out" in refused(small, "friend", sites=1)


def test_one_that_was_let_in_has_a_larger_share_and_an_end_of_it(small):
    assert as_many_as_there_are(small, "friend", sites=2) == 8
    assert "8 attestations in 60 s from one address" in refused(small, "friend", sites=2)
    take(small, "stranger", 1)


def test_one_that_was_let_in_leaves_the_reserve_to_the_others(small):
    for number in range(100):
        as_many_as_there_are(small, f"loud {number}")
    assert [as_many_as_there_are(small, peer, sites=2) for peer in ("greedy", "friend")] == [2, 2]
    # And to one that is let in now.
    assert as_many_as_there_are(small, "third", sites=3) == 1


def test_networks_of_one_site_have_one_share_of_the_reserve(small):
    for number in range(100):
        as_many_as_there_are(small, f"loud {number}")
    greedy = [f"2001:db8:1:{number}::/64" for number in range(100)]
    assert sum(as_many_as_there_are(small, each, sites=2) for each in greedy) == 2
    take(small, "friend", 2, sites=2)


def test_a_refusal_costs_nothing_of_anybodys_share(small):
    take(small, "loud", 3)
    for _ in range(100):
        refused(small, "loud")
    take(small, "other", 2)


def test_a_window_ends_and_the_next_begins_with_the_first_that_asks(small):
    take(small, "loud", 3)
    refused(small, "loud", now=59.9)
    small.take("loud", sites=0, now=60.0)
    for _ in range(8):
        small.take("friend", sites=1, now=61.0)
    refused(small, "friend", sites=1, now=119.9)
    small.take("friend", sites=1, now=120.0)


def test_in_the_next_window_everything_is_there_again(small):
    networks = [f"2001:db8:1:{number}::/64" for number in range(100)]
    strangers = [f"loud {number}" for number in range(100)]
    for now in (0.0, 60.0, 120.0):
        of_site = sum(as_many_as_there_are(small, each, now=now) for each in networks)
        others = sum(as_many_as_there_are(small, each, now=now) for each in strangers)
        assert (of_site, of_site + others) == (5, 10)
        assert as_many_as_there_are(small, "friend", sites=1, now=now) == 3


def test_a_site_has_as_much_as_two_of_its_peers(small, monkeypatch):
    monkeypatch.setattr(peers, "ATTESTATIONS", 100)
    networks = [f"2001:db8:1:{number}::/64" for number in range(100)]
    assert sum(as_many_as_there_are(small, each) for each in networks) == 2 * 3


def test_the_reserve_has_an_end_however_many_sites_have_their_least_share_of_it(small):
    for number in range(100):
        as_many_as_there_are(small, f"loud {number}")
    friends = [f"friend {number}" for number in range(10)]
    assert [as_many_as_there_are(small, each, sites=10) for each in friends] == [1] * 6 + [0] * 4


def test_the_shares_leave_sonora_room_for_two_windows():
    # 600 now and 600 in our next window, which may both be in one of Sonora's.
    from sonora.token_limit import TOKEN_WINDOW_S, TOKENS_EACH  # noqa: PLC0415 - beside its one use

    assert 2 * peers.ATTESTATIONS <= TOKENS_EACH
    assert peers.WINDOW_S == TOKEN_WINDOW_S
    assert peers.RESERVED < peers.ATTESTATIONS


def test_the_latest_are_remembered():
    known = KnownPeers(most=2)
    for peer in ("a", "b", "a", "c"):
        known.add(peer)
    assert [peer in known for peer in "abc"] == [True, False, True]
    assert known.sites == {"a": 1, "c": 1}


def test_the_sites_of_known_peers_are_counted():
    known = KnownPeers(most=3)
    for number in (1, 2, 1, 3, 4):
        known.add(f"2001:db8:1:{number}::/64")
    assert known.sites == {"2001:db8:1::/48": 3}
    known.add("192.0.2.7")
    assert known.sites == {"2001:db8:1::/48": 2, "192.0.2.7": 1}
