"""What the bench tells of a run, and what it takes from files: trace, profile, cache, TOML."""

import json
import shlex
import struct

import pytest

from sdk.errors import UsageError
from sdk.examples import programs
from sdk.freestanding.config import Config
from sdk.freestanding.messages import Profiled, Stopped
from sdk.freestanding.report import RoundReport
from support import guests
from support.components import component
from support.runtime_guests import COLLECTOR, HELLO


def test_a_trace_tells_every_host_call_and_its_answer(run, file):
    code = guests.calling(
        ("input_count", 0), ("input_size", 7, 4), ("write_output", 0, 3), ("write_output", 0, 3)
    )
    assert run(file(code), "--trace").stderr.splitlines()[:4] == [
        "input_count(ptr=0) -> 0 (success), wrote 0",
        "input_size(index=7, ptr=4) -> -4 (bad-input)",
        "write_output(buf=0, size=3) -> 0 (success), took 3 bytes",
        "write_output(buf=0, size=3) -> -6 (result-already-written)",
    ]


def test_a_trace_tells_what_every_call_gave(run, file):
    code = guests.calling(
        ("input_count", 0), ("input_size", 1, 0), ("read_input", 1, 0, 60), ("stream_count", 0),
        ("stream_size", 0, 0), ("read_stream", 0, 0, 9), ("has_previous_result", 0),
        ("previous_result_size", 0), ("read_previous_result", 0, 50), ("getrandom", 0, 4),
        ("(drop (i32.load (i32.const 0)))",), ("read_input", 1, 0, 2),
    )  # fmt: skip
    files = [file(b"x" * size, name) for name, size in [("a", 1), ("b", 5), ("s", 7), ("p", 3)]]
    done = run(
        file(code), "--trace", "--data", files[0], "--data", files[1], "--stream", files[2],
        "--previous", files[3],
    )  # fmt: skip
    told = [line.partition(" -> 0 (success), ")[2] for line in done.stderr.splitlines()[:10]]
    assert told == [
        "wrote 2", "wrote 5", "copied 5 bytes", "wrote 1", "wrote 7", "copied 7 bytes", "wrote 1",
        "wrote 3", "copied 3 bytes", "filled 4 bytes",
    ]  # fmt: skip
    last = done.stderr.splitlines()[10]
    assert last == "read_input(index=1, buf=0, size=2) -> -3 (data-source-size)"


COUNTING = component(
    """(drop (call $input-count))
    (call $input-size (i32.const 0) (i32.const 512))
    (call $read-input (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 512))
    (call $write-output (i32.const 1024) (i32.const 3) (i32.const 1) (i32.const 512))
    (i32.const 0)"""
)


def test_a_trace_of_a_component_names_its_own_parameters(run, file):
    done = run(file(COUNTING), "--trace", "--data", file(b"four", "a"))
    assert done.stderr.splitlines()[:4] == [
        "input_count() -> 0 (success), wrote 1",
        "input_size(index=0) -> 0 (success), wrote 4",
        "read_input(index=0, offset=0, size=4) -> 0 (success), copied 4 bytes",
        "write_output(piece=3, last=1) -> 0 (success), took 3 bytes",
    ]


LEGACY = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE"
V0 = "_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (LEGACY, "core::panicking::panic_fmt"),
        (V0, "<std::path::PathBuf>::new"),
        ("_ZN8settings8add_pairERKSt4pair", "settings::add_pair(std::pair const&)"),
        ("_ZN9", "_ZN9"),
        ("_R\\u{1b}[2J", "_R\\x1b[2J"),
        ("plain", "plain"),
    ],
)
def test_names_of_functions_are_shown_as_they_were_written(run, file, name, shown):
    code = guests.module(f'(func (@name "{name}") (export "main") (result i32) unreachable)')
    assert f"in function 0 {shown}, byte" in run(file(code)).stderr


def test_a_profile_shows_names_as_they_were_written(run, file):
    code = guests.module(
        f"""(func $busy (@name "{LEGACY}") (local $n i32)
            (loop $again
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 50000000)))))
        (func (export "main") (result i32) (call $busy) (i32.const 0))"""
    )
    functions = json.loads(run(file(code), "--profile", "--json").stdout)["profile"]["functions"]
    assert functions[0]["function"] == "core::panicking::panic_fmt"


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("--program x.wasm --data a.dat -x jit", "x.wasm --data a.dat --strategy jit"),
        (
            "-p x.wasm -d a b -t",
            "x.wasm --data a --data b --strategy interpretation",
        ),
        ("--execution-strategy=interp -px.wasm", "x.wasm --strategy interpretation"),
        ("-d 'a b.dat'", "PROGRAM.wasm --data 'a b.dat' --strategy interpretation"),
    ],
)
def test_the_command_line_of_2021_is_told_in_words_of_today(freestanding, tmp_path, then, now):
    done = freestanding(*shlex.split(then))
    assert done.exit_code == 2
    assert f"which is now: freestanding-execution-engine run {now}\n" in done.stderr
    tmp_path.joinpath("config").mkdir()
    tmp_path.joinpath("config/chihuahua.toml").write_text("data-source-count = 1")
    assert "--config config/chihuahua.toml\n" in freestanding(*shlex.split(then)).stderr


def test_a_trace_ends_with_the_call_that_ended_the_program(run, file):
    done = run(file(guests.calling(("input_count", 0), ("input_count", 65536))), "--trace")
    assert done.exit_code == 6
    assert done.stderr.splitlines()[1] == "input_count(ptr=65536) -> ends the program"
    assert "4 bytes at 65536, memory has 65536" in done.stderr


# Nearly all the time is spent in `inner`, which `middle` calls; `main` has no name of its own.
BUSY = guests.module(
    """
    (func $inner (result i32) (local $n i32)
        (loop $again
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 20000))))
        (local.get $n))
    (func $middle (local $n i32)
        (loop $again
            (drop (call $inner))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 2000)))))
    (func (export "main") (result i32) (call $middle) (i32.const 0))
    """,
    imports=guests.IMPORTS,
)


def test_a_profile_names_the_functions_that_take_the_time(run, file, strategy):
    done = run(file(BUSY), "--profile", "--json", "--strategy", strategy.name.lower())
    assert done.exit_code == 0, done.stderr
    profile = json.loads(done.stdout)["profile"]
    functions = {each["function"]: each for each in profile["functions"]}
    assert profile["samples"] > 5
    assert profile["functions"][0]["function"] == "inner"
    assert functions["inner"]["self"] > functions["middle"]["self"]
    assert functions["middle"]["total"] >= functions["inner"]["total"]
    assert functions["function 13"]["total"] == profile["samples"]  # after eleven imports


def test_a_program_that_is_out_of_time_has_a_profile(run, file):
    code = guests.module(
        "(func $spin (loop $again (br $again)))"
        '(func (export "main") (result i32) (call $spin) (i32.const 0))'
    )
    done = run(file(code), "--profile", "--seconds", 0.3, "--json")
    assert done.exit_code == 7
    assert json.loads(done.stdout)["profile"]["functions"][0]["function"] == "spin"


def test_a_profile_of_nothing_says_so():
    stopped = Stopped("LIMIT_REACHED", "fuel", "program reached a limit")
    lines = RoundReport(1, stopped=stopped, profile=Profiled(0, ())).lines()
    assert list(lines)[-1].startswith("profile    the run ended before the first sample")


def test_compiled_code_is_kept_in_a_cache_of_the_users_own(run, file, tmp_path, strategy):
    arguments = [file(COLLECTOR), "--cache", "kept", "--strategy", strategy.name.lower()]
    first, second = (json.loads(run(*arguments, "--json").stdout) for _ in range(2))
    assert [first["from_cache"], second["from_cache"]] == [False, True]
    assert first["result_sha256"] == second["result_sha256"]
    folder = tmp_path / "kept"
    assert folder.joinpath("key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    for entry in folder.glob("*.code"):
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    third = run(*arguments, "--json")
    assert json.loads(third.stdout)["from_cache"] is False


def test_a_cache_that_others_can_write_is_not_used(run, file, tmp_path):
    tmp_path.joinpath("open").mkdir()
    tmp_path.joinpath("open").chmod(0o777)
    done = run(file(HELLO), "--cache", "open")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is open to others" in done.stderr


def test_fuel_is_counted_without_a_limit(run, file, strategy):
    arguments = [file(HELLO), "--strategy", strategy.name.lower(), "--json"]
    assert json.loads(run(*arguments).stdout)["fuel"] is None
    counted = json.loads(run(*arguments, "--count-fuel").stdout)["fuel"]
    assert counted > 0
    assert json.loads(run(*arguments, "--fuel", counted).stdout)["fuel"] == counted


def f64(number):
    return struct.pack("<d", number)


@pytest.fixture
def configuration(tmp_path, file):
    """A configuration for two rounds of the accumulation, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, value in [("start", 100), ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4)]:
        folder.joinpath(name).write_bytes(f64(value))
    folder.joinpath("sum.wasm").write_bytes(programs.load("number-stream-accumulation"))
    file(
        b"""
        program = "sum.wasm"
        data = ["start"]
        stream = ["s1", "s2", "s3", "s4"]
        rounds = 2
        strategy = "interpretation"
        output = "sum"
        json = true
        data-source-count = 1
        call-stack-size = 65536
        suppress-performance-statistics = false
        """,
        "folder/run.toml",
    )
    return folder


def test_a_configuration_gives_what_the_command_line_does_not(run, configuration):
    done = run("--config", "folder/run.toml")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["strategy"], len(report["rounds"])) == ("Interpretation", 2)
    assert configuration.joinpath("sum").read_bytes() == f64(110)


def test_the_command_line_goes_first(run, configuration, file):
    file(f64(1000), "other")
    done = run("--config", "folder/run.toml", "--data", "other", "--strategy", "jit",
               "--output", "mine")  # fmt: skip
    assert json.loads(done.stdout)["strategy"] == "JIT"
    assert configuration.parent.joinpath("mine").read_bytes() == f64(1010)
    assert not configuration.joinpath("sum").exists()


def test_as_many_inputs_as_the_configuration_says_are_required(run, configuration):
    done = run("--config", "folder/run.toml", *["--data", "folder/start"] * 2)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "data-source-count is 1, but 2 inputs are given" in done.stderr
    assert configuration.is_dir()


def test_times_are_left_out_when_the_configuration_says_so(run, file):
    quiet = file(b"suppress-performance-statistics = true", "run.toml")
    with_times, without = (
        run(file(HELLO), *options).stderr for options in ([], ["--config", quiet])
    )
    assert "checked in" in with_times
    assert "\nrun  " in with_times
    assert "checked in" not in without
    assert "\nrun  " not in without
    assert "\nhost calls write_output 1" in without


REFUSED = {
    "speed = 1": "unknown key 'speed'; the keys are program, data",
    "rounds = true": "rounds is 'True', expected a whole number",
    "rounds = 1.5": "rounds is '1.5', expected a whole number",
    "fuel = -1": "fuel is '-1', expected a whole number",
    'data = "a"': "data is 'a', expected a list of names of files",
    "data = [1]": "expected a list of names of files",
    'trace = "yes"': "trace is 'yes', expected true or false",
    'seconds = "1"': "seconds is '1', expected a number",
    "data = [": "is not TOML",
    "a = 1\na = 2": "is not TOML",
    "x = \xff": "is not TOML",
    "a = " + "[" * 5000: "is not TOML",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_a_wrong_configuration_is_refused(file, tmp_path, text):
    file(text.encode("latin-1"), "run.toml")
    with pytest.raises(UsageError) as caught:
        Config.read(tmp_path / "run.toml")
    assert REFUSED[text] in str(caught.value)


def test_a_value_out_of_range_is_refused_wherever_it_stands(run, file):
    for text in ("seconds = 0", "rounds = 0", 'strategy = "wasmi"', "memory-mib = 5000"):
        assert run(file(HELLO), "--config", file(text.encode(), "run.toml")).exit_code == 2


def test_streams_that_do_not_divide_into_rounds_are_refused(run, file):
    done = run(file(HELLO), *["--stream", file(b"x", "s")] * 3, "--rounds", 2)
    assert done.exit_code == 2
    assert "3 streams cannot be shared equally among 2 rounds" in done.stderr


def test_both_programs_encode_and_decode(freestanding):
    encoded = freestanding("encode", "--type", "Vec<(f64,f64)>", stdin="[[1, 2], [3, 6]]")
    assert encoded.stdout_bytes == b"\x02" + struct.pack("<4d", 1, 2, 3, 6)
    decoded = freestanding("decode", "--type", "Vec<(f64,f64)>", stdin=encoded.stdout_bytes)
    assert json.loads(decoded.stdout) == [[1, 2], [3, 6]]


def test_an_input_may_come_from_standard_input(freestanding, file, tmp_path):
    done = freestanding("run", file(COLLECTOR), "--data", "-", "--output", "seen", stdin=b"typed")
    assert done.exit_code == 0, done.stderr
    assert tmp_path.joinpath("seen").read_bytes()[4:9] == b"typed"
