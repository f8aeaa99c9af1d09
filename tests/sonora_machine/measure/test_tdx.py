"""What a TDX machine measures: of its firmware at its start, of kernel and initramfs after it."""

import hashlib
import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import ImageFormatError
from sonora_machine.measure.firmware import FirmwareImage
from sonora_machine.measure.tdx import mrtd, rtmr1, rtmr2, runtime_registers
from sonora_machine.uki import authenticode_digest
from support.firmware_files import SIZE, TDX, TDX_METADATA, entry, made_firmware
from support.pe_files import made_pe

DEBIANS = Path("/usr/share/ovmf/OVMF.fd")
OF_DEBIAN_12 = "7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773"
"""SHA-256 of its firmware in ovmf 2022.11-6+deb12u2."""

KNOWN = json.loads((Path(__file__).parents[2] / "vectors" / "machine" / "known.json").read_text())


def test_registers_are_extended_as_a_real_machine_did_in_its_quote():
    known = {name: bytes.fromhex(value) for name, value in KNOWN["tdx-machine"].items()}
    assert rtmr1(known["kernel"]) == known["rtmr1"]
    assert rtmr2(known["line"], known["initramfs"]) == known["rtmr2"]


def test_registers_are_of_kernel_initramfs_and_command_line():
    kernel = made_pe({".text": b"kernel"})
    found = runtime_registers(kernel=kernel, initramfs=b"initramfs", command_line="quiet")
    assert found["rtmr1"] == (rtmr1(authenticode_digest(kernel, algorithm="sha384")),)
    lines = ["quiet initrd=initrd\0", "initrd=initrd quiet\0"]
    digests = [hashlib.sha384(line.encode("utf-16-le")).digest() for line in lines]
    handed = hashlib.sha384(b"initramfs").digest()
    assert found["rtmr2"] == tuple(rtmr2(line, handed) for line in digests)


def test_mrtd_is_what_another_program_computed():
    assert mrtd(FirmwareImage.parse(made_firmware())).hex() == KNOWN["mrtd"]["made"]


def test_mrtd_of_debians_firmware_is_what_another_program_computed():
    if not DEBIANS.exists():
        pytest.skip("Debian's ovmf is not installed")
    data = DEBIANS.read_bytes()
    if hashlib.sha256(data).hexdigest() != OF_DEBIAN_12:
        pytest.skip("this is another version of Debian's ovmf")
    assert mrtd(FirmwareImage.parse(data)).hex() == KNOWN["mrtd"]["debian-12"]


def test_of_the_firmware_what_is_measured_counts_and_its_variables_do_not():
    data = made_firmware()
    changed = mrtd(FirmwareImage.parse(data[:0x1800] + b"x" + data[0x1801:]))
    assert changed != mrtd(FirmwareImage.parse(data))
    assert mrtd(FirmwareImage.parse(b"x" + data[1:])) == mrtd(FirmwareImage.parse(data))


def with_section(number, **members):
    names = ("offset", "raw", "address", "size", "kind", "attributes")
    sections = [dict(zip(names, each, strict=True)) for each in TDX]
    sections[number].update(members)
    return made_firmware(tuple(tuple(each.values()) for each in sections))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it has 0 bytes"),
        (bytes(SIZE), "there is no table at its end"),
        (made_firmware(None), "no metadata for TDX"),
        (made_firmware(tuple(TDX[2] for _ in range(65))), "65 sections"),
        (made_firmware(()), "0 sections"),
        (with_section(0, offset=0x2000), "not all of it is in the file"),
        (with_section(0, raw=0x2000), "not all of it is in the file"),
        (with_section(0, address=0xFFFF_D001), "no pages"),
        (with_section(2, size=0x1001), "no pages"),
        (with_section(2, address=1 << 63), "no pages"),
        (with_section(2, size=1 << 40), "more than 268435456 bytes"),
        (made_firmware().replace(b"TDVF", b"XXXX"), "its metadata are b'XXXX'"),
        (
            made_firmware(None, None)[:-50]
            + entry(TDX_METADATA, struct.pack("<I", 1 << 31))
            + struct.pack("<H", 22 + 18)
            + made_firmware()[-48:],
            "2147483648 bytes before the end",
        ),
    ],
)
def test_firmware_that_is_none_for_tdx_or_would_take_long_is_refused(data, said):
    with pytest.raises(ImageFormatError, match=f"the firmware is none for.*{said}"):
        mrtd(FirmwareImage.parse(data))


@given(st.integers(0x2000, SIZE - 1), st.binary(min_size=1, max_size=30))
def test_changed_firmware_is_read_or_refused(at, noise):
    data = made_firmware()
    changed = (data[:at] + noise + data[at + len(noise) :])[:SIZE]
    with suppress(ImageFormatError):
        assert len(mrtd(FirmwareImage.parse(changed))) == 48
