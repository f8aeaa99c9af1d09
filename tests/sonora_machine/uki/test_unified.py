"""An image is taken apart, and refused where what it measures is not in the file alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki import UnifiedImage, write_uki
from support.pe_files import made_pe, stub_of

PARTS = {".cmdline": b"quiet", ".linux": b"kernel", ".initrd": b"initramfs"}


def test_stub_and_parts_are_found():
    image = UnifiedImage.parse(write_uki(stub_of(257), PARTS))
    assert (image.stub, image.generation) == ("systemd-stub 257.13-1~deb13u1", 257)
    assert {name: bytes(part) for name, part in image.parts.items()} == PARTS
    assert image.command_line == "quiet"


def test_a_section_that_no_stub_knows_is_no_part():
    image = UnifiedImage.parse(write_uki(stub_of(257), PARTS | {".other": b"x", ".uname": b""}))
    assert {*image.parts} == {*PARTS}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({".linux": b"kernel", ".initrd": b"i"}, "has no .cmdline: whoever starts it"),
        ({".linux": b"kernel", ".cmdline": b"q"}, "has no .initrd: whoever starts it"),
        ({".cmdline": b"q", ".initrd": b"i"}, "has no .linux: whoever starts it"),
        (PARTS | {".profile": b"ID=x"}, "has profiles"),
        (PARTS | {".hwids": b"x"}, "has device trees to choose from"),
    ],
)
def test_an_image_that_leaves_open_what_runs_is_refused(parts, said):
    with pytest.raises(ImageFormatError, match=said):
        UnifiedImage.parse(write_uki(stub_of(257), parts))


def test_an_image_with_a_part_twice_is_refused():
    image = bytearray(write_uki(stub_of(257), PARTS | {".initrX": b"other"}))
    image[image.index(b".initrX") + 6] = ord("d")
    with pytest.raises(ImageFormatError, match=r"2 sections \.initrd"):
        UnifiedImage.parse(bytes(image))


@pytest.mark.parametrize(
    "sections", [{".text": b"x"}, {".text": b"x", ".sdmagic": b"#### LoaderInfo: other 1 ####"}]
)
def test_a_program_without_a_stub_of_systemds_is_refused(sections):
    with pytest.raises(ImageFormatError, match="no stub of systemd's"):
        UnifiedImage.parse(write_uki(made_pe(sections), PARTS))


@pytest.mark.parametrize("line", [b" quiet", b"a\tb", b"a\0b", "é".encode(), b"\xff", b" \n"])
def test_a_command_line_that_the_stub_would_change_is_refused(line):
    image = UnifiedImage.parse(write_uki(stub_of(257), PARTS | {".cmdline": line}))
    with pytest.raises(ImageFormatError, match="not one line of printable ASCII"):
        _ = image.command_line


@pytest.mark.parametrize("behind", [b"\n", b" ", b"\0", b" \r\n\0"])
def test_blanks_behind_a_command_line_are_not_part_of_it(behind):
    image = UnifiedImage.parse(write_uki(stub_of(257), PARTS | {".cmdline": b"a  b" + behind}))
    assert image.command_line == "a  b"


@given(st.integers(0, 6000), st.binary(min_size=1, max_size=64))
def test_changed_images_are_read_or_refused(at, noise):
    data = bytearray(write_uki(stub_of(257), PARTS))
    data[at : at + len(noise)] = noise
    try:
        image = UnifiedImage.parse(bytes(data))
    except ImageFormatError:
        return
    assert sum(map(len, image.parts.values())) <= len(data)
