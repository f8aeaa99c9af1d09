"""`sonora machine measure` prints what platforms report, in the forms that others read."""

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from durango.policy.machines import read_machines, with_machines
from sonora.cli import main
from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.registers import replayed
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.uki import UnifiedImage, write_uki
from support.firmware_files import made_firmware
from support.pe_files import made_pe, stub_of
from support.policies import current_document, text
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.cli import main as tabasco_main
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.eventlog.replay import replay
from veracruz_utils.policy import AcceptedPlatform, Policy

VECTORS = Path(__file__).parents[2] / "vectors" / "machine"
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
    assert "not compared with hardware" in told
    for name, value in registers.items():
        assert f"{name:<12} {value}\n" in told


def test_programs_read_json(image, registers):
    told = json.loads(measure(image, "--json").stdout)
    assert told["file"] == str(image)
    assert told["platforms"]["tpm"]["measurements"] == {
        name: [value] for name, value in registers.items()
    }


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
    other = tmp_path / "other"
    done = measure(other, status=1)
    assert f"{other}: the image is no whole PE file: it does not start with MZ" in done.stderr
    assert "give the image that `sonora machine build` made" in done.stderr
    assert "cannot read image" in measure(tmp_path / "absent", status=1).stderr


@pytest.fixture
def firmware(tmp_path):
    """For TDX, and for SEV-SNP."""
    (tmp_path / "tdx.fd").write_bytes(made_firmware())
    return {
        "--tdx-firmware": tmp_path / "tdx.fd",
        "--snp-firmware": VECTORS / "ovmf_AmdSev_suffix.bin",
    }


def as_written(platforms):
    """As a policy has platforms."""
    return [
        {
            "name": each.name,
            "measurements": [value.hex() for value in each.measurements],
            "machine": {
                register.name: [value.hex() for value in register.values]
                for register in each.machine
            },
        }
        for each in platforms
    ]


def test_principals_pin_what_was_measured_on_every_platform(image, firmware, tmp_path):
    options = [word for pair in firmware.items() for word in pair]
    path = tmp_path / "machine.toml"
    path.write_text(measure(image, *options, "--vcpus", 2, "--cpu", "EPYC-v4", "--policy").stdout)
    accepted = [
        AcceptedPlatform(name, frozenset({bytes(32)})) for name in ("tpm", "sev-snp", "tdx")
    ]
    pinned = with_machines(accepted, read_machines(path), path=path)
    policy = Policy.parse(text(current_document() | {"platforms": as_written(pinned)}), at=None)
    assert {
        each.name: {register.name: len(register.values) for register in each.machine}
        for each in policy.platforms
    } == {
        "tpm": {"pcr4": 1, "pcr9": 1, "pcr11": 1},
        "sev-snp": {"measurement": 1},
        "tdx": {"mrtd": 1, "rtmr1": 1, "rtmr2": 2},
    }


def test_with_firmware_confidential_machines_are_measured_too(image, firmware):
    options = [word for pair in firmware.items() for word in pair]
    arguments = [image, *options, "--vcpus", 2, "--cpu", "EPYC-v4"]
    told = json.loads(measure(*arguments, "--json").stdout)["platforms"]
    assert [*told] == ["tpm", "sev-snp", "tdx"]
    assert len(told["tdx"]["measurements"]["rtmr2"]) == 2  # by the age of the firmware
    assert "2 virtual processors EPYC-v4" in told["sev-snp"]["conditions"]
    lines = measure(*arguments, "--appraisal").stdout
    policy = AppraisalPolicy.parse(f"version = 1\n{lines}".encode())
    assert not list(policy.warnings())
    machines = tomllib.loads(measure(*arguments, "--policy").stdout)["machine"]
    assert machines == {kind: each["measurements"] for kind, each in told.items()}
    assert machines["tdx"].keys() == {"mrtd", "rtmr1", "rtmr2"}
    assert machines["sev-snp"].keys() == {"measurement"}


def test_an_enclave_image_is_measured_by_itself():
    told = json.loads(measure(VECTORS / "one-ramdisk.eif", "--json").stdout)["platforms"]
    assert told["nitro"]["measurements"].keys() == {"pcr0", "pcr1", "pcr2"}


def test_what_does_not_go_together_is_refused(image, firmware):
    snp, tdx = firmware["--snp-firmware"], firmware["--tdx-firmware"]
    assert "needs --vcpus and --cpu" in measure(image, "--snp-firmware", snp, status=2).stderr
    done = measure(VECTORS / "one-ramdisk.eif", "--tdx-firmware", tdx, status=2)
    assert "is an enclave image" in done.stderr


def test_firmware_that_is_none_is_named(image, tmp_path):
    other = tmp_path / "other.fd"
    other.write_bytes(b"\x7fELF")
    for words in (["--tdx-firmware", other], ["--snp-firmware", other, "--vcpus", 1, "--cpu", "x"]):
        assert f"{other}: the firmware is none" in measure(image, *words, status=1).stderr


def test_no_processors_without_a_firmware_that_they_are_of(image):
    assert (
        "--vcpus and --cpu are for --snp-firmware" in measure(image, "--vcpus", 2, status=2).stderr
    )


@pytest.fixture
def key(tmp_path):
    private = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    path.chmod(0o600)
    (tmp_path / "public.pem").write_bytes(
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return path


@pytest.mark.usefixtures("unprotected")
def test_tabasco_imports_the_reference_values(image, registers, key, tmp_path):
    def tabasco(*arguments):
        state = ["--state", str(tmp_path / "state")]
        done = CliRunner().invoke(tabasco_main, [*map(str, arguments), *state])
        assert done.exit_code == 0, done.stderr
        return done.stdout

    corim = tmp_path / "machine.corim"
    named = ["--label", "machine 0.1.0", "--signer", "builder"]
    measure(image, "--corim", corim, "--key", key, *named)
    tabasco("reference-values", "provider", "add", "--name", "builder", tmp_path / "public.pem")
    tabasco("reference-values", "import", corim)
    listed = json.loads(tabasco("reference-values", "list", "--json"))["reference_values"]
    assert {each["measurement"]: each["value"] for each in listed} == registers
    assert {each["label"] for each in listed} == {"machine 0.1.0"}
    again = measure(image, "--corim", corim, "--key", key, *named, status=1)
    assert "exists already" in again.stderr
    measure(image, "--corim", corim, "--key", key, *named, "--force")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--corim", "x"], "--corim needs --key and --label and --signer"),
        (["--label", "x"], "--label is for --corim"),
        (["--corim", "x", "--key", "k", "--signer", "s", "--label", "x\n"], "not one line"),
    ],
)
def test_half_a_wish_for_reference_values_is_refused(image, words, said):
    assert said in measure(image, *words, status=2).stderr


def test_the_expected_event_log_is_written_once(image, registers, tmp_path):
    path = tmp_path / "expected.bin"
    measure(image, "--event-log", path)
    found = replay(parse_event_log(path.read_bytes()), "sha256")
    assert {f"pcr{number}": value.hex() for number, value in found.items()} == registers
    assert "exists already" in measure(image, "--event-log", path, status=1).stderr
    done = measure(VECTORS / "one-ramdisk.eif", "--event-log", tmp_path / "other", status=2)
    assert "has no TPM" in done.stderr
    assert not (tmp_path / "other").exists()
