"""What an SEV-SNP machine measures: firmware, kernel, initramfs, command line, processors."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonora_machine.errors import ImageFormatError, MachineError
from sonora_machine.measure.firmware import FirmwareImage
from sonora_machine.measure.snp import launch_measurement
from support.firmware_files import SEV, made_firmware

VECTORS = Path(__file__).parents[2] / "vectors" / "machine"
FIRMWARE = (VECTORS / "ovmf_AmdSev_suffix.bin").read_bytes()
KNOWN = json.loads((VECTORS / "known.json").read_text())["sev-snp"]
MACHINE = {
    "kernel": b"",
    "initramfs": b"",
    "command_line": "console=ttyS0 loglevel=7",
    "vcpus": 1,
    "cpu": "EPYC-v4",
}


def measured(firmware=FIRMWARE, **members):
    return launch_measurement(FirmwareImage.parse(firmware), **{**MACHINE, **members}).hex()


def test_the_measurement_is_the_published_one():
    assert measured() == KNOWN


@pytest.mark.parametrize(
    "other",
    [
        {"kernel": b"x"},
        {"initramfs": b"x"},
        {"command_line": "console=ttyS0"},
        {"vcpus": 2},
        {"cpu": "EPYC-Milan"},
        {"firmware": b"x" + FIRMWARE[1:]},
    ],
)
def test_everything_that_the_machine_starts_with_counts(other):
    assert measured(**other) != KNOWN


def test_firmware_that_would_start_anything_is_refused():
    sections = tuple(each for each in SEV if each[2] != 0x10)
    with pytest.raises(
        ImageFormatError, match=r"none that checks what SEV-SNP starts: .*KERNEL_HA"
    ):
        measured(made_firmware(None, sections))


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (None, "no metadata for SEV-SNP"),
        (((0, 0xFFFF_F000, 1), (0, 0xFFFF_F000, 1)), "more than 268435456 bytes"),
        (((0, 0x1001, 1),), "no pages"),
        ((), "0 sections"),
    ],
)
def test_firmware_that_is_none_for_snp_or_would_take_long_is_refused(sections, said):
    with pytest.raises(ImageFormatError, match=f"the firmware is none for SEV-SNP: .*{said}"):
        measured(made_firmware(None, sections))


def test_a_processor_that_nobody_knows_is_refused_with_those_that_are():
    with pytest.raises(MachineError, match=r"no processor 'Z80', known are EPYC, .*EPYC-Milan"):
        measured(cpu="Z80")


def test_without_the_extra_it_says_which_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sevsnpmeasure.guest", None)
    with pytest.raises(MachineError, match=r"pip install 'veracruz-machine\[snp\]'"):
        measured()


@settings(deadline=None)
@given(st.integers(3000, len(FIRMWARE) - 1), st.binary(min_size=1, max_size=30))
def test_changed_firmware_is_measured_or_refused(at, noise):
    changed = (FIRMWARE[:at] + noise + FIRMWARE[at + len(noise) :])[: len(FIRMWARE)]
    with suppress(ImageFormatError):
        assert len(measured(changed)) == 96
