"""What a real implementation of a TPM held after a boot is what is computed from the image."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from sonora_machine.errors import ImageFormatError
from sonora_machine.measure.digests import GENERATIONS, ImageDigests, initramfs_digest
from sonora_machine.measure.registers import replayed
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.uki import UnifiedImage, authenticode_digest, write_uki
from support.pe_files import made_pe, stub_of
from tabasco.verify.eventlog.log import parse_event_log

VECTORS = Path(__file__).parents[2] / "vectors" / "machine"
ADDED_TO = VECTORS / "systemd-257-host-adds.json"
FILES = sorted({*VECTORS.glob("systemd-*.json")} - {ADDED_TO})
"""Of images that were started in an emulator: see the README beside them."""
PARTS = {
    ".osrel": b"ID=veracruz\n",
    ".cmdline": b"console=ttyS0",
    ".uname": b"6.12",
    ".linux": made_pe({".text": b"kernel"}),
    ".initrd": b"initramfs",
}


def read(file):
    """What was recorded, and the digests of the image that it is of."""
    recorded = json.loads(file.read_text())
    parts = {name: base64.b64decode(part) for name, part in recorded["parts"].items()}
    views = {name: memoryview(part) for name, part in parts.items()}
    image = UnifiedImage(recorded["stub"], recorded["generation"], "x86-64", memoryview(b""), views)
    digests = {name: hashlib.sha256(part).digest() for name, part in parts.items()}
    return recorded, ImageDigests(
        generation=recorded["generation"],
        image=bytes.fromhex(recorded["image"]),
        kernel=bytes.fromhex(recorded["kernel"]),
        command_line=image.command_line,
        initramfs=initramfs_digest(recorded["generation"], parts),
        parts=digests | {".linux": bytes.fromhex(recorded["linux"])},
    )


def registers(image):
    digests = ImageDigests.of(UnifiedImage.parse(image))
    return replayed(tpm_extensions(digests), algorithm="sha256")


def test_there_is_a_recording_of_each_kind_of_stub():
    assert {read(file)[0]["generation"] for file in FILES} == set(GENERATIONS)
    assert len(FILES) == 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_registers_are_those_that_a_tpm_held(file):
    recorded, digests = read(file)
    found = replayed(tpm_extensions(digests), algorithm="sha256")
    assert {name: value.hex() for name, value in found.items()} == {
        name: recorded["registers"][name] for name in ("pcr4", "pcr9", "pcr11")
    }
    assert recorded["registers"]["pcr12"] == "00" * 32  # nothing was added to what was measured


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_events_are_those_that_firmware_logged(file):
    recorded, digests = read(file)
    log = parse_event_log(base64.b64decode(recorded["log"]))
    for number in (4, 9, 11):
        logged = [event.digests["sha256"] for event in log.of(number)]
        predicted = [
            each.digest for each in tpm_extensions(digests) if each.register == f"pcr{number}"
        ]
        assert logged == predicted


def test_what_a_host_adds_to_the_command_line_is_in_register_9_and_not_in_4_and_11():
    recorded, digests = read(ADDED_TO)
    found = replayed(tpm_extensions(digests), algorithm="sha256")
    held = {name: bytes.fromhex(value) for name, value in recorded["registers"].items()}
    assert held["pcr4"] == found["pcr4"]
    assert held["pcr11"] == found["pcr11"]
    assert held["pcr9"] != found["pcr9"]
    assert any(held["pcr12"])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_image_is_measured_by_its_file_alone(generation):
    image = write_uki(stub_of(generation), PARTS)
    found = ImageDigests.of(UnifiedImage.parse(image))
    assert found.image == authenticode_digest(image)
    assert found.kernel == authenticode_digest(PARTS[".linux"])
    assert found.command_line == "console=ttyS0"
    assert {*registers(image)} == {"pcr4", "pcr9", "pcr11"}


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("part", "content", "moved"),
    [
        (".linux", made_pe({".text": b"Kernel"}), {"pcr4", "pcr11"}),
        (".cmdline", b"console=ttyS1", {"pcr4", "pcr9", "pcr11"}),
        (".initrd", b"initramfs" + bytes(4), {"pcr4", "pcr9", "pcr11"}),
    ],
)
def test_another_part_is_another_register(generation, part, content, moved):
    before = registers(write_uki(stub_of(generation), PARTS))
    after = registers(write_uki(stub_of(generation), PARTS | {part: content}))
    assert {name for name in before if before[name] != after[name]} == moved


def test_the_newer_stub_measures_what_it_hands_over_beside_the_initramfs():
    other = PARTS | {".osrel": b"ID=other\n"}
    for generation, moved in ((252, {"pcr4", "pcr11"}), (257, {"pcr4", "pcr9", "pcr11"})):
        before = registers(write_uki(stub_of(generation), PARTS))
        after = registers(write_uki(stub_of(generation), other))
        assert {name for name in before if before[name] != after[name]} == moved


def test_a_stub_of_which_nobody_knows_how_it_measures_is_refused_by_name():
    image = write_uki(stub_of(258), PARTS)
    with pytest.raises(ImageFormatError, match=r"systemd-stub 258\.13.*those of systemd 252 and 2"):
        registers(image)


def test_a_kernel_that_is_no_program_is_refused():
    with pytest.raises(ImageFormatError, match="the kernel is no whole PE file"):
        registers(write_uki(stub_of(257), PARTS | {".linux": b"kernel"}))
