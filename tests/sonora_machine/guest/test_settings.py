"""What a machine is told: by its measured command line first, and never two things for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.guest.settings import MachineSettings, MachineSettingsError

LINE = "console=ttyS0 veracruz.evidence=tpm veracruz.address=dhcp"


@pytest.fixture
def handed(tmp_path):
    """What an emulator hands in: a folder for each value."""

    def hand(**values: bytes):
        for name, value in values.items():
            folder = tmp_path / "given" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "raw").write_bytes(value)
        return tmp_path / "given"

    return hand


def read(line, given, built_in=None):
    return MachineSettings.read(line, given, built_in or given / "nothing")


def test_the_emulator_hands_in_what_the_image_leaves_open(handed):
    found = read(LINE, handed(tabasco=b"10.0.2.2:3010\n", policy=b"{}"))
    assert found == MachineSettings("tpm", "dhcp", "10.0.2.2:3010", b"{}")


def test_what_is_built_in_goes_before_what_is_handed_in(handed, tmp_path):
    built_in = tmp_path / "policy.json"
    built_in.write_bytes(b'{"built": "in"}')
    line = f"{LINE} veracruz.tabasco=192.0.2.1:3010"
    found = read(line, handed(tabasco=b"203.0.113.1:1", policy=b"{}"), built_in)
    assert (found.tabasco, found.policy) == ("192.0.2.1:3010", b'{"built": "in"}')


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("console=ttyS0", "veracruz.evidence="),
        ("veracruz.evidence=software", "one of tpm, tsm, nsm"),
        (f"{LINE} veracruz.evidence=nsm", "veracruz.evidence is said twice"),
        (f"{LINE} veracruz.shell=1", "known are address, evidence, tabasco"),
    ],
)
def test_what_the_command_line_may_not_say_is_refused(handed, line, words):
    with pytest.raises(MachineSettingsError, match=words):
        read(line, handed(tabasco=b"a:1", policy=b"{}"))


def test_what_nobody_says_is_named(handed):
    with pytest.raises(MachineSettingsError, match="the attestation service '' is no HOST:PORT"):
        read(LINE, handed(policy=b"{}"))


def test_a_policy_that_nobody_hands_in_is_missed(handed):
    with pytest.raises(MachineSettingsError, match="no policy"):
        read(LINE, handed(tabasco=b"a:1"))


@pytest.mark.parametrize(
    "tabasco",
    [b"--evidence=software", b"a:1 --state x", b"", b"\xff\xfe:1", b"a", b"x" * 500 + b":1"],
)
def test_an_address_that_is_handed_in_is_no_option_of_a_command(handed, tabasco):
    with pytest.raises(MachineSettingsError, match="attestation service"):
        read(LINE, handed(tabasco=tabasco, policy=b"{}"))


def test_a_policy_that_is_too_large_is_not_read(handed):
    with pytest.raises(MachineSettingsError, match="more than 1048576 bytes"):
        read(LINE, handed(tabasco=b"a:1", policy=b"x" * (1024 * 1024 + 1)))


@given(st.text())
def test_whatever_the_line_is_there_are_settings_or_a_refusal(tmp_path_factory, line):
    try:
        found = read(line, tmp_path_factory.getbasetemp() / "nothing")
    except MachineSettingsError:
        return
    raise AssertionError(found)
