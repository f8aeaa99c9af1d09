"""Enclave images are read, or refused; their registers are those that AWS's builder prints."""

import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import ImageFormatError
from sonora_machine.measure.eif import EnclaveImage
from sonora_machine.measure.nitro import nitro_registers

VECTORS = Path(__file__).parents[2] / "vectors" / "machine"
HEADER = 548
COUNT, OFFSETS, SIZES, CHECKSUM = 26, 28, 284, 544
"""Where they are in a header."""
ONE = (VECTORS / "one-ramdisk.eif").read_bytes()
THREE = (VECTORS / "three-ramdisks.eif").read_bytes()
PRINTED = json.loads((VECTORS / "known.json").read_text())["nitro"]
"""By AWS's builder (eif_build 0.2.1)."""


def checked(data):
    """With the checksum that belongs to it."""
    value = zlib.crc32(data[HEADER:], zlib.crc32(data[:CHECKSUM]))
    return data[:CHECKSUM] + struct.pack(">I", value) + data[HEADER:]


def eif(*sections, version=4):
    """An image with these sections: kind and content of each."""
    offsets, sizes, body = [], [], b""
    for kind, content in sections:
        offsets.append(HEADER + len(body))
        sizes.append(len(content))
        body += struct.pack(">HHQ", kind, 0, len(content)) + content
    padding = [0] * (32 - len(sections))
    head = struct.pack(">4sHHQQHH", b".eif", version, 0, 1 << 30, 2, 0, len(sections))
    head += struct.pack(">32Q", *offsets, *padding) + struct.pack(">32Q", *sizes, *padding)
    return checked(head + bytes(8) + body)


KERNEL, LINE, FIRST, SECOND = (1, b"kernel"), (2, b"line"), (3, b"first"), (3, b"second")


@pytest.mark.parametrize("name", PRINTED)
def test_registers_are_those_that_the_builder_printed(name):
    image = EnclaveImage.parse((VECTORS / f"{name}.eif").read_bytes())
    found = nitro_registers(
        kernel=image.kernel, command_line=image.command_line, ramdisks=image.ramdisks
    )
    assert {register: value.hex() for register, value in found.items()} == PRINTED[name]
    assert image.signed == (name == "signed")


def test_a_made_image_is_one_that_is_read():
    image = EnclaveImage.parse(eif(KERNEL, LINE, FIRST, SECOND))
    assert bytes(image.kernel) == b"kernel"
    assert bytes(image.command_line) == b"line"
    assert [bytes(each) for each in image.ramdisks] == [b"first", b"second"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "unpack"),
        (b"MZ" + ONE[2:], "does not start with .eif"),
        (eif(KERNEL, LINE, FIRST, version=9), "version 9"),
        (ONE[:-1], "ends at"),
        (ONE + b"x", "its sections end at"),
        (ONE[:HEADER] + b"\1" + ONE[HEADER + 1 :], "unknown kind|checksum"),
        (ONE[:600] + b"x" + ONE[601:], "its checksum is"),
        (eif(LINE, FIRST), "0 sections with a kernel"),
        (eif(KERNEL, KERNEL, LINE, FIRST), "2 sections with a kernel"),
        (eif(KERNEL, FIRST), "0 sections with a command line"),
        (eif(KERNEL, LINE), "no ramdisk"),
        (eif(KERNEL, FIRST, LINE), "not in that order"),
        (eif(KERNEL, LINE, FIRST, (7, b"")), "unknown kind 7"),
        (eif(), "it has 0 sections"),
        (checked(ONE[:COUNT] + b"\0\xff" + ONE[COUNT + 2 :]), "it has 255 sections"),
        (checked(ONE[:OFFSETS] + b"\xff" * 8 + ONE[OFFSETS + 8 :]), "a section is at 184467"),
        (checked(ONE[:SIZES] + b"\xff" * 8 + ONE[SIZES + 8 :]), "the header says 184467"),
    ],
)
def test_what_is_no_image_or_damaged_is_refused(data, said):
    with pytest.raises(ImageFormatError, match=f"this is no enclave image.*({said})"):
        EnclaveImage.parse(data)


@given(st.integers(0, len(THREE) - 1), st.binary(min_size=1, max_size=40), st.booleans())
def test_changed_images_are_read_or_refused(at, noise, mended):
    data = THREE[:at] + noise + THREE[at + len(noise) :]
    try:
        image = EnclaveImage.parse(checked(data) if mended else data)
    except ImageFormatError:
        return
    assert mended or data == THREE
    assert sum(map(len, image.ramdisks)) < len(data)
