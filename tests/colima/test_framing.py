"""Frames and content come out whole, however the stream was cut."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colima import FrameDecoder, WireError, frame, read_frame


def cut(data: bytes, sizes: list[int]):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


@given(payloads=st.lists(st.binary(max_size=300)), sizes=st.lists(st.integers(1, 50)))
def test_splitting_the_stream_anywhere_changes_nothing(payloads, sizes):
    decoder = FrameDecoder(limit=300)
    found = []
    for piece in cut(b"".join(map(frame, payloads)), sizes):
        decoder.feed(piece)
        while (payload := decoder.next_frame()) is not None:
            found.append(payload)
    assert found == payloads
    assert len(decoder) == 0


def test_content_after_a_frame_is_taken_as_it_is():
    decoder = FrameDecoder()
    decoder.feed(frame(b"announce") + b"\xff\xff\xff\xff rest" + frame(b"next"))
    assert decoder.next_frame() == b"announce"
    assert decoder.take(4) == b"\xff\xff\xff\xff"
    assert decoder.take(5) == b" rest"
    assert decoder.next_frame() == b"next"
    assert decoder.take(10) == b""


def test_a_frame_over_the_limit_is_refused_by_its_header_alone():
    decoder = FrameDecoder(limit=10)
    decoder.feed(b"\x0b\x00\x00\x00")
    with pytest.raises(WireError, match="11 bytes was announced, the limit is 10"):
        decoder.next_frame()


def test_a_frame_is_read_from_a_blocking_source_to_its_last_byte_and_no_further():
    source = io.BytesIO(frame(b"one") + b"x")
    assert read_frame(source.read) == b"one"
    assert source.read() == b"x"
    assert read_frame(source.read) is None


@pytest.mark.parametrize("size", range(1, 7))
def test_a_source_that_ends_inside_a_frame_is_an_error(size):
    with pytest.raises(WireError, match="ended inside"):
        read_frame(io.BytesIO(frame(b"one")[:size]).read)


def test_a_blocking_source_is_not_asked_for_a_frame_over_the_limit():
    with pytest.raises(WireError, match="the limit is 2"):
        read_frame(io.BytesIO(frame(b"one")).read, limit=2)
