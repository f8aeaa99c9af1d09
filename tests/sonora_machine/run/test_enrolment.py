"""A machine enrols by what its image measures, and another image does not.

Real firmware and a real stub measure an image with a kernel of a few instructions; what they said
to the TPM is said to one outside, where Sonora enrols with Tabasco.
"""

import hashlib

import pytest

from sonora.enrolment import enrol
from sonora.evidence.tpm.source import TpmSource
from sonora_machine.run.tpm import STATE, tpm_in
from sonora_machine.uki import PeFile, authenticode_digest, write_uki
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


def told(image):
    """What firmware and stub should say of an image to registers 4 and 11, of the file alone."""
    pe = PeFile.parse(image)
    parts = {name: bytes(pe.content(image, name)) for name in PARTS}
    boot_option = hashlib.sha256(b"Calling EFI Application from Boot Option").digest()
    separator = hashlib.sha256(bytes(4)).digest()
    programs = [authenticode_digest(image), authenticode_digest(parts[".linux"])]
    measured = [
        each
        for name in (".linux", ".osrel", ".cmdline", ".initrd")
        for each in (f"{name}\0".encode(), parts[name])
    ]
    return [
        *[(4, each) for each in [boot_option, separator, *programs]],
        *[(11, hashlib.sha256(each).digest()) for each in measured],
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
        lines = [
            f'pcr{index} = ["{value.hex()}"]' for index, value in registers(told(image())).items()
        ]
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
    assert {index: held[index] for index in (4, 11)} == registers(told(image()))


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
    replay(told(image(**{part: content})), outside)
    refused_for(world, TpmSource(outside.settings()), "evidence-unacceptable")
