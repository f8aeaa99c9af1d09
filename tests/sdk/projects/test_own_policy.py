"""A policy for a program of one's own is made of a case, and `durango policy build` takes it."""

import subprocess
import sysconfig
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from durango.identity import Identity
from sdk.cli import main
from sdk.examples import programs
from support.policies import key_of, pem, public_key_der
from veracruz_utils.policy import Policy

CASE = """
inputs = [
  { type = "points", value = [[0, 1]], from = "north", name = "measured points" },
  { file = "more.dat", from = "Süd" },
]
[[rounds]]
streams = [{ type = "u8", value = 1 }, { text = "a" }]
code = 1
[[rounds]]
streams = [{ type = "u8", value = 1 }, { text = "a" }]
result = { type = "line", value = { gradient = 0.5, intercept = 1.0 } }
"""


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tests = tmp_path / "mine/tests"
    tests.mkdir(parents=True)
    tests.joinpath("more.dat").write_bytes(b"")
    tests.joinpath("good.toml").write_text(CASE)
    tests.joinpath("bad.toml").write_text("code = -2\n")
    tests.with_name("veracruz.toml").write_text('name = "mine"\nlanguage = "c"\n')
    tests.with_name("mine.wasm").write_bytes(programs.load("linear-regression"))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_it_has_the_types_the_givers_and_the_names_of_the_case(sdk):
    done = sdk("policy-template", "mine")
    assert (done.exit_code, done.stderr) == (0, "")
    said = tomllib.loads(done.stdout)
    assert said["program"] == {"from": "program provider", "file": "mine/mine.wasm"}
    assert list(said["principals"]) == [
        "program provider", "north", "Süd", "stream provider 1", "stream provider 2",
        "result reader",
    ]  # fmt: skip
    assert said["inputs"] == [
        {"from": "north", "name": "measured points", "type": "Vec<(f64, f64)>"},
        {"from": "Süd", "name": "input 2"},
    ]
    assert said["streams"][0] == {"from": "stream provider 1", "name": "stream 1", "type": "u8"}
    assert said["result"]["type"] == "{gradient: f64, intercept: f64}"


def test_durango_builds_it_as_it_is_once_the_certificates_are_there(sdk, tmp_path):
    source = sdk("policy-template", "mine").stdout
    now = datetime.now(UTC)
    for name, each in tomllib.loads(source)["principals"].items():
        identity = Identity.create(name, not_before=now, lifetime=timedelta(days=60))
        tmp_path.joinpath(each["certificate"]).write_bytes(identity.certificate_pem())
    key = pem(public_key_der(key_of("tabasco")), "PUBLIC KEY")
    tmp_path.joinpath("tabasco.pem").write_text(key)
    source = source.replace('images = ["image"]', f'measurements = ["{"5a" * 32}"]')
    tmp_path.joinpath("policy.toml").write_text(source)
    durango = Path(sysconfig.get_path("scripts"), "durango")
    done = subprocess.run(
        [durango, "policy", "build", "policy.toml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    policy = Policy.parse(tmp_path.joinpath("policy.json").read_bytes(), at=now)
    assert [each.name for each in policy.inputs] == ["measured points", "input 2"]
    assert policy.data_provision_order == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["absent"], 2, "absent is neither a folder nor an example"),
        (["nop", "--case", "good"], 2, "--case is for a program of your own"),
        (["mine", "--case", "better"], 1, "the cases are bad, good"),
        (["."], 1, "has no veracruz.toml"),
    ],
)
def test_what_is_none_is_told(sdk, arguments, status, said):
    done = sdk("policy-template", *arguments)
    assert (done.exit_code, done.stdout) == (status, "")
    assert said in done.stderr


def test_a_case_that_has_no_result_is_taken_by_name(sdk):
    said = tomllib.loads(sdk("policy-template", "mine", "--case", "bad").stdout)
    assert "inputs" not in said
    assert "type" not in said["result"]


def test_two_places_of_one_name_are_refused(sdk, tmp_path):
    text = CASE.replace('from = "Süd"', 'name = "measured points"')
    tmp_path.joinpath("mine/tests/good.toml").write_text(text)
    done = sdk("policy-template", "mine")
    assert "2 inputs have the name 'measured points'" in done.stderr


def test_a_program_that_is_not_built_is_told(sdk, tmp_path):
    tmp_path.joinpath("mine/mine.wasm").unlink()
    said = sdk("policy-template", "mine").stderr
    assert "is not built yet: run `veracruz-sdk build mine`" in said


def test_names_that_would_turn_a_line_around_are_escaped(sdk, tmp_path):
    case = CASE.replace("measured points", "\\u202ex\\u001b").replace("Süd", "\\u00adz")
    tmp_path.joinpath("mine/tests/good.toml").write_text(case)
    done = sdk("policy-template", "mine")
    assert done.stdout.replace("\n", "").isprintable()
    assert tomllib.loads(done.stdout)["inputs"][0]["name"] == "\u202ex\x1b"
