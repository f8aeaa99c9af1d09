import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from execution_engine.limits import EngineLimits
from sdk.examples import programs
from support.guests import calling, module
from support.page_text import read_alone
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
    assert "compile with `--use abort=`" in done.stdout
    assert RULES["TLX040"].remedy in done.stdout
    assert done.stdout.splitlines()[1].startswith("  TLX")  # what the module is comes last


def test_what_to_do_about_several_findings_alike_is_said_once(files):
    wasi = "".join(f'(import "wasi_snapshot_preview1" "{name}" (func))' for name in ("a", "b"))
    (files / "wasi.wasm").write_bytes(module("", imports=wasi))
    lines = tlaxcala("check", "wasi.wasm").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["TLX010", "TLX010", "it"]
    assert "veracruz-sdk adapt" in lines[3]


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
    assert set(value) == {"certified", "tool", "engine", "abi_version", "limits", "files"}
    assert value["limits"]["locals"] == EngineLimits().locals
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


def policy(**changes):
    """A policy of today for `GOOD`, with these changes."""
    now = datetime.now(UTC)
    document = current_document() | {
        "expires_at": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "program_digest": str(Digest.of(GOOD)),
    }
    for identity in document["identities"]:
        times = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=9)}
        identity["certificate"] = pem(certificate(f"client {identity['id']}", **times))
    return text(document | changes)


def test_limits_are_those_of_the_policy_that_is_given(files):
    (files / "policy.json").write_bytes(policy(limits={"program_bytes": len(GOOD) - 1}))
    done = tlaxcala("check", "--policy", "policy.json", "good.wasm")
    assert done.exit_code == 1
    assert "TLX002" in done.stdout
    assert "TLX007" not in done.stdout


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("function_bytes", "TLX051"),
        ("locals", "TLX052"),
        ("nesting", "TLX053"),
        ("table_elements", "TLX032"),
        ("memory_bytes", "TLX031"),
    ],
)
def test_every_static_limit_of_a_policy_is_held(files, limit, code):
    body = '(func (export "main") (result i32) (local i32 i32) (block (block)) (i32.const 0))'
    (files / "module.wasm").write_bytes(module(body + "(table 2 funcref)"))
    (files / "policy.json").write_bytes(policy(limits={limit: 1}))
    done = tlaxcala("check", "--json", "--policy", "policy.json", "module.wasm")
    found = json.loads(done.stdout)["files"][0]["findings"]
    assert [one["code"] for one in found] == [code, "TLX007"]


def test_a_module_must_be_the_program_of_the_policy_that_is_given(files):
    (files / "policy.json").write_bytes(policy())
    assert tlaxcala("check", "--policy", "policy.json", "good.wasm").exit_code == 0
    (files / "other.wasm").write_bytes(programs.load(programs.NAMES[0]))
    done = tlaxcala("check", "--policy", "policy.json", "other.wasm")
    assert done.exit_code == 1
    assert "TLX007" in done.stdout


def test_a_sarif_log_is_printed(files):
    done = tlaxcala("check", "--sarif", "good.wasm", "bad.wasm")
    assert done.exit_code == 1
    [run] = json.loads(done.stdout)["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["TLX010", "TLX040"]
    assert tlaxcala("check", "--sarif", "good.wasm").exit_code == 0


def test_the_text_says_what_a_module_is(files):
    (files / "forest.wasm").write_bytes(programs.load("forest-inference"))
    lines = tlaxcala("check", "forest.wasm").stdout.splitlines()
    assert "  reached from main: input_count, input_size, read_input, write_output" in lines
    assert any(line.startswith("  memory: 131072 bytes at first, no maximum") for line in lines)
    assert any(line.startswith("  functions: 15 (15 reached)") for line in lines)


def test_indirect_calls_are_told_with_what_they_are_taken_to_reach(files):
    body = """(table 1 funcref) (elem (i32.const 0) $main) (func $main (export "main") (result i32)
              (call_indirect (result i32) (i32.const 0)))"""
    (files / "module.wasm").write_bytes(module(body))
    said = tlaxcala("check", "module.wasm").stdout
    assert "indirect calls: 1, taken to reach each of the 1 functions of their types" in said


def certified(files, *options):
    """Make cert.json of good.wasm; what was said."""
    return tlaxcala("certify", "good.wasm", "--output", "cert.json", *options)


def test_a_certificate_is_written_and_holds(files):
    assert certified(files).exit_code == 0
    done = tlaxcala("verify", "cert.json", "good.wasm")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "the certificate holds"


def test_a_certificate_has_the_same_bytes_from_anywhere(files):
    certified(files)
    (files / "elsewhere").mkdir()
    (files / "elsewhere/copy.wasm").write_bytes(GOOD)
    tlaxcala("certify", "elsewhere/copy.wasm", "--output", "elsewhere/cert.json")
    assert (files / "cert.json").read_bytes() == (files / "elsewhere/cert.json").read_bytes()


def test_a_refused_module_gets_no_certificate(files):
    done = tlaxcala("certify", "bad.wasm", "--output", "cert.json")
    assert done.exit_code == 1
    assert "TLX010" in done.stdout
    assert not (files / "cert.json").exists()


def test_a_certificate_replaces_no_file_unasked(files):
    (files / "cert.json").write_text("something")
    assert certified(files).exit_code == 1
    assert (files / "cert.json").read_text() == "something"
    assert certified(files, "--force").exit_code == 0
    assert tlaxcala("verify", "cert.json", "good.wasm").exit_code == 0


def test_a_certificate_does_not_hold_for_another_module(files):
    certified(files)
    (files / "other.wasm").write_bytes(programs.load(programs.NAMES[0]))
    done = tlaxcala("verify", "--json", "cert.json", "other.wasm")
    assert done.exit_code == 1
    value = json.loads(done.stdout)
    assert set(value) == {"verified", "certificate", "differences", "module"}
    assert value["verified"] is False
    assert value["module"]["certified"] is True
    assert "module.digest" in [one["path"] for one in value["differences"]]


def test_a_forged_certificate_does_not_make_a_bad_module_good(files):
    certified(files)
    forged = (files / "cert.json").read_text().replace(str(Digest.of(GOOD)), str(Digest.of(BAD)))
    (files / "cert.json").write_text(forged)
    done = tlaxcala("verify", "cert.json", "bad.wasm")
    assert done.exit_code == 1
    assert "the certificate does not hold" in done.stdout
    assert "verdict" in done.stdout


def test_a_certificate_made_under_a_policy_holds_under_that_policy(files):
    (files / "policy.json").write_bytes(policy(limits={"locals": 77}))
    assert certified(files, "--policy", "policy.json").exit_code == 0
    assert tlaxcala("verify", "cert.json", "good.wasm", "--policy", "policy.json").exit_code == 0
    done = tlaxcala("verify", "cert.json", "good.wasm")
    assert done.exit_code == 1
    assert "limits.locals: the certificate says 77, found 4000" in done.stdout


def test_who_made_a_certificate_is_told_and_does_not_matter(files):
    certified(files)
    value = json.loads((files / "cert.json").read_text())
    (files / "cert.json").write_text(json.dumps(value | {"engine": "wasmtime 99"}))
    done = tlaxcala("verify", "cert.json", "good.wasm")
    assert done.exit_code == 0
    assert '(not significant) engine: the certificate says "wasmtime 99"' in done.stdout


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"{" * 10_000, b" " * 300_000])
def test_what_is_no_certificate_is_an_error(files, content):
    (files / "cert.json").write_bytes(content)
    done = tlaxcala("verify", "cert.json", "good.wasm")
    assert done.exit_code == 1
    assert done.stderr.startswith("tlaxcala: ")


def test_a_certificate_of_an_absent_module_does_not_hold(files):
    certified(files)
    done = tlaxcala("verify", "cert.json", "absent.wasm")
    assert done.exit_code == 1
    assert "TLX001" in done.stdout


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


@pytest.mark.parametrize("before", [(), ("check",)])
@pytest.mark.parametrize(
    "arguments", [("--explain", "TLX008", "--json"), ("--json", "--explain", "tlx008")]
)
def test_a_code_is_explained_to_programs(before, arguments):
    done = tlaxcala(*before, *arguments)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == asdict(RULES["TLX008"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("--json", "check", "good.wasm"),
        ("--explain", "TLX999"),
        ("check", "--no-such-option"),
        ("inspect",),
        ("check", "--json", "--sarif", "good.wasm"),
        ("certify", "good.wasm"),
        ("verify", "cert.json"),
    ],
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


class TestPages:
    """What `check --html` writes."""

    def test_a_page_says_what_the_command_says(self, files):
        done = tlaxcala("check", "good.wasm", "bad.wasm", "missing.wasm", "--html", "page.html")
        assert done.exit_code == 1
        page = read_alone((files / "page.html").read_text())
        assert "1 of 3 files are certified" in page.text
        for line in map(str.strip, done.stdout.splitlines()):
            code, _, rest = line.partition(": ")
            if line.startswith("TLX"):  # the rule and what was found stand in two columns
                assert code in page.text
                assert rest in page.text
            else:
                assert line in page.text
        for name, value in asdict(EngineLimits()).items():
            assert name.replace("_", " ") in page.text
            assert str("none" if value is None else value) in page.text

    def test_a_page_that_is_there_is_written_over_by_force_alone(self, files):
        (files / "page.html").write_text("mine")
        done = tlaxcala("check", "good.wasm", "--html", "page.html")
        assert done.exit_code == 1
        assert "page.html" in done.stderr
        assert (files / "page.html").read_text() == "mine"
        assert tlaxcala("check", "good.wasm", "--html", "page.html", "--force").exit_code == 0
        assert "certified" in read_alone((files / "page.html").read_text()).text

    def test_what_a_module_says_is_no_markup_in_the_page(self, files):
        words = "<script>alert(1)"
        imports = f'(import "env" "{words}" (func))'
        (files / "<b>.wasm").write_bytes(module("", imports=imports))
        assert tlaxcala("check", "<b>.wasm", "--html", "page.html").exit_code == 1
        page = read_alone((files / "page.html").read_text())
        assert words in page.text
        assert "<b>.wasm: refused" in page.text
