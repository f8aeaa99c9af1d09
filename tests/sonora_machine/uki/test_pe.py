"""PE files are read as they are, or refused; firmware's digest of one is what others compute."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki import PeFile, authenticode_digest
from support.pe_files import STUB, TABLE, made_pe

CHECKSUM = 64 + 24 + 64
CERTIFICATE_ENTRY = 64 + 24 + 112 + 4 * 8
HEADERS_SIZE = 64 + 24 + 60
SHA384_OF_MADE = (
    "0326a782b3bd5883ce99415c077ca0b2ce4b5c5d7c6e199b439fded1011add5f"
    "a30215c861e93abedb3a5a95b6908f7d"
)


def with_number(data, at, form, value):
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


def by_hand(data, end=None, algorithm="sha256"):
    """The digest of a file without holes: all of it but two fields and the certificates."""
    kept = data[:CHECKSUM] + data[CHECKSUM + 4 : CERTIFICATE_ENTRY] + data[CERTIFICATE_ENTRY + 8 :]
    return hashlib.new(algorithm, kept[: None if end is None else end - 12]).digest()


def test_sections_are_found_by_name_without_their_padding():
    data = made_pe()
    pe = PeFile.parse(data)
    assert pe.machine == "x86-64"
    assert [each.name for each in pe.sections] == [*STUB]
    assert {name: bytes(pe.content(data, name)) for name in STUB} == STUB
    assert pe.content(data, ".linux") is None


@pytest.mark.parametrize("algorithm", ["sha256", "sha384"])
def test_the_digest_is_over_all_but_checksum_and_signature(algorithm):
    data = made_pe()
    digest = authenticode_digest(data, algorithm=algorithm)
    assert digest == by_hand(data, algorithm=algorithm)
    signed = made_pe(certificates=b"signature".ljust(16))
    assert authenticode_digest(signed, algorithm=algorithm) == digest
    assert authenticode_digest(with_number(data, CHECKSUM, "<I", 7), algorithm=algorithm) == digest


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("sha256", "f2c1da3f1d9b9c02c7d64601a3370a0bf7575c811263b42486758fa0041a3c70"),
        ("sha384", SHA384_OF_MADE),
    ],
)
def test_the_digest_is_what_osslsigncode_computed(algorithm, digest):
    assert authenticode_digest(made_pe(), algorithm=algorithm).hex() == digest


def test_what_lies_behind_the_sections_is_part_of_the_digest():
    data = made_pe(behind=b"more" * 128)
    assert authenticode_digest(data) == by_hand(data) != authenticode_digest(made_pe())


def test_a_hole_between_sections_is_made_up_for_at_the_end_as_firmware_does():
    data = made_pe({".text": b"a" * 512, ".hole": b"h" * 512, ".data": b"b" * 512})
    hollow = with_number(data, TABLE + 40 + 16, "<I", 0)  # the second has no raw data now
    pe = PeFile.parse(hollow)
    start = pe.headers_size
    head = hollow[:CHECKSUM] + hollow[CHECKSUM + 4 : CERTIFICATE_ENTRY]
    head += hollow[CERTIFICATE_ENTRY + 8 : start]
    hashed = head + b"a" * 512 + b"b" * 512 + hollow[start + 1024 :]
    assert authenticode_digest(hollow) == hashlib.sha256(hashed).digest()


@given(st.data())
def test_every_byte_but_those_of_checksum_and_signature_counts(data):
    original = made_pe()
    at = data.draw(st.integers(0, len(original) - 1))
    left_out = CHECKSUM <= at < CHECKSUM + 4
    changed = bytearray(original)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        same = authenticode_digest(bytes(changed)) == authenticode_digest(original)
    except ImageFormatError:
        return  # what it says of itself is wrong now
    in_entry = CERTIFICATE_ENTRY <= at < CERTIFICATE_ENTRY + 8
    assert same == (left_out or in_entry)


@given(st.binary(max_size=400), st.integers(0, 400), st.integers(0, 2048))
def test_arbitrary_changes_are_read_or_refused(noise, at, end):
    data = made_pe()
    for each in (noise, data[:end], data[:at] + noise + data[at + len(noise) :]):
        try:
            pe = PeFile.parse(each)
        except ImageFormatError:
            continue
        assert sum(section.raw_size for section in pe.sections) <= len(each)
        assert len(authenticode_digest(each)) == 32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((0, "<H", 0), "does not start with MZ"),
        ((0x3C, "<I", 0xFFFFFFF0), "no PE signature"),
        ((68, "<H", 0x14C), "for machine 0x014c"),
        ((70, "<H", 0), "0 sections"),
        ((70, "<H", 60000), "60000 sections"),
        ((70, "<H", 20), "its headers are said to have"),
        ((88, "<H", 0x107), "optional header is of kind 0x0107"),
        ((88 + 36, "<I", 513), "alignment is 513"),
        ((88 + 36, "<I", 0), "alignment is 0"),
        ((88 + 108, "<I", 17), "no room for 17 entries"),
        ((HEADERS_SIZE, "<I", 1 << 31), "its headers are said to have"),
        ((TABLE + 16, "<I", 1 << 31), "behind the end"),
        ((TABLE + 20, "<I", 8), "in what ends at"),
        ((TABLE + 40 + 20, "<I", 1024), "in what ends at"),
        ((TABLE, "<B", 0xFF), "has the name"),
        ((CERTIFICATE_ENTRY + 4, "<I", 8), "certificates are said to end at 8"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(change, said):
    at, form, value = change
    with pytest.raises(ImageFormatError, match=f"the kernel is no whole PE file: .*{said}"):
        PeFile.parse(with_number(made_pe(), at, form, value), what="kernel")


def test_certificates_within_a_section_are_refused():
    data = with_number(made_pe(), CERTIFICATE_ENTRY, "<I", len(made_pe()) - 8)
    with pytest.raises(ImageFormatError, match="behind the end of the content"):
        PeFile.parse(with_number(data, CERTIFICATE_ENTRY + 4, "<I", 8))


def test_a_section_that_is_larger_in_memory_has_no_content():
    data = with_number(made_pe(), TABLE + 8, "<I", 513)
    with pytest.raises(ImageFormatError, match=r"section \.text has 512 bytes in the file and 513"):
        PeFile.parse(data).content(data, ".text")
