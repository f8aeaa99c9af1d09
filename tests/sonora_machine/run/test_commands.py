"""`sonora machine run` and `sonora machine tpm`, as far as nothing has to start."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from sonora.cli import main
from sonora_machine.run.tpm import tpm_in
from sonora_machine.uki import write_uki
from support import machines
from support.efi_programs import says_nothing
from support.pe_files import made_pe, stub_of
from support.swtpm import needs_swtpm

pytestmark = pytest.mark.usefixtures("unprotected")


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.efi"
    path.write_bytes(says_nothing())
    return path


def run(*words):
    return CliRunner().invoke(main, ["machine", *map(str, words)])


def trial(image, policy, *more):
    return run("run", image, policy, "--tabasco", "127.0.0.1:3010", *more)


def test_a_policy_that_the_machine_cannot_meet_is_refused_before_minutes_pass(image, tmp_path):
    policy = machines.policy_file(tmp_path, platforms=["nitro"])
    told = trial(image, policy)
    assert told.exit_code == 1
    assert f"{policy} accepts nitro, and this machine is of the platform tpm" in told.stderr
    gone = machines.policy_file(tmp_path, expires_at=datetime.now(UTC) - timedelta(days=1))
    told = trial(image, gone)
    assert told.exit_code == 3
    assert f"{gone}: $.expires_at: the policy's time ended" in told.stderr


def test_something_that_is_no_image_is_refused(image, tmp_path):
    image.write_bytes(b"\x7fELF")
    told = trial(image, machines.policy_file(tmp_path))
    assert told.exit_code == 1
    assert f"{image} is no EFI program" in told.stderr


def test_a_machine_that_the_principals_would_refuse_is_told_before_it_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    image = tmp_path / "veracruz.efi"
    kernel = {".linux": made_pe({".text": b"kernel"}), ".osrel": b"ID=veracruz\n"}
    image.write_bytes(
        write_uki(stub_of(257), kernel | {".cmdline": b"quiet", ".initrd": b"initramfs"})
    )
    given = ("--firmware", image, "--firmware-vars", image)
    told = json.loads(run("measure", image, "--json").stdout)["platforms"]["tpm"]["measurements"]
    pinned = told | {"pcr9": ["11" * 32]}
    said = trial(image, machines.policy_file(tmp_path, machine=pinned), *given).stderr
    assert (
        f"warning: {image} will measure pcr9 as {told['pcr9'][0]}, and the policy pins {'11' * 32}:"
        " the principals will refuse this machine" in " ".join(said.split())
    )
    assert said.count("will measure") == 1
    for harmless in (None, told, told | {"pcr0": ["11" * 32]}):
        said = trial(image, machines.policy_file(tmp_path, machine=harmless), *given).stderr
        assert "will measure" not in said


def test_an_attestation_service_that_does_not_answer_is_told(image, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    given = (image, machines.policy_file(tmp_path), "--firmware", image, "--firmware-vars", image)
    silent = machines.free_address()
    said = run("run", *given, "--tabasco", silent).stderr
    assert f"warning: nothing answers at {silent} from this host (Connection refused)" in said
    with socket.create_server(("127.0.0.1", 0)) as tabasco:
        address = f"127.0.0.1:{tabasco.getsockname()[1]}"
        assert "nothing answers" not in run("run", *given, "--tabasco", address).stderr


def test_half_a_firmware_is_wrong_usage(image, tmp_path):
    told = trial(image, machines.policy_file(tmp_path), "--firmware", image)
    assert told.exit_code == 2
    assert "--firmware and --firmware-vars go together" in told.stderr


def test_programs_that_are_missing_are_named_with_their_packages(image, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    given = ("--firmware", image, "--firmware-vars", image)
    told = trial(image, machines.policy_file(tmp_path), *given, "--json")
    error = json.loads(told.stderr.splitlines()[-1])["error"]
    assert error["status"] == 1
    assert "qemu-system-x86_64, swtpm not found" in error["message"]
    assert "--no-install-recommends qemu-system-x86 swtpm" in error["message"]


@needs_swtpm
def test_a_tpm_is_told_to_people_and_to_programs(tmp_path):
    folder = tmp_path / "tpm"
    told = run("tpm", folder)
    assert told.exit_code == 0
    assert told.stdout == f"{folder}/ca.pem\n"
    assert "it protects nothing" in told.stderr
    made = tpm_in(folder)
    assert str(made.endorsement_key) in told.stderr
    assert json.loads(run("tpm", folder, "--json").stdout) == {
        "folder": str(folder),
        "authority": str(made.authority),
        "authority_digest": str(made.authority_digest),
        "endorsement_key": str(made.endorsement_key),
    }
