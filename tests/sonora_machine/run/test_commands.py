"""`sonora machine run` and `sonora machine tpm`, as far as nothing has to start."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from sonora.cli import main
from sonora_machine.run.tpm import tpm_in
from support import machines
from support.efi_programs import says_nothing
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
