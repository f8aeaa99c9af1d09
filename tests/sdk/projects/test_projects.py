"""A program of one's own: made from a template, built, and tested on its cases."""

import json
import os
from importlib.resources import files

import pytest
from click.testing import CliRunner

from execution_engine.errors import TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from sdk import projects
from sdk.cli import main
from sdk.examples import programs
from sdk.projects import project as project_module
from support import guests
from support.guests import CountingRandom, module
from support.rust_toolchain import found_rust
from tlaxcala import check
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy
from veracruz_utils.refused_inputs import RefusedInput

pytestmark = pytest.mark.timeout(600)  # the compiler's first run fills its cache
LINEAR = programs.load("linear-regression")
LINE_CASE = """
inputs = [{ type = "points", value = [[0, 1], [2, 2]] }]
result = { type = "line", value = { gradient = 0.5, intercept = 1.0 } }
"""
SUM_CASE = """
inputs = [{ type = "f64", value = 100.0 }]
[[rounds]]
streams = [{ type = "f64", value = 1.5 }, { type = "f64", value = 2.5 }]
result = { type = "f64", value = 104.0 }
[[rounds]]
streams = [{ hex = "000000000000f03f" }, { file = "one.dat" }]
result = { type = "f64", value = 106.0 }
"""


needs_rust = pytest.mark.skipif(found_rust() is None, reason="there is no Rust for WebAssembly")


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def project(tmp_path):
    """A project whose module is an example's, and a function that writes a case of it."""

    def make(module, **cases):
        folder = tmp_path / "mine"
        folder.joinpath("tests").mkdir(parents=True)
        folder.joinpath("veracruz.toml").write_text('name = "mine"\nlanguage = "c"\n')
        folder.joinpath("mine.wasm").write_bytes(module)
        for name, text in cases.items():
            folder.joinpath("tests", f"{name}.toml").write_text(text)
        return folder

    return make


@pytest.mark.parametrize("language", ["c", pytest.param("rust", marks=needs_rust)])
def test_a_new_project_builds_and_passes_its_tests(sdk, tmp_path, language):
    assert sdk("new", "my-sum", "--language", language).exit_code == 0
    built = json.loads(sdk("build", "my-sum", "--json").stdout)
    module = tmp_path.joinpath("my-sum", "my-sum.wasm").read_bytes()
    assert built["digest"] == str(Digest.of(module))
    tested = sdk("test", "my-sum", "--json")
    assert json.loads(tested.stdout) == {
        "passed": True, "findings": [], "cases": {"sum": [], "cut-off": []},
    }  # fmt: skip
    assert tested.exit_code == 0


@pytest.mark.parametrize(
    ("language", "file", "before", "more", "said"),
    [
        ("c", "main.c", "VC_ENTRY int32_t program(void) {",
         'vc_say("an input is missing", 19); __builtin_trap();', "an input is missing"),
        pytest.param("rust", "main.rs", "let mut sum = 0u64;",
                     'assert!(input_count() > 9, "{} inputs", input_count());', "1 inputs",
                     marks=needs_rust),
    ],
)  # fmt: skip
def test_a_program_that_is_built_for_debugging_says_what_went_wrong(  # noqa: PLR0917
    sdk, tmp_path, language, file, before, more, said
):
    sdk("new", "wrong", "--language", language)
    source = tmp_path / "wrong" / file
    source.write_text(source.read_text().replace(before, before + more))
    told = {}
    for mode in ([], ["--debug"]):
        assert sdk("build", "wrong", *mode).exit_code == 0
        code = tmp_path.joinpath("wrong", "wrong.wasm").read_bytes()
        assert check(code).certified
        assert str(tmp_path).encode() not in code
        limits = EngineLimits(run_seconds=20)
        with (
            Program.load(code, strategy=Strategy.JIT, limits=limits) as program,
            pytest.raises(TrapError) as caught,
        ):
            program.run(RunInputs([b"\0"]), random=CountingRandom())
        told[bool(mode)] = (caught.value.message, {one.name for one in caught.value.frames})
    assert told[False] == ("", {None})
    message, names = told[True]
    assert said in message
    assert names & {"main", "program"}


@needs_rust
def test_a_program_in_rust_says_how_much_memory_it_wanted(sdk, tmp_path):
    sdk("new", "greedy", "--language", "rust")
    source = tmp_path / "greedy/main.rs"
    before = "let mut sum = 0u64;"
    much = "let much: alloc::vec::Vec<u8> = alloc::vec::Vec::with_capacity(600_000_000);"
    text = source.read_text().replace(before, f"{before} {much} sum += much.as_ptr() as u64;")
    source.write_text(text)
    built = sdk("build", "greedy", "--debug")
    assert built.exit_code == 0, built.output
    code = tmp_path.joinpath("greedy/greedy.wasm").read_bytes()
    limits = EngineLimits(run_seconds=20, memory_bytes=512 * 2**20)
    with (
        Program.load(code, strategy=Strategy.JIT, limits=limits) as program,
        pytest.raises(TrapError) as caught,
    ):
        program.run(RunInputs([b"\0"]), random=CountingRandom())
    assert "600000000 bytes" in caught.value.message


def test_every_language_has_a_template_and_a_builder():
    templates = files("sdk.projects").joinpath("templates")
    names = {entry.name for entry in templates.iterdir()}
    assert names == {*projects.BUILDERS, "rust-std"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("rust-std", "`--language rust --std`"),
        ("Rust_Std", "`--language rust --std`"),
        ("cpp", "`--language c++`"),
        ("swift", "`veracruz-sdk adapt`"),
    ],
)
def test_a_language_by_another_name_is_told_how_to_have_it(sdk, tmp_path, said, words):
    refused = sdk("new", "mine", "--language", said)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert not tmp_path.joinpath("mine").exists()
    tmp_path.joinpath("veracruz.toml").write_text(f'name = "a"\nlanguage = "{said}"\n')
    assert words in sdk("build").stderr


def test_a_template_leaves_out_what_installing_it_made(tmp_path, monkeypatch):
    installed = tmp_path / "installed"
    for name in ("main.py", "__pycache__/main.cpython-311.pyc", "tests/a.toml", "target/x"):
        file = installed / "templates" / "python" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    monkeypatch.setattr(project_module, "files", lambda _: installed)
    project = projects.new_project(tmp_path / "mine", language="python")
    found = {each.name for each in project.folder.rglob("*")}
    assert found == {"veracruz.toml", "main.py", "tests", "a.toml"}


def test_a_folder_that_is_there_is_left_alone(sdk, tmp_path):
    tmp_path.joinpath("mine").mkdir()
    done = sdk("new", "mine")
    assert done.exit_code == 1
    assert "mine exists already" in done.stderr
    assert list(tmp_path.joinpath("mine").iterdir()) == []


@pytest.mark.parametrize("name", ["My Program", "-x-", "a" * 65])
def test_a_name_that_is_none_is_refused(sdk, tmp_path, name):
    done = sdk("new", "--", name)
    assert done.exit_code == 1
    assert "cannot be the name of a program" in done.stderr
    assert not tmp_path.joinpath(name).exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "make a project with"),
        ("name = ", "veracruz.toml"),
        (
            'name = "a"\nlanguage = "cobol"\n',
            f"language is 'cobol', not one of {', '.join(projects.BUILDERS)}",
        ),
        ('name = "../a"\nlanguage = "c"\n', "name is '../a'"),
        ('name = "a"\nlanguage = "c"\nmore = 1\n', "unknown key 'more'"),
    ],
)
def test_a_folder_without_a_project_is_told_with_the_remedy(sdk, tmp_path, text, word):
    if text is not None:
        tmp_path.joinpath("veracruz.toml").write_text(text)
    for command in ("build", "test"):
        done = sdk(command)
        assert done.exit_code == 1
        assert word in done.stderr


def test_a_program_that_was_not_built_is_told(sdk):
    assert sdk("new", "mine").exit_code == 0
    assert "run `veracruz-sdk build mine`" in sdk("test", "mine").stderr


@pytest.mark.parametrize(("language", "name"), [("c", "*.c"), ("c-libc", "*.c"), ("c++", "*.cpp")])
def test_a_project_without_a_source_is_told(sdk, tmp_path, language, name):
    tmp_path.joinpath("veracruz.toml").write_text(f'name = "a"\nlanguage = "{language}"\n')
    done = sdk("build")
    assert done.exit_code == 1
    assert f"has no source: expected a file that matches {name}" in done.stderr


def test_a_module_that_is_older_than_its_source_is_tested_and_told(sdk, project):
    folder = project(LINEAR, line=LINE_CASE)
    source = folder / "main.c"
    source.write_text("/* newer */")
    assert "warning: mine/mine.wasm is older than its source" in sdk("test", "mine").stderr
    os.utime(source, (0, 0))
    assert "older" not in sdk("test", "mine").stderr
    source.unlink()
    assert "warning: mine/mine.wasm is older than its source" in sdk("test", "mine").stderr


def test_a_round_that_takes_too_long_is_ended(sdk, project):
    loop = module('(func (export "main") (result i32) (loop (br 0)) (i32.const 0))')
    project(loop, case="code = 0")
    done = sdk("test", "mine", "--seconds", "0.2")
    assert (done.exit_code, "limit (time)" in done.stdout) == (1, True)


def test_findings_are_told_in_words(sdk, project):
    imported = '(import "env" "open" (func (result i32)))'
    project(module("", imports=imported), case="code = 0")
    done = sdk("test", "mine")
    assert "TLX010 a function is imported" in done.stdout
    assert "Finding(" not in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs = 3", "expected a list of data, each in braces, got 3"),
        ('inputs = [{ hex = "0z" }]', "'0z' is not hexadecimal"),
        ('inputs = [{ file = "absent.dat" }]', "absent.dat: No such file"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_case_is_told_in_words(sdk, project, text, said):
    folder = project(LINEAR)
    data = text if isinstance(text, bytes) else text.encode()
    folder.joinpath("tests", "wrong.toml").write_bytes(data)
    done = sdk("test", "mine")
    assert (done.exit_code, said in done.stderr) == (1, True), done.stderr


def test_cases_may_name_types_and_tolerances(sdk, project):
    near = LINE_CASE.replace("0.5", "0.5000001")
    project(LINEAR, line=LINE_CASE, near=near + "tolerance = 1e-3\n")
    assert sdk("test", "mine").stdout.splitlines() == [
        "certified mine.wasm", "passed    line", "passed    near",
    ]  # fmt: skip


def test_a_case_may_have_rounds(sdk, project):
    folder = project(programs.load("number-stream-accumulation"), sums=SUM_CASE)
    folder.joinpath("tests", "one.dat").write_bytes(bytes.fromhex("000000000000f03f"))
    assert sdk("test", "mine").exit_code == 0


def test_a_wrong_result_is_shown_beside_the_expected_one_for_each_strategy(sdk, project):
    project(LINEAR, line=LINE_CASE.replace("0.5", "0.75"))
    done = sdk("test", "mine")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:4] == [
        "failed    line",
        '          JIT: round 1: result   {"gradient": 0.5, "intercept": 1.0}',
        '          JIT: round 1: expected {"gradient": 0.75, "intercept": 1.0}',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code = -4", "code -5 (InvariantFailed), expected -4 (BadInput)"),
        ('inputs = [{ hex = "01" }]', "code -4 (BadInput), expected 0"),
        ('inputs = [{ hex = "00" }]', "a result of 16 bytes, expected none"),
        ('inputs = [{ hex = "00" }]\nresult = { hex = "" }', "(16 bytes)"),
    ],
)
def test_a_code_or_a_result_that_was_not_expected_is_wrong(sdk, project, text, said):
    project(LINEAR, case=text)
    done = sdk("test", "mine")
    assert done.exit_code == 1
    assert said in done.stdout


def test_a_code_that_refuses_an_input_is_told_as_that(sdk, project):
    code = RefusedInput(stream=False, index=1, reason=3).code
    project(guests.main(f"(i32.const {code})"), case="")
    told = f"code {code} (the program refused input 1: code 3), expected 0"
    assert told in sdk("test", "mine").stdout


def test_a_result_that_is_random_differs_between_the_strategies(sdk, project):
    project(programs.load("random-source"), case='result = { hex = "0400000000" }')
    assert "result" in sdk("test", "mine").stdout


def test_a_module_that_is_not_certified_is_not_run(sdk, project):
    project(b"\0asm\1\0\0\0", line=LINE_CASE)
    done = sdk("test", "mine", "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["findings"]
    assert said["cases"] == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs = 1", "case.toml"),
        ("more = 1", "unknown key 'more'"),
        ("inputs = [{ type = 'u8', value = 300 }]", "300"),
        ("inputs = [{ type = 'u9', value = 1 }]", "unknown type 'u9'"),
        ("inputs = [{ file = 'absent' }]", "No such file"),
        ("inputs = [{ text = 'a', hex = '00' }]", "expected a type and its value or hex"),
        ("code = 1\nresult = { hex = '' }", "not both"),
    ],
)
def test_a_case_that_makes_no_sense_is_told(sdk, project, text, said):
    project(LINEAR, case=text)
    done = sdk("test", "mine")
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_without_cases_is_told(sdk, project):
    project(LINEAR)
    assert "no cases found" in sdk("test", "mine").stderr
