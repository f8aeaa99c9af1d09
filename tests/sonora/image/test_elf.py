"""Native files are read as far as an image needs it, and nothing else is taken for one."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora.errors import SonoraError
from sonora.image.elf import NativeFile

ORIGINAL = Path(sys.executable).resolve().read_bytes()


def test_an_interpreter_names_its_loader_and_what_it_needs():
    file = NativeFile.parse(ORIGINAL)
    assert file.interpreter.startswith("/lib")
    assert any(name.startswith("libc.so") for name in file.needed)


def test_what_is_behind_all_that_is_loaded_goes_if_it_is_much():
    large = ORIGINAL + bytes(4 * 1024 * 1024)
    stripped = NativeFile.parse(large).plain
    assert len(stripped) <= len(ORIGINAL)
    assert stripped[40:48] == bytes(8)  # no list of sections
    again = NativeFile.parse(stripped)
    assert again.needed == NativeFile.parse(ORIGINAL).needed
    assert again.plain == stripped


def with_search_path(places: bytes) -> bytes:
    """A small library that looks for its one library in these places."""
    strings = b"\0libx.so\0" + places + b"\0"
    entries = [(1, 1), (29, 9), (5, 0x1000 + 64 + 2 * 56), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    at = 64 + 2 * 56
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    size = at + len(strings) + len(dynamic)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x1000, 0, size, size, 0x1000)
    where = at + len(strings)
    segment = struct.pack("<IIQQQQQQ", 2, 4, where, 0x1000 + where, 0, len(dynamic), 0, 8)
    return header + load + segment + strings + dynamic


def test_a_folder_of_the_machine_that_built_it_is_no_place_to_look_in():
    kept = NativeFile.parse(with_search_path(b"$ORIGIN/../libs"))
    assert kept.search == ("$ORIGIN/../libs",)
    assert kept.plain == with_search_path(b"$ORIGIN/../libs")
    for places in (b"/opt/lib", b"$ORIGIN:/usr/local/lib", b""):
        file = NativeFile.parse(with_search_path(places))
        assert file.plain != with_search_path(places)
        again = NativeFile.parse(file.plain)
        assert again.needed == ("libx.so",)
        assert again.search == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_native_file_or_our_error(data):
    for content in (data, b"\x7fELF\x02\x01" + data):
        try:
            NativeFile.parse(content)
        except SonoraError:
            continue


def test_a_text_is_no_native_file():
    with pytest.raises(SonoraError, match="not a native file"):
        NativeFile.parse(b"#!/bin/sh\n")
