"""A unified kernel image has its parts as sections, and equal parts make equal bytes."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki import PeFile, write_uki
from support.pe_files import STUB, made_pe

PARTS = {
    ".osrel": b'ID=veracruz\nVERSION_ID="1"\n',
    ".cmdline": b"console=ttyS0 quiet",
    ".uname": b"6.12.117",
    ".linux": b"kernel" * 1000,
    ".initrd": b"initramfs" * 3000,
}
DEBIANS = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")


def check(image, stub, parts):
    pe = PeFile.parse(image)
    assert [each.name for each in pe.sections][-len(parts) :] == [*parts]
    assert {name: bytes(pe.content(image, name)) for name in parts} == parts
    for each in PeFile.parse(stub).sections:
        assert pe.content(image, each.name) == PeFile.parse(stub).content(stub, each.name)
    ends = 0
    for each in pe.sections[-len(parts) :]:
        assert each.offset % pe.file_alignment == each.raw_size % pe.file_alignment == 0
        assert each.address % 4096 == 0
        assert each.address >= ends
        ends = each.address + each.virtual_size
    (image_size,) = struct.unpack_from("<I", image, pe.optional + 56)
    assert image_size >= ends
    assert image_size % 4096 == 0


def test_parts_are_sections_in_the_order_given():
    check(write_uki(made_pe(), PARTS), made_pe(), PARTS)


@given(
    st.dictionaries(
        st.from_regex(r"\.[a-z]{1,7}", fullmatch=True).filter(lambda name: name not in STUB),
        st.binary(max_size=5000),
        min_size=1,
        max_size=10,
    )
)
def test_whatever_the_parts_they_are_read_again(parts):
    check(write_uki(made_pe(), parts), made_pe(), parts)


def test_nothing_of_when_and_where_is_in_it():
    image = write_uki(made_pe(), PARTS)
    assert image == write_uki(made_pe(), dict(PARTS))
    assert image[72:76] == bytes(4)  # the time stamp
    assert image[64 + 24 + 64 :][:4] == bytes(4)  # the checksum


def test_a_symbol_table_behind_the_stub_goes():
    stub = bytearray(made_pe(behind=b"symbols"))
    struct.pack_into("<II", stub, 76, len(stub) - 7, 1)
    assert write_uki(bytes(stub), PARTS) == write_uki(made_pe(), PARTS)


@pytest.mark.skipif(not DEBIANS.exists(), reason="Debian's systemd-boot-efi is not installed")
def test_debians_stub_takes_the_parts():
    check(write_uki(DEBIANS.read_bytes(), PARTS), DEBIANS.read_bytes(), PARTS)


@pytest.mark.parametrize(
    ("stub", "parts", "said"),
    [
        (made_pe(certificates=bytes(8)), PARTS, "the stub is signed"),
        (made_pe(room=4), PARTS, "room for 4 sections, and 7 are wanted"),
        (made_pe(), {".text": b""}, "has a section .text already"),
        (made_pe(), {".too-long": b""}, "cannot be called '.too-long'"),
        (made_pe(), {"": b""}, "cannot be called ''"),
        (made_pe(), {".é": b""}, "cannot be called"),
        (b"not a stub", PARTS, "the stub is no whole PE file"),
    ],
)
def test_what_cannot_become_an_image_is_refused(stub, parts, said):
    with pytest.raises(ImageFormatError, match=said):
        write_uki(stub, parts)
