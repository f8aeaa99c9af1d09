import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_services import PlatformError
from platform_services.seeded import BLOCK_BYTES, SeededRandomSource

SEED = bytes(range(32))


def test_the_first_bytes_are_those_that_are_documented():
    first, second = (
        hashlib.shake_256(b"veracruz-seeded-random-v1" + SEED + number.to_bytes(8)).digest(4096)
        for number in (0, 1)
    )
    assert SeededRandomSource(SEED).fill(5000) == first + second[: 5000 - 4096]


def test_they_are_always_the_same():
    found = SeededRandomSource(SEED).fill(24).hex()
    assert found == "3c7a3daacb73d6a2d455bdc1d48865fb790a7e72e8abaf98"


@given(st.lists(st.integers(0, 3 * BLOCK_BYTES), max_size=8))
def test_how_many_are_taken_at_a_time_makes_no_difference(sizes):
    source = SeededRandomSource(SEED)
    pieces = [source.fill(size) for size in sizes]
    assert [len(piece) for piece in pieces] == sizes
    assert b"".join(pieces) == SeededRandomSource(SEED).fill(sum(sizes))


def test_another_seed_gives_others():
    assert SeededRandomSource(SEED).fill(32) != SeededRandomSource(bytes(32)).fill(32)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_has_its_length(size):
    with pytest.raises(PlatformError, match=f"has 32 bytes, this one {size}"):
        SeededRandomSource(bytes(size))


def test_a_negative_size_is_refused():
    with pytest.raises(PlatformError, match="negative"):
        SeededRandomSource(SEED).fill(-1)
