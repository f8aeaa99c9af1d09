"""Who counts as one peer, how many calls each may have, and which that wait are given up."""

import asyncio
import functools
from contextlib import ExitStack

import pytest

from veracruz_shells.calls import Arrivals, CallSlots, peer_of


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


def test_of_one_peer_and_of_all_together_so_many_calls_are_in_progress():
    slots = CallSlots(3, 2)
    assert [slots.take(peer) for peer in "aaabc"] == [True, True, False, True, False]
    slots.give_back("a")
    assert [slots.take(peer) for peer in "bca"] == [True, False, False]
    for peer in "abb":
        slots.give_back(peer)
    assert not slots._held  # not even the names of those that have no call


@pytest.fixture
def given_up():
    return []


@pytest.fixture
def wait(given_up):
    """Have a call wait for its request until the test is over."""
    with ExitStack() as stack:

        def wait(arrivals: Arrivals, peer: str, name: str) -> None:
            stack.enter_context(arrivals.waiting(peer, lambda: given_up.append(name)))

        yield wait


def in_loop(work):
    """Run a test's steps in an event loop, which calls come with."""

    @functools.wraps(work)
    def steps(*args, **kwargs):
        asyncio.run(work(*args, **kwargs))

    return steps


@in_loop
async def test_when_too_many_wait_the_oldest_gives_way_of_the_peer_that_has_most(wait, given_up):
    arrivals = Arrivals(3, 60)
    for peer, name in (("p", "principal"), ("a", "one"), ("a", "two"), ("a", "three")):
        wait(arrivals, peer, name)
    assert given_up == ["one"]
    wait(arrivals, "b", "newcomer")
    assert given_up == ["one", "two"]
    wait(arrivals, "c", "last")
    assert given_up == ["one", "two", "principal"]  # all have one, and it waits longest


@in_loop
async def test_of_the_calls_that_wait_those_that_are_overdue_are_given_up(wait, given_up):
    arrivals, patient = Arrivals(3, 0.01), Arrivals(3, 600)
    overdue = asyncio.Event()
    with arrivals.waiting("p", lambda: given_up.append("p")):
        pass  # its request has come
    wait(patient, "b", "two")
    with arrivals.waiting("a", overdue.set):
        await overdue.wait()
    arrivals.stop()
    assert given_up == []


@in_loop
async def test_at_the_end_all_that_wait_are_given_up_and_nothing_is_left(wait, given_up):
    arrivals = Arrivals(3, 60)
    wait(arrivals, "a", "one")
    wait(arrivals, "b", "two")
    arrivals.stop()
    arrivals.stop()
    assert given_up == ["one", "two"]
