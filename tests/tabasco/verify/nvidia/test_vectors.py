"""Every entry of ../shared/vectors/nvidia through `tabasco verify`."""

import json

import pytest
from click.testing import CliRunner

from support.shared_vectors import SHARED, nvidia_options
from tabasco.cli import main

FOLDER = SHARED / "nvidia"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="../shared/vectors/nvidia is not there")

REASONS = {
    "NEG-hopper-560-invalid-signature": "signature",
    "NEG-switch-invalid-signature": "signature",
    "coco-hopper-580-trailing-byte": "trailing-bytes",
    "NEG-hopper-550-chain-case2": "chain",
    "NEG-hopper-550-chain-case3": "chain",
    "NEG-hopper-550-chain-case4": "chain",
    "NEG-hopper-550-measurement-flipped": "signature",
    "NEG-hopper-550-wrong-nonce": "nonce",
    "NEG-rim-driver-550-signature": "signature",
    "NEG-rim-driver-other-root": "unknown-root",
    "NEG-rim-driver-570-expired": "expired",
    "NEG-rim-driver-535-changed": "signature",
    "nras-gpu-v3-no-keys": "collateral-missing",
    "NEG-nras-device-claim-changed": "signature",
    "NEG-nras-extra-device": "key-binding",
    "nras-gpu-v2-expired": "expired",
}


def vectors():
    if not FOLDER.exists():
        return []
    return json.loads((FOLDER / "expected.json").read_text())["vectors"]


def verify(*arguments):
    done = CliRunner().invoke(main, ["verify", *map(str, arguments), "--json"])
    assert done.exit_code in {0, 3}, done.output + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_every_entry_has_its_verdict_and_reason(vector):
    found = verify(FOLDER / vector["files"][0], *nvidia_options(FOLDER, vector))
    reason = REASONS.get(vector["id"])
    assert found["accepted"] is (reason is None)
    assert (found["refusal"] or {}).get("reason") == reason
    devices = vector["parameters"].get("devices", 1)
    if reason is None and devices > 1:
        assert [each["accepted"] for each in found["parts"].values()] == [True] * devices
    if reason is None and "driver" in vector["parameters"] and vector["parameters"]["driver"]:
        assert found["proven"]["facts"]["driver-version"] == vector["parameters"]["driver"]


@pytest.mark.parametrize(
    ("device", "rim", "at"),
    [
        ("hopper-535", "rim-vbios-96005E0001.swidtag", "2024-01-01"),
        ("switch-ls10", "rim-switch-bios-9610550001.xml", "2026-07-01"),
    ],
)
def test_devices_agree_with_nvidias_reference_values(device, rim, at):
    found = verify(
        FOLDER / f"{device}-report.txt", "--authorities", FOLDER / f"{device}-chain.txt",
        "--rim", FOLDER / rim, "--at", at,
    )  # fmt: skip
    assert found["accepted"]
    assert found["proven"]["facts"]["reference-values"] == "vbios"


def test_reference_values_of_another_version_are_refused_with_both():
    found = verify(
        FOLDER / "hopper-550-report.txt", "--authorities", FOLDER / "hopper-550-chain-case1.txt",
        "--rim", FOLDER / "rim-driver-550.144.03.xml", "--at", "2025-06-01",
    )  # fmt: skip
    assert found["refusal"]["reason"] == "collateral-mismatch"
    assert "550.90.07" in found["refusal"]["detail"]
    assert "550.144.03" in found["refusal"]["detail"]
