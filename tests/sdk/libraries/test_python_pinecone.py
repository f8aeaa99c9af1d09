"""The Pinecone of programs in Python says and reads what the SDK's does."""

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk.toolchains.sources import source_folder
from veracruz_utils.encoding import pinecone

_SPEC = importlib.util.spec_from_file_location(
    "libveracruz_pinecone", source_folder("python") / "libveracruz" / "pinecone.py"
)
guest = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(guest)

TYPE = pinecone.parse_type("Vec<(u64, i16, f64, String, Option<bool>, char)>")
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**64 - 1),
        st.integers(-(2**15), 2**15 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.booleans(),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=5,
)


def written(rows):
    out = guest.Writer()

    def row(value):
        number, small, real, text, flag, char = value
        out.u64(number).i16(small).f64(real).text(text).option(flag, out.boolean).char(char)

    return out.sequence(rows, row).content


def read(content):
    reader = guest.Reader(content)

    def row():
        return (
            reader.u64(), reader.i16(), reader.f64(), reader.text(),
            reader.option(reader.boolean), reader.char(),
        )  # fmt: skip

    rows = reader.sequence(row, least=16)
    reader.finish()
    return rows


@given(ROWS)
def test_both_write_and_read_the_same(rows):
    assert written(rows) == pinecone.encode(TYPE, [tuple(row) for row in rows])
    assert read(written(rows)) == rows


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_as_by_the_sdk(content):
    try:
        expected = pinecone.decode(TYPE, content)
    except pinecone.PineconeError:
        with pytest.raises(guest.DecodeError):
            read(content)
    else:
        assert len(read(content)) == len(expected)


def test_a_length_is_not_believed():
    with pytest.raises(guest.DecodeError):
        guest.Reader(b"\xff\xff\xff\xff\x0f").sequence(lambda: None)


def test_a_mapping_goes_both_ways_and_has_no_key_twice():
    out = guest.Writer()
    out.mapping({"a": 1, "b": 2}, out.text, out.u8)
    reader = guest.Reader(out.content)
    assert reader.mapping(reader.text, reader.u8) == {"a": 1, "b": 2}
    twice = guest.Reader(b"\2\1a\1\1a\2")
    with pytest.raises(guest.DecodeError):
        twice.mapping(twice.text, twice.u8)
