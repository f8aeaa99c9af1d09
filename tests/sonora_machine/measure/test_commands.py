"""`sonora machine measure` prints what platforms report, in the forms that others read."""

import json
import tomllib

import pytest
from click.testing import CliRunner

from sonora.cli import main
from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.registers import replayed
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.uki import UnifiedImage, write_uki
from support.pe_files import made_pe, stub_of
from tabasco.appraisal.policy import AppraisalPolicy

PARTS = {
    ".osrel": b"ID=veracruz\n",
    ".cmdline": b"console=ttyS0",
    ".linux": made_pe({".text": b"kernel"}),
    ".initrd": b"initramfs",
}


def measure(*arguments, status=0):
    done = CliRunner().invoke(main, ["machine", "measure", *map(str, arguments)])
    assert done.exit_code == status, done.stderr
    return done


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "veracruz.efi"
    path.write_bytes(write_uki(stub_of(257), PARTS))
    return path


@pytest.fixture
def registers(image):
    digests = ImageDigests.of(UnifiedImage.parse(image.read_bytes()))
    return {
        name: value.hex()
        for name, value in replayed(tpm_extensions(digests), algorithm="sha256").items()
    }


def test_people_read_a_table_that_says_what_it_was_compared_with(image, registers):
    told = measure(image).stdout
    assert "systemd-stub 257.13-1~deb13u1, started by firmware from a disk" in told
    assert "not with hardware" in told
    for name, value in registers.items():
        assert f"{name:<12} {value}\n" in told


def test_programs_read_json(image, registers):
    told = json.loads(measure(image, "--json").stdout)
    assert told["file"] == str(image)
    assert told["platforms"]["tpm"]["measurements"] == registers


def test_a_policy_of_principals_takes_its_lines(image, registers):
    told = tomllib.loads(measure(image, "--policy").stdout)
    assert told == {"machine": {"tpm": {name: [value] for name, value in registers.items()}}}


def test_tabascos_policy_takes_its_lines(image, registers):
    lines = measure(image, "--appraisal").stdout
    policy = AppraisalPolicy.parse(f"version = 1\n{lines}".encode())
    assert not list(policy.warnings())
    assert tomllib.loads(lines)["tpm"]["measurements"] == {
        name: [value] for name, value in registers.items()
    }


def test_two_forms_at_once_are_refused(image):
    assert (
        "one of --policy, --appraisal and --json"
        in measure(image, "--policy", "--json", status=2).stderr
    )


def test_what_is_no_image_is_refused_by_name(tmp_path):
    (tmp_path / "other").write_bytes(b"\x7fELF")
    done = measure(tmp_path / "other", status=1)
    assert "the image is no PE file: it does not start with MZ" in done.stderr
    assert "cannot read image" in measure(tmp_path / "absent", status=1).stderr
