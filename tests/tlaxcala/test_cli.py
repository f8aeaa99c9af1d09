import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from support.guests import calling, module
from support.policies import certificate, current_document, pem, text
from tlaxcala import RULES
from tlaxcala.cli import main
from veracruz_utils.digest import Digest

GOOD = calling(("write_output", 0, 0))
BAD = module("", imports='(import "env" "abort" (func))')


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a module of each kind, as the working directory."""
    (tmp_path / "good.wasm").write_bytes(GOOD)
    (tmp_path / "bad.wasm").write_bytes(BAD)
    (tmp_path / "text.wat").write_text("(module)")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tlaxcala(*arguments, **keywords):
    return CliRunner().invoke(main, arguments, **keywords)


def test_a_good_module_is_certified_with_exit_status_0(files):
    done = tlaxcala("check", "good.wasm")
    assert done.exit_code == 0
    assert done.stdout.startswith("good.wasm: certified\n")
    assert str(Digest.of(GOOD)) in done.stdout
    assert done.stderr == ""


def test_a_bad_module_is_refused_with_exit_status_1_and_what_to_do(files):
    done = tlaxcala("check", "bad.wasm")
    assert done.exit_code == 1
    assert done.stdout.startswith("bad.wasm: refused\n")
    for code in ("TLX010", "TLX040"):
        assert f"{code} {RULES[code].title}" in done.stdout
        assert RULES[code].remedy in done.stdout


def test_one_bad_module_among_many_is_enough_and_all_are_looked_at(files):
    done = tlaxcala("check", "good.wasm", "bad.wasm", "text.wat", "good.wasm")
    assert done.exit_code == 1
    verdicts = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert verdicts == [
        "good.wasm: certified",
        "bad.wasm: refused",
        "text.wat: refused",
        "good.wasm: certified",
    ]


def test_json_is_one_object_with_an_entry_to_each_file(files):
    done = tlaxcala("check", "--json", "good.wasm", "bad.wasm", "absent.wasm")
    assert done.exit_code == 1
    value = json.loads(done.stdout)
    assert set(value) == {"certified", "files"}
    assert value["certified"] is False
    good, bad, absent = value["files"]
    assert (good["file"], good["certified"], good["findings"]) == ("good.wasm", True, [])
    assert good["host_calls"][0] == "input_count"
    assert [one["code"] for one in bad["findings"]] == ["TLX010", "TLX040"]
    assert (absent["certified"], absent["digest"]) == (False, None)
    assert [one["code"] for one in absent["findings"]] == ["TLX001"]


@pytest.mark.parametrize("path", ["absent.wasm", ".", "good.wasm/x"])
def test_what_cannot_be_read_is_refused_and_not_wrong_usage(files, path):
    done = tlaxcala("check", path)
    assert done.exit_code == 1
    assert "TLX001" in done.stdout


def test_a_module_comes_from_standard_input_too(files):
    assert tlaxcala("check", "-", input=GOOD).exit_code == 0
    assert tlaxcala("check", "-", input=BAD).exit_code == 1


def test_a_file_name_does_not_reach_the_terminal_as_it_is(files):
    (files / "\x1b[31m.wasm").write_bytes(GOOD)
    done = tlaxcala("check", "\x1b[31m.wasm")
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout


def test_limits_are_those_of_the_policy_that_is_given(files):
    now = datetime.now(UTC)
    document = current_document() | {
        "expires_at": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "limits": {"program_bytes": len(GOOD) - 1},
    }
    for identity in document["identities"]:
        times = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=9)}
        identity["certificate"] = pem(certificate(f"client {identity['id']}", **times))
    (files / "policy.json").write_bytes(text(document))
    done = tlaxcala("check", "--policy", "policy.json", "good.wasm")
    assert done.exit_code == 1
    assert "TLX002" in done.stdout


def test_a_bad_policy_is_an_error_and_no_verdict(files):
    (files / "policy.json").write_text("{}")
    done = tlaxcala("check", "--policy", "policy.json", "good.wasm")
    assert done.exit_code != 0
    assert done.stdout == ""
    assert done.stderr.startswith("tlaxcala: ")


@pytest.mark.parametrize("before", [(), ("check",)])
@pytest.mark.parametrize("code", RULES)
def test_each_code_is_explained(before, code):
    done = tlaxcala(*before, "--explain", code.lower())
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{code} {RULES[code].title}\n")
    assert RULES[code].remedy in done.stdout


@pytest.mark.parametrize(
    "arguments", [("check",), ("--explain", "TLX999"), ("check", "--no-such-option"), ("inspect",)]
)
def test_wrong_usage_has_exit_status_2(arguments):
    done = tlaxcala(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("--version",)])
def test_help_and_version_are_printed(arguments):
    done = tlaxcala(*arguments)
    assert done.exit_code == 0
    assert "tlaxcala" in done.stdout
