"""A machine enrols by what its image measures, and another image does not.

Real firmware and a real stub measure an image with a kernel of a few instructions; what they said
to the TPM is said to one outside, where Sonora enrols with Tabasco.
"""

import hashlib

import pytest

from sonora.enrolment import enrol
from sonora.evidence.tpm.source import TpmSource
from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.run.tpm import STATE, tpm_in
from sonora_machine.uki import UnifiedImage, write_uki
from support import swtpm
from support.machines import needs_emulator
from support.measured_boots import KERNEL, STUB, boot, registers, replay
from support.tpm_enrolment import der, new_world, refused_for
from tabasco.registry.instances import Instances

pytestmark = [
    needs_emulator,
    pytest.mark.skipif(
        not STUB.exists(), reason="there is no stub: apt-get install systemd-boot-efi"
    ),
]
MEASURED = ("pcr4", "pcr11")
"""This kernel reads neither its command line nor its initramfs: it measures nothing into 9."""
PARTS = {
    ".osrel": b"ID=veracruz\n",
    ".cmdline": b"veracruz.evidence=tpm",
    ".linux": KERNEL,
    ".initrd": b"an initramfs" * 100,
}


def image(**changes):
    """An image of these parts; `cmdline=...` is another command line."""
    parts = PARTS | {f".{name}": content for name, content in changes.items()}
    return write_uki(STUB.read_bytes(), parts)


def told(image, *names):
    """What is said of an image to these registers, as `sonora machine measure` has it."""
    extended = tpm_extensions(ImageDigests.of(UnifiedImage.parse(image)))
    return [
        (int(each.register.removeprefix("pcr")), each.digest)
        for each in extended
        if each.register in names
    ]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return tpm_in(tmp_path_factory.mktemp("machine") / "tpm")


@pytest.fixture(scope="module")
def extensions(machine, tmp_path_factory):
    """What a machine of the image extended."""
    return boot(image(), machine.folder, tmp_path_factory.mktemp("boot") / "one")


@pytest.fixture
def world(tmp_path, machine):
    """A Tabasco that trusts the machine's TPM, and accepts the image."""
    with new_world(tmp_path) as world:
        world.trust(der(machine.authority))
        values = registers(told(image(), *MEASURED))
        lines = [f'pcr{index} = ["{value.hex()}"]' for index, value in values.items()]
        world.accept("[tpm.measurements]\n" + "\n".join(lines))
        yield world


@pytest.fixture
def outside(machine, tmp_path):
    """The machine's TPM, just powered on, without the machine."""
    state = swtpm.copied(machine.folder / STATE, tmp_path / "outside")
    with swtpm.running(state, unix=True) as tpm:
        yield tpm


def test_firmware_and_stub_extend_what_the_file_alone_says(extensions):
    held = registers(extensions)
    assert {index: held[index] for index in (4, 11)} == registers(told(image(), *MEASURED))


def test_a_machine_of_the_image_enrols(world, outside, extensions):
    replay(extensions, outside)
    enrol(world.call, TpmSource(outside.settings()))
    (instance,) = Instances(world.database).all()
    assert instance.platform == "tpm"


def test_one_more_extension_of_a_register_is_refused(world, outside, extensions):
    replay([*extensions, (11, hashlib.sha256(b"one more").digest())], outside)
    refused_for(world, TpmSource(outside.settings()), "evidence-unacceptable")


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("cmdline", b"veracruz.evidence=tpm init=/bin/sh"),
        ("initrd", PARTS[".initrd"] + bytes(4)),
        ("linux", KERNEL[:-1] + b"\1"),
    ],
)
def test_a_machine_of_another_image_is_refused(world, outside, part, content):
    replay(told(image(**{part: content}), *MEASURED), outside)
    refused_for(world, TpmSource(outside.settings()), "evidence-unacceptable")
