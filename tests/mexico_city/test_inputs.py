import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colima.runtime import ContentKind, RefusalReason
from mexico_city.errors import DeniedError
from mexico_city.inputs import Inputs, Package, Slot
from support.computations import package

CLIENTS = st.integers(0, 4) | st.just(2**32 - 1)
PACKAGE_IDS = st.integers(0, 9) | st.integers(0, 2**32 - 1)


@st.composite
def deliveries(draw):
    """A policy's order, and packages that fill it in some order of arrival."""
    order = draw(st.lists(CLIENTS, max_size=12))
    keys = [
        (client, number)
        for client, places in Counter(order).items()
        for number in draw(st.sets(PACKAGE_IDS, min_size=places, max_size=places))
    ]
    return order, draw(st.permutations(keys))


def sorted_as_in_2021(order: list[int], keys: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The rule in words: of each client named, the lowest package above the one taken before."""
    taken: list[tuple[int, int]] = []
    for client in order:
        before = max((number for owner, number in taken if owner == client), default=-1)
        taken.append((client, min(n for owner, n in keys if owner == client and n > before)))
    return taken


def slot(client: int, number: int, size: int = 0, kind: ContentKind = ContentKind.DATA) -> Slot:
    return Slot(kind, client, number, size)


def fill(inputs: Inputs, kind: ContentKind, keys) -> None:
    for client, number in keys:
        inputs.reserve(slot(client, number, kind=kind), "somebody")
        inputs.fill(package(client, number, kind))


def keys_of(packages: list[Package]) -> list[tuple[int, int]]:
    return [(each.slot.client_id, each.slot.package_id) for each in packages]


@given(deliveries())
def test_the_order_is_that_of_2021_however_packages_arrive(delivery):
    order, keys = delivery
    inputs = Inputs(order)
    fill(inputs, ContentKind.DATA, keys)
    assert inputs.complete
    assert keys_of(inputs.in_order()) == sorted_as_in_2021(order, keys)
    inputs.close()


@given(deliveries())
def test_inputs_are_complete_with_the_last_package_and_not_before(delivery):
    order, keys = delivery
    inputs = Inputs(order)
    for key in keys:
        assert not inputs.complete
        fill(inputs, ContentKind.STREAM, [key])
    assert inputs.complete
    inputs.close()


@given(deliveries(), CLIENTS, PACKAGE_IDS)
def test_whatever_comes_beyond_the_order_is_refused(delivery, client, number):
    order, keys = delivery
    inputs = Inputs(order)
    fill(inputs, ContentKind.DATA, keys)
    with pytest.raises(DeniedError) as refused:
        inputs.reserve(slot(client, number), "somebody")
    duplicate = (client, number) in keys
    expected = RefusalReason.DUPLICATE_PACKAGE if duplicate else RefusalReason.NOT_EXPECTED
    assert refused.value.answer.reason is expected
    assert keys_of(inputs.in_order()) == sorted_as_in_2021(order, keys)
    inputs.close()


class Counted(int):
    """A client or a package by its number, which counts what it is compared with."""

    compared = 0

    def __eq__(self, other):
        Counted.compared += 1
        return int(self) == int(other)

    def __lt__(self, other):
        Counted.compared += 1
        return int(self) < int(other)

    def __ge__(self, other):
        Counted.compared += 1
        return int(self) >= int(other)

    __hash__ = int.__hash__


@pytest.mark.parametrize("first", [0, 9])
def test_the_places_of_many_packages_are_told_without_looking_at_each_for_each(first):
    places = 256
    inputs = Inputs([Counted(1)] * places)
    for number in range(places - 1):
        inputs.fill(package(Counted(1), Counted(number + first), ContentKind.DATA))
    Counted.compared = 0
    told = inputs.places()
    assert Counted.compared < 16 * places
    assert [each.slot.package_id for _, each in told[:-1]] == list(range(first, places - 1 + first))
    assert told[-1] == (1, None)
    inputs.close()


def test_a_package_on_its_way_counts_as_one_that_is_in():
    inputs = Inputs([1, 1])
    inputs.reserve(slot(1, 7), "somebody")
    with pytest.raises(DeniedError) as again:
        inputs.reserve(slot(1, 7), "somebody")
    inputs.reserve(slot(1, 8), "somebody")
    with pytest.raises(DeniedError) as third:
        inputs.reserve(slot(1, 9), "somebody")
    assert again.value.answer.reason is RefusalReason.DUPLICATE_PACKAGE
    assert third.value.answer.reason is RefusalReason.NOT_EXPECTED
    assert not inputs.complete


def test_a_place_that_is_given_back_may_be_taken_again():
    inputs = Inputs([1])
    first = slot(1, 7)
    inputs.reserve(first, "somebody")
    inputs.release(first)
    inputs.reserve(slot(1, 8), "somebody")


def test_a_place_is_kept_for_one_upload_and_not_for_another_just_like_it():
    inputs = Inputs([1])
    earlier, later = slot(1, 7), slot(1, 7)
    inputs.reserve(earlier, "somebody")
    inputs.release(earlier)
    inputs.reserve(later, "somebody")
    inputs.release(earlier)
    assert inputs.holds(later)
    assert not inputs.holds(earlier)


def test_of_a_package_and_what_comes_instead_the_larger_counts():
    inputs = Inputs([1, 1])
    inputs.fill(package(1, 0, ContentKind.DATA, b"12345"))
    inputs.fill(package(1, 1, ContentKind.DATA, b"123"))
    smaller, larger = (
        dataclasses.replace(each, replaces=True) for each in (slot(1, 0), slot(1, 1, 9))
    )
    inputs.reserve(smaller, "somebody")
    assert inputs.size() == 8
    inputs.reserve(larger, "somebody")
    assert inputs.size() == 14
    assert inputs.size(beside=larger) == 5
    inputs.close()


def test_as_many_packages_as_places_are_not_all_if_they_are_not_those_of_the_order():
    inputs = Inputs([1, 2])
    for number in (0, 1):
        inputs.fill(package(1, number, ContentKind.DATA))
    assert not inputs.complete
    inputs.close()


def test_what_is_on_its_way_counts_until_it_is_given_back():
    inputs = Inputs([1, 1])
    inputs.reserve(slot(1, 7, 5), "somebody")
    second = slot(1, 8, 3)
    inputs.reserve(second, "somebody")
    assert inputs.size() == 8
    inputs.fill(package(1, 7, ContentKind.DATA, b"12345"))
    assert inputs.size() == 8
    inputs.release(second)
    assert inputs.size() == 5
    inputs.close()


def test_gaps_in_package_ids_are_fine_and_ids_of_different_clients_may_be_equal():
    inputs = Inputs([2, 1, 2])
    fill(inputs, ContentKind.DATA, [(2, 4_000_000_000), (1, 3), (2, 3)])
    assert keys_of(inputs.in_order()) == [(2, 3), (1, 3), (2, 4_000_000_000)]


def test_a_refusal_names_what_was_provided_and_what_is_expected():
    inputs = Inputs([1])
    fill(inputs, ContentKind.STREAM, [(1, 0)])
    with pytest.raises(DeniedError) as refused:
        inputs.reserve(slot(1, 5, kind=ContentKind.STREAM), "somebody")
    assert refused.value.answer.found == "stream package 5 of somebody"
    assert refused.value.answer.expected == "1 of that client, 1 provided"


def test_what_is_forgotten_is_closed():
    inputs = Inputs([1])
    fill(inputs, ContentKind.DATA, [(1, 0)])
    (kept,) = inputs.in_order()
    inputs.close()
    assert kept.content.descriptor == -1
    assert inputs.size() == 0
    assert not inputs.complete
