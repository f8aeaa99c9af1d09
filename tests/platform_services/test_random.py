import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_services import LinuxRandomSource, PlatformError, ServiceUnavailableError


@given(st.integers(min_value=0, max_value=5000))
def test_fill_gives_exactly_the_bytes_asked_for(size):
    assert len(LinuxRandomSource().fill(size)) == size


def test_two_draws_differ():
    source = LinuxRandomSource()
    assert source.fill(32) != source.fill(32)


def test_every_byte_value_turns_up():
    assert set(LinuxRandomSource().fill(1 << 16)) == set(range(256))


def test_more_than_one_call_of_the_kernel_gives_is_completed():
    size = (1 << 25) + 4096  # getrandom(2) gives at most 2^25 - 1 bytes at once
    drawn = LinuxRandomSource().fill(size)
    assert len(drawn) == size
    assert any(drawn[-4096:])


def test_short_answers_are_continued_where_they_ended(monkeypatch):
    asked = []

    def short(size, flags):
        asked.append(size)
        return bytes([len(asked)]) * min(size, 3)

    monkeypatch.setattr(os, "getrandom", short)
    assert LinuxRandomSource().fill(8) == bytes([1, 1, 1, 2, 2, 2, 3, 3])
    assert asked == [8, 5, 2]


@pytest.mark.parametrize("error", [BlockingIOError(11, "unseeded"), PermissionError(1, "filtered")])
def test_a_kernel_that_gives_nothing_is_a_service_that_is_unavailable(monkeypatch, error):
    def refuse(size, flags):
        raise error

    monkeypatch.setattr(os, "getrandom", refuse)
    with pytest.raises(ServiceUnavailableError, match=f"errno {error.errno}"):
        LinuxRandomSource().fill(16)


def test_a_kernel_that_answers_nothing_does_not_hang_us(monkeypatch):
    monkeypatch.setattr(os, "getrandom", lambda size, flags: b"")
    with pytest.raises(ServiceUnavailableError):
        LinuxRandomSource().fill(16)


def test_a_negative_size_is_refused():
    with pytest.raises(PlatformError, match="-1"):
        LinuxRandomSource().fill(-1)
