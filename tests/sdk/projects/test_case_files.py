"""Cases, wrong results and what is recorded are what the reference page says."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdk.cli import main
from sdk.examples import programs
from sdk.projects import cases
from support.guests import module

PAGE = Path(__file__).parents[3] / "docs/reference/case-files.md"
TEXT = PAGE.read_text()
LINEAR = programs.load("linear-regression")
POINTS = '{ type = "points", value = [[0, 1], [2, 2]] }'
ECHO = module(
    """
    (func (export "main") (result i32)
      (drop (call $input_size (i32.const 0) (i32.const 0)))
      (drop (call $read_input (i32.const 0) (i32.const 16) (i32.load (i32.const 0))))
      (call $write_output (i32.const 16) (i32.load (i32.const 0))))
    """,
    imports="""
    (import "env" "__veracruz_hcall_input_size" (func $input_size (param i32 i32) (result i32)))
    (import "env" "__veracruz_hcall_read_input" (func $read_input (param i32 i32 i32) (result i32)))
    (import "env" "__veracruz_hcall_write_output" (func $write_output (param i32 i32) (result i32)))
    """,
)
"""Its result is its input, of 64 KiB at most."""


def rows(heading):
    """The rows of every table under a heading of the page."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)[1]
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return [[cell.strip().strip("`") for cell in line] for line in lines]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/veracruz/tests"


@pytest.fixture
def tested(tmp_path, monkeypatch):
    """What `test` says of a module and the texts of its cases; the cases are left in `tests`."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("tests").mkdir()
    tmp_path.joinpath("veracruz.toml").write_text('name = "mine"\nlanguage = "c"\n')

    def run(code, *arguments, **texts):
        tmp_path.joinpath("mine.wasm").write_bytes(code)
        for name, text in texts.items():
            tmp_path.joinpath("tests", f"{name}.toml").write_text(text)
        return CliRunner().invoke(main, ["test", ".", *arguments])

    return run


def lines_of(done):
    return [line[10:] for line in done.stdout.splitlines()]


def test_the_page_has_every_key():
    assert {row[0] for row in rows("Keys of a case")[1:]} == cases.CASE_KEYS
    data = rows("Data")
    assert {row[0] for row in data if len(row) == 4} == cases.PLACE_KEYS | {"Key"}


@pytest.mark.parametrize("keys", [row[0] for row in rows("Data")[1:] if len(row) == 2])
def test_every_form_of_data_on_the_page_is_one(tmp_path, keys):
    tmp_path.joinpath("u8.dat").write_bytes(b"\7")
    values = {"type": '"u8"', "value": "7", "hex": '"07"', "text": '"\\u0007"', "file": '"u8.dat"'}
    names = [key.strip(" `") for key in keys.split(",")]
    datum = ", ".join(f"{name} = {values[name]}" for name in names)
    path = tmp_path / "case.toml"
    path.write_text(f'inputs = [{{ {datum}, from = "north", name = "ages" }}]')
    (given,) = cases.read_case(path).inputs
    assert (given.data, given.party, given.label) == (b"\7", "north", "ages")


@pytest.mark.parametrize(("text", "error"), rows("What is refused")[1:])
def test_every_error_on_the_page_is_what_the_command_says(tested, text, error):
    done = tested(LINEAR, wrong=text)
    assert done.exit_code == 1
    assert done.stderr.endswith(f"veracruz-sdk: tests/wrong.toml: {error}\n")


def test_the_case_on_the_page_is_one(tmp_path):
    text = re.search(r"<!-- case -->\n```toml\n(.*?)```", TEXT, re.DOTALL)[1]
    tmp_path.joinpath("case.toml").write_text(text)
    tmp_path.joinpath("other.dat").write_bytes(b"")
    assert cases.read_case(tmp_path / "case.toml").inputs[0].data[0] == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code = true", "code is True"),
        ("code = 2147483648", "code is 2147483648"),
        ("tolerance = nan", "tolerance is nan"),
        ('[[rounds]]\n[result]\ntext = "a"', "'result' stands beside rounds"),
        ('inputs = [{ type = "u8", value = 1979-05-27 }]', "a value is 1979-05-27, a date"),
        ("inputs = [" * 5000, "case.toml"),
    ],
)
def test_what_else_makes_no_sense_is_refused(tested, text, said):
    done = tested(LINEAR, case=text)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_text_is_shown_as_a_diff(tested):
    came = "".join(f"line {number}\n" for number in range(1, 300))
    expected = came.replace("line 150\n", "").replace("line 7\n", "line seven\n")
    done = tested(
        ECHO, text=f"inputs = [{{ text = {came!r} }}]\nresult = {{ text = {expected!r} }}"
        .replace("'", '"'),
    )  # fmt: skip
    marked = [line for line in lines_of(done) if re.search(r"JIT: round 1: [-+@]", line)]
    assert [line.partition("round 1: ")[2] for line in marked] == [
        "--- expected", "+++ result",
        "@@ -4,7 +4,7 @@", "-line seven", "+line 7",
        "@@ -147,6 +147,7 @@", "+line 150",
    ]  # fmt: skip


def test_a_diff_has_an_end_and_its_lines_too(tested):
    came = "x" * 1000 + "\n" + "a\n" * 3000
    done = tested(
        ECHO, text=f'inputs = [{{ text = {json.dumps(came)} }}]\nresult = {{ text = "b" }}'
    )
    jit = [line for line in lines_of(done) if line.startswith("JIT")]
    assert len(jit) == 43
    assert jit[-1].endswith("there is more: 2 lines were expected, 3001 came")
    assert max(map(len, jit)) < 200


def test_text_that_would_move_a_cursor_is_shown_in_hex(tested):
    done = tested(ECHO, text='inputs = [{ text = "\\u001b[2J" }]\nresult = { text = "a" }')
    assert "\x1b" not in done.stdout
    assert "result   1b5b324a (4 bytes)" in done.stdout


def test_a_file_of_bytes_is_shown_around_what_differs(tested, tmp_path):
    content = bytes(range(256)) * 4
    expected = content[:700] + b"\xff" + content[701:]
    tmp_path.joinpath("tests/in.dat").write_bytes(content)
    tmp_path.joinpath("tests/out.dat").write_bytes(expected)
    done = tested(ECHO, c='inputs = [{ file = "in.dat" }]\nresult = { file = "out.dat" }')
    assert lines_of(done)[2:5] == [
        "JIT: round 1: the first byte that differs is 700 (0x2bc)",
        f"JIT: round 1: result   000002a0: {content[0x2A0:0x2C0].hex()}... (1024 bytes)",
        f"JIT: round 1: expected 000002a0: {expected[0x2A0:0x2C0].hex()}... (1024 bytes)",
    ]


def test_a_long_value_is_shown_by_what_differs(tested):
    values = list(range(500))
    kind = 'type = "Vec<u64>", value = '
    done = tested(ECHO, c=f"inputs = [{{ {kind}{values} }}]\nresult = {{ {kind}{values[:-1]} }}")
    assert "JIT: round 1: + 499" in done.stdout
    assert "3," not in done.stdout


def test_what_a_program_did_is_recorded_and_then_holds(tested, tmp_path):
    before = f"# two points\ninputs = [{POINTS}]\ntolerance = 1e-9 # small\n"
    done = tested(LINEAR, "--record", "--type", "line", line=before)
    line = 'result = { type = "line", value = { gradient = 0.5, intercept = 1.0 } }'
    assert (done.exit_code, lines_of(done)[1:]) == (0, ["line", f"round 1: {line}"])
    assert done.stdout.splitlines()[1].startswith("recorded")
    assert tmp_path.joinpath("tests/line.toml").read_text() == f"{before}{line}\n"
    again = tested(LINEAR, "--record", "--json")
    assert json.loads(again.stdout)["recorded"] == {"line": []}


def test_what_a_case_says_is_not_overwritten_without_force(tested, tmp_path):
    text = f"inputs = [{POINTS}]\ncode = -4 # they are too few\n"
    done = tested(LINEAR, "--record", line=text)
    assert done.exit_code == 1
    assert "code 0, expected -4 (BadInput)" in done.stdout
    assert "--force records that in its place" in done.stdout
    assert tmp_path.joinpath("tests/line.toml").read_text() == text
    assert tested(LINEAR, "--record", "--force").exit_code == 0
    assert "code" not in tmp_path.joinpath("tests/line.toml").read_text()
    assert tested(LINEAR).exit_code == 0


def test_rounds_are_recorded_each_in_its_place(tested, tmp_path):
    sums = programs.load("number-stream-accumulation")
    stream = 'streams = [{ type = "f64", value = %s }, { type = "f64", value = 1.0 }]\n'
    text = (
        'inputs = [{ type = "f64", value = 1.0 }]\n\n[[rounds]]\n' + stream % 1.5
        + "\n# the second\n[[rounds]]\n" + stream % 2.5
    )  # fmt: skip
    done = tested(sums, "--record", "--type", "f64", sums=text)
    assert done.exit_code == 0, done.output
    written = tmp_path.joinpath("tests/sums.toml").read_text()
    assert [one["result"]["value"] for one in tomllib.loads(written)["rounds"]] == [3.5, 7.0]
    assert "\n# the second\n[[rounds]]" in written
    assert tested(sums).exit_code == 0


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ('{ text = "tab\\t \\"quoted\\"\\n" }', {"text": 'tab\t "quoted"\n'}),
        ('{ hex = "00ff" }', {"hex": "00ff"}),
        ('{ text = "\\u007f" }', {"hex": "7f"}),
    ],
)
def test_a_result_without_a_type_is_recorded_as_text_or_hex(tested, tmp_path, given, recorded):
    assert tested(ECHO, "--record", c=f"inputs = [{given}]").exit_code == 0
    written = tomllib.loads(tmp_path.joinpath("tests/c.toml").read_text())
    assert written["result"] == recorded
    assert tested(ECHO).exit_code == 0


@pytest.mark.parametrize(("kind", "digits"), [("Option<u8>", "00"), ("f64", "010000000000f87f")])
def test_a_value_that_toml_cannot_say_is_recorded_by_its_bytes(tested, tmp_path, kind, digits):
    text = f'inputs = [{{ hex = "{digits}" }}]'
    assert tested(ECHO, "--record", "--type", kind, c=text).exit_code == 0
    written = tomllib.loads(tmp_path.joinpath("tests/c.toml").read_text())
    assert written["result"] == {"type": kind, "hex": digits}


def test_a_long_result_is_recorded_in_a_file_that_is_not_overwritten(tested, tmp_path):
    text = f'inputs = [{{ text = "{"x" * 5000}" }}]\n'
    done = tested(ECHO, "--record", big=text)
    assert 'round 1: result = { file = "big.result" }' in done.stdout
    assert tmp_path.joinpath("tests/big.result").read_bytes() == b"x" * 5000
    other = text.replace("xx", "yy")
    refused = tested(ECHO, "--record", big=other)
    assert refused.exit_code == 1
    assert "tests/big.result exists already" in refused.stdout
    assert tmp_path.joinpath("tests/big.toml").read_text() == other


def test_an_input_is_not_overwritten_by_a_result(tested, tmp_path):
    tmp_path.joinpath("tests/a.dat").write_bytes(b"a")
    text = 'inputs = [{ text = "b" }, { file = "a.dat" }]\nresult = { file = "a.dat" }'
    done = tested(ECHO, "--record", "--force", c=text)
    assert "which is an input as well" in done.stdout
    assert tmp_path.joinpath("tests/a.dat").read_bytes() == b"a"


@pytest.mark.parametrize("link", [False, True])
def test_nothing_outside_of_the_project_is_overwritten_by_a_result(tested, tmp_path, link):
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.write_bytes(b"precious")
    name = f"../../{outside.name}"
    if link:
        tmp_path.joinpath("tests/link").symlink_to(outside)
        name = "link"
    text = f'inputs = [{{ text = "b" }}]\nresult = {{ file = "{name}" }}'
    done = tested(ECHO, "--record", "--force", c=text)
    assert (done.exit_code, "outside of the project's folder" in done.stdout) == (1, True)
    assert outside.read_bytes() == b"precious"


def test_what_cannot_be_changed_by_a_line_is_told(tested, tmp_path):
    text = 'rounds = [{ streams = [] }]\ninputs = [{ text = "b" }]\n'
    done = tested(ECHO, "--record", c=text)
    assert (done.exit_code, 'write result = { text = "b" }' in done.stdout) == (1, True)
    assert tmp_path.joinpath("tests/c.toml").read_text() == text


def test_random_results_and_traps_are_not_recorded(tested, tmp_path):
    trap = module('(func (export "main") (result i32) (unreachable))')
    for code in (trap, programs.load("random-source")):
        assert tested(code, "--record", c="# nothing\n").exit_code == 1
        assert tmp_path.joinpath("tests/c.toml").read_text() == "# nothing\n"


def test_force_and_a_type_are_for_recording(tested):
    for options in (["--force"], ["--type", "u8"]):
        assert tested(LINEAR, *options, c="").exit_code == 2


def test_compiled_code_is_kept_in_a_folder_of_the_users_own(tested, cache):
    case = f"inputs = [{POINTS}]\n"
    tested(LINEAR, "--record", line=case)
    kept = {path: path.read_bytes() for path in cache.glob("*.code")}
    assert len(kept) == 2
    assert (cache.stat().st_mode & 0o777, (cache / "key").stat().st_mode & 0o777) == (0o700, 0o600)
    assert tested(LINEAR).exit_code == 0
    assert {path: path.read_bytes() for path in cache.glob("*.code")} == kept
    for path, content in kept.items():
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert tested(LINEAR).exit_code == 0
    assert {path: path.read_bytes() for path in cache.glob("*.code")} == kept


def test_a_cache_that_others_can_write_to_is_not_used(tested, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    done = tested(LINEAR, "--record", line=f"inputs = [{POINTS}]\n")
    assert done.exit_code == 0
    assert "compiled code is not kept" in done.stderr
    assert list(cache.iterdir()) == []
