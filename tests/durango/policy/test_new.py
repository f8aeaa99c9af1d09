"""`durango policy new`: what follows from the roles where no order is given."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from durango.cli import main
from durango.identity import Identity
from support.policies import key_of, pem, public_key_der
from veracruz_utils.policy import Policy

CASES = {
    "PiProvider|DataProvider|StreamProvider|ResultReader": ((1,), (2,), 100),
    "PiProvider|DataProvider,StreamProvider|StreamProvider,ResultReader": ((1,), (1, 2), 100),
    "PiProvider,StreamProvider|DataProvider|ResultReader": ((1,), (0,), 100),
    "PiProvider|DataProvider|DataProvider,ResultReader": ((1, 2), (), 1),
    "PiProvider,ResultReader": ((), (), 1),
}


def new(folder, roles, *more, sinaloa="bridge.example:3011"):
    """`durango policy new` for people with these roles, and what came of it."""
    now = datetime.now(UTC)
    (folder / "tabasco.pem").write_text(pem(public_key_der(key_of("tabasco")), "PUBLIC KEY"))
    (folder / "program.wasm").write_bytes(b"\0asm")
    words = ["--program", folder / "program.wasm", "--tabasco-key", folder / "tabasco.pem"]
    words += ["--sinaloa", sinaloa, "--tabasco", "tabasco.example:3010"]
    words += ["--platform", f"nitro={'5a' * 48}", "--output", folder / "policy.json"]
    for number, each in enumerate(roles.split("|")):
        person = Identity.create(f"p{number}", not_before=now, lifetime=timedelta(days=60))
        path = folder / f"p{number}.cert.pem"
        path.write_bytes(person.certificate_pem())
        words += ["--identity", path, each]
    words += ["--config", folder / "config", *more]
    return CliRunner().invoke(main, ["policy", "new", *map(str, words)])


@pytest.mark.parametrize("roles", CASES)
def test_everybody_has_a_place_once_in_each_order_that_their_roles_are_for(tmp_path, roles):
    done = new(tmp_path, roles)
    assert done.exit_code == 0, done.stderr
    made = Policy.parse((tmp_path / "policy.json").read_bytes(), at=datetime.now(UTC))
    said = (made.data_provision_order, made.streaming_order, made.conduct.rounds)
    assert said == CASES[roles]


@pytest.mark.parametrize("command", ["new", "build"])
def test_a_policy_that_cannot_be_used_is_written_to_be_looked_at_and_refused(tmp_path, command):
    refused = new(tmp_path, "PiProvider|DataProvider,ResultReader", sinaloa="tabasco.example:3010")
    policy = tmp_path / "policy.json"
    if command == "build":
        words = ["convert", str(policy), "--to", "toml", "--output", str(tmp_path / "policy.toml")]
        assert CliRunner().invoke(main, ["policy", *words]).exit_code == 0
        words = ["build", str(tmp_path / "policy.toml"), "--force"]
        refused = CliRunner().invoke(main, ["policy", *words, "--config", str(tmp_path / "config")])
    assert refused.exit_code == 3
    assert f"{policy} cannot be used: " in refused.stderr
    assert "ask each of their operators where it listens" in refused.stderr
    checked = CliRunner().invoke(main, ["policy", "check", str(policy)])
    assert checked.exit_code == 3


PEOPLE = "PiProvider|DataProvider,ResultReader"
MEASURED = f"""
# as `sonora machine measure IMAGE --policy` writes it
[machine.nitro]  # not compared with hardware
pcr0 = ["{"0a" * 48}"]
pcr2 = ["{"2b" * 48}", "{"2C" * 48}"]

[machine.tpm]
pcr4 = ["{"44" * 32}"]
"""


def with_machine(folder, text):
    path = folder / "machine.toml"
    path.write_text(text)
    return new(folder, PEOPLE, "--machine", path)


def test_a_file_of_measurements_pins_the_machine_of_each_platform_that_is_accepted(tmp_path):
    done = with_machine(tmp_path, MEASURED)
    assert done.exit_code == 0, done.stderr
    policy = Policy.parse((tmp_path / "policy.json").read_bytes(), at=datetime.now(UTC))
    (platform,) = policy.platforms
    assert platform.name == "nitro"
    assert {each.name: {value.hex() for value in each.values} for each in platform.machine} == {
        "pcr0": {"0a" * 48},
        "pcr2": {"2b" * 48, "2c" * 48},
    }
    assert f"machine pcr0 {'0a' * 48}" in done.stdout


def test_a_platform_that_the_file_does_not_measure_is_told(tmp_path):
    path = tmp_path / "machine.toml"
    path.write_text(MEASURED)
    done = new(tmp_path, PEOPLE, "--machine", path, "--platform", f"tdx={'5a' * 48}")
    assert done.exit_code == 0, done.stderr
    assert f"{path} measures no machine for tdx: any is accepted" in done.stderr
    assert "no machine for nitro" not in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[machine.tpm]\npcr4 = ["44"]\n',
            "it measures machines for tpm, the policy accepts nitro",
        ),
        ("[machine]\n", "it measures machines for no platform, the policy accepts nitro"),
        ("", "missing required field `machine`"),
        ("machine = 1\n", "Expected `object`, got `int`"),
        ("[machine.nitro]\npcr0 = 1\n", "Expected `array`, got `int`"),
        ('[machine.nitro]\npcr0 = ["no"]\n', "machine: pcr0: 'no' is not a value in hexadecimal"),
        ("[machine.nitro]\npcr0 = []\n", "pins nothing"),
        ("[machine.nitro]\n[other]\n", "unknown field `other`"),
        ('[machine.nitro]\nrtmr0 = ["00"]\n', "'rtmr0' is no register of nitro; they are pcr0, "),
        ("[machine", "is not TOML"),
        ("machine = " + "[" * 5000, "is not TOML"),
        ("x = " + "9" * 5000, "is not TOML"),
    ],
)
def test_a_file_that_is_none_of_measurements_is_refused_with_what_is_wrong(tmp_path, text, said):
    done = with_machine(tmp_path, text)
    assert done.exit_code != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "policy.json").exists()
