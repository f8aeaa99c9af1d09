"""Who is refused again and again waits; nobody else does."""

import pytest

from veracruz_shells.calls import peer_of, peer_of_host
from veracruz_shells.refusal_quota import WINDOW_S, QuotaError, RefusalQuota


def refused(quota, peer, *, times, now=0.0):
    for _ in range(times):
        quota.check(peer, now=now)
        quota.count(peer, now=now)


def test_a_peer_that_was_refused_too_often_waits_for_the_next_window():
    quota = RefusalQuota(3)
    refused(quota, "192.0.2.1", times=3)
    with pytest.raises(QuotaError, match="3 requests of this address"):
        quota.check("192.0.2.1", now=1.0)
    quota.check("192.0.2.2", now=1.0)
    quota.check("192.0.2.1", now=WINDOW_S)


def test_without_a_bound_everybody_is_refused_as_often_as_they_like():
    refused(RefusalQuota(0), "192.0.2.1", times=9999)


def test_from_many_addresses_the_worst_are_remembered():
    quota = RefusalQuota(5)
    refused(quota, "192.0.2.1", times=5)
    for number in range(20_000):
        refused(quota, f"198.51.{number // 256}.{number % 256}", times=1)
    with pytest.raises(QuotaError):
        quota.check("192.0.2.1", now=1.0)


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::2", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", ""),
    ],
)
def test_a_peer_over_http_is_the_one_that_it_is_over_grpc(host, peer):
    assert peer_of_host(host) == peer
    if peer:
        name = f"ipv6:[{host}]:1" if ":" in host else f"ipv4:{host}:1"
        assert peer_of(name) == peer
