import json
import struct

import pytest

from sdk.examples import programs
from support import guests
from support.components import component_of_wasi
from tlaxcala.advice import OF_WASI_COMPONENTS
from veracruz_utils.digest import Digest
from veracruz_utils.refused_inputs import RefusedInput


def number(tmp_path, name, value):
    tmp_path.joinpath(name).write_bytes(struct.pack("<d", value))
    return name


@pytest.fixture
def accumulation(tmp_path, file):
    """The arguments that run the accumulation of 100 + 1 + 2."""
    streams = [number(tmp_path, name, value) for name, value in [("s0", 1), ("s1", 2)]]
    data = number(tmp_path, "start", 100)
    program = file(programs.load("number-stream-accumulation"))
    return [program, "--data", data, "--stream", streams[0], "--stream", streams[1]]


@pytest.mark.parametrize("strategy", ["jit", "interpretation"])
def test_the_result_goes_to_standard_output_and_the_report_to_standard_error(
    run, accumulation, strategy
):
    done = run(*accumulation, "--strategy", strategy)
    assert done.exit_code == 0
    assert done.stdout_bytes == struct.pack("<d", 103)
    digest = Digest.of(programs.load("number-stream-accumulation"))
    assert "program returned 0 (Success)" in done.stderr
    assert f"program    {digest}" in done.stderr
    assert f"result     8 bytes, SHA-256 {Digest.of(struct.pack('<d', 103))}" in done.stderr
    assert "stream_size 2, read_stream 2" in done.stderr


def test_the_result_goes_to_a_file_and_into_the_next_round(run, accumulation, tmp_path):
    assert run(*accumulation, "--output", "first").exit_code == 0
    done = run(*accumulation, "--previous", "first", "--output", "second")
    assert (done.exit_code, done.stdout_bytes) == (0, b"")
    assert tmp_path.joinpath("second").read_bytes() == struct.pack("<d", 106)
    assert tmp_path.joinpath("second").stat().st_mode & 0o777 == 0o600


def test_an_output_file_is_not_overwritten_unless_told_to(run, accumulation, tmp_path):
    tmp_path.joinpath("result").write_bytes(b"precious")
    done = run(*accumulation, "--output", "result")
    assert done.exit_code == 1
    assert "result exists already" in done.stderr
    assert tmp_path.joinpath("result").read_bytes() == b"precious"
    assert run(*accumulation, "--output", "result", "--force").exit_code == 0
    assert tmp_path.joinpath("result").read_bytes() == struct.pack("<d", 103)


def test_the_report_is_one_json_object(run, accumulation):
    done = run(*accumulation, "--json", "--output", "result", "--fuel", 100_000)
    report = json.loads(done.stdout)
    module = programs.load("number-stream-accumulation")
    assert done.exit_code == 0
    assert {key: report[key] for key in ("ending", "return_code", "return_name", "strategy")} == {
        "ending": "succeeded",
        "return_code": 0,
        "return_name": "Success",
        "strategy": "JIT",
    }
    assert report["program_sha256"] == str(Digest.of(module))
    assert report["program_bytes"] == len(module)
    assert report["result_bytes"] == 8
    assert report["result_sha256"] == str(Digest.of(struct.pack("<d", 103)))
    assert report["host_calls"]["read_stream"] == 2
    assert report["memory_peak_bytes"] == 18 * 65536
    assert 0 < report["fuel"] < 100_000
    assert report["run_seconds"] > 0
    assert report["check_seconds"] > 0
    assert report["compile_seconds"] > 0
    assert report["from_cache"] is False
    assert report["error"] is None
    assert report["frames"] == []
    assert report["message"] is None


def test_where_the_result_goes_is_looked_at_before_the_run(run, file, tmp_path):
    endless = file(ENDLESS)
    done = run(endless, "--seconds", 60, "--output", tmp_path / "no/such/folder/result.dat")
    assert (done.exit_code, "is not a folder" in done.stderr) == (1, True)


UNREACHABLE = guests.module('(func (export "main") (result i32) unreachable)')
ENDLESS = guests.module('(func (export "main") (result i32) (loop br 0) i32.const 0)')
WANTS_MORE = guests.module('(import "env" "getpid" (func (result i32)))', memory="")


ENDINGS = [
    (guests.main("(i32.const -4)"), [], "error-code", 5, "program returned -4 (BadInput)"),
    (guests.main("(i32.const 99)"), [], "error-code", 5, "program returned 99 (unknown)"),
    (UNREACHABLE, [], "trapped", 6, "program trapped (unreachable)"),
    (guests.module(""), [], "trapped", 6, "program trapped (no-entry-point)"),
    (ENDLESS, ["--fuel", 1000], "limit-reached", 7, "program reached a limit (fuel)"),
    (ENDLESS, ["--seconds", 0.05], "limit-reached", 7, "program reached a limit (time)"),
    (WANTS_MORE, [], "refused", 8, "program refused (forbidden-import)"),
    (component_of_wasi(), [], "refused", 8, OF_WASI_COMPONENTS),
    (b"not a module", [], "refused", 8, "program refused (not-wasm)"),
    (b"", [], "refused", 8, "program refused (not-wasm)"),
]


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: f"{case[3]}-{case[4]}")
def test_each_ending_has_its_exit_code(run, file, case):
    code, options, ending, exit_code, message = case
    done = run(file(code), *options)
    assert (done.exit_code, done.stdout_bytes) == (exit_code, b"")
    assert message in done.stderr
    as_json = run(file(code), *options, "--json")
    assert as_json.exit_code == exit_code
    assert json.loads(as_json.stdout)["ending"] == ending


def test_a_refused_input_is_told(run, file):
    code = RefusedInput(stream=True, index=1, reason=4).code
    program = file(guests.main(f"(i32.const {code})"))
    done = run(program)
    assert f"program returned {code} (RefusedStream 1)" in done.stderr
    assert "the program refused stream 1: code 4" in done.stderr
    report = json.loads(run(program, "--json").stdout)
    assert report["meaning"] == "the program refused stream 1: code 4"


SAYING = """(global (export "veracruz_message") i32 (i32.const 8))
    (data (i32.const 8) "\\10\\00\\00\\00\\07\\00\\00\\00") (data (i32.const 16) "a panic")
    (func (export "main") (result i32) (loop (br 0)) (i32.const 0))"""


@pytest.mark.parametrize(
    "options", [["--seconds", 0.3], ["--fuel", 1000], ["--seconds", 0.3, "--profile"]]
)
def test_what_was_said_before_a_limit_is_kept(run, file, options):
    done = run(file(guests.module(SAYING)), *options, "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ending"], report["message"]) == (7, "limit-reached", "a panic")


def test_a_program_that_gave_up_near_its_limit_of_memory_is_told(run, file):
    grown = guests.module(
        """(func (export "main") (result i32)
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
        (i32.const 0))"""
    )
    done = run(file(grown), "--memory-mib", 1)
    assert done.exit_code == 6
    assert "memory has" not in done.stderr  # a page of sixteen says nothing
    half = guests.module(
        """(func (export "main") (result i32)
        (drop (memory.grow (i32.const 7)))
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
        (i32.const 0))"""
    )
    done = run(file(half), "--memory-mib", 1)
    assert "  memory has 524288 of at most 1048576 bytes: it may have run out" in done.stderr


def test_a_trap_says_where(run, file):
    assert "in function 0, byte 0x" in run(file(UNREACHABLE)).stderr


def test_the_memory_of_a_program_can_be_limited(run, file):
    code = guests.module('(func (export "main") (result i32) i32.const 0)', memory=(
        '(memory (export "memory") 17)'
    ))  # fmt: skip
    assert run(file(code), "--memory-mib", 1).exit_code == 8
    assert run(file(code), "--memory-mib", 2).exit_code == 0


def test_what_a_program_wrote_before_it_failed_is_not_handed_over(run, file, tmp_path):
    code = guests.main("(drop (call $write_output (i32.const 0) (i32.const 4))) (i32.const -1)")
    done = run(file(code), "--output", "result")
    assert done.exit_code == 5
    assert "result     4 bytes" in done.stderr
    assert not tmp_path.joinpath("result").exists()


def test_a_file_that_is_missing_is_named(run, file):
    done = run("missing.wasm")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot read program missing.wasm: no such file" in done.stderr
    done = run(file(UNREACHABLE), "--data", "missing.dat")
    assert done.exit_code == 1
    assert "cannot read input missing.dat" in done.stderr


def test_wrong_usage_exits_with_2(run):
    assert run().exit_code == 2
    assert run("program.wasm", "--strategy", "wasmi").exit_code == 2
    assert run("program.wasm", "--seconds", "0").exit_code == 2
