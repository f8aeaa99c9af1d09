"""The guest's process ends with its limits and with its parent, whatever the program does."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from support import guests, runtime_guests
from support.patience import PATIENCE_S
from support.processes import children, eventually, runs

COMMAND = str(Path(sys.executable).with_name("freestanding-execution-engine"))
ENDLESS = runtime_guests.ENDLESS
# Takes many seconds to compile, more than any limit below.
BOMB = runtime_guests.slow_to_compile(60)
MEMORY_FILL = guests.module(
    '(func (export "main") (result i32)'
    " (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x3ff00000)) (br $again))"
    " (i32.const 0))",
    memory='(memory (export "memory") 16384)',
)
CALL_STORM = guests.main("(loop $again (drop (call $input_count (i32.const 0))) (br $again))"
                         " (i32.const 0)")  # fmt: skip


@pytest.fixture
def command(tmp_path):
    """Runs the real command."""

    def start(*arguments):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return start


EXITS = [
    (guests.main("(i32.const 0)"), [], 0),
    (runtime_guests.FAILING, [], 5),
    (b"(module)", [], 8),
    (ENDLESS, ["--no-such-option"], 2),
]


@pytest.mark.parametrize("case", EXITS, ids=lambda case: f"exits-{case[2]}")
def test_the_exit_status_says_how_it_ended(command, file, case):
    module, options, status = case
    done = command("run", file(module), *options)
    assert (done.returncode, done.stdout) == (status, b"")


def test_help_alone_says_how_to_use_it(freestanding):
    text = freestanding("run", "--help").stdout
    for words in ("Examples:", "run program.wasm --data a.dat --data b.dat", "Exit status:",
                  "--policy policy.json --as 2", "strategy = \"interpretation\""):  # fmt: skip
        assert words in text
    text = freestanding("--help").stdout
    assert "encode --type 'Vec<(f64, f64)>'" in text


HOSTILE = {"endless loop": ENDLESS, "memory fills": MEMORY_FILL, "host calls": CALL_STORM}
# One fill of 1 GiB lets nobody look, and may outlast the grace that a profile has.
ENDED = [(name, option) for name in HOSTILE for option in (None, "--trace", "--profile")
         if (name, option) != ("memory fills", "--profile")]  # fmt: skip


@pytest.mark.parametrize(("name", "option"), ENDED)
def test_a_program_without_end_is_ended_by_its_time(run, file, strategy, name, option):
    options = [option] if option else []
    before = children(os.getpid())
    done = run(file(HOSTILE[name]), "--seconds", 0.2, "--strategy", strategy.name.lower(), *options)
    assert done.exit_code == 7
    assert "program reached a limit (time): the limit is 0.2 s" in done.stderr
    assert children(os.getpid()) == before


def test_a_program_that_takes_long_to_compile_is_ended_by_its_time(run, file):
    done = run(file(BOMB), "--compile-seconds", 1, "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["code"], report["ending"]) == (
        7,
        "compile-time",
        "limit-reached",
    )
    assert "the limit is 1 s" in report["error"]
    assert report["rounds"] == []


@pytest.fixture
def endless(tmp_path, file):
    """The command, running a program without end, and the id of the guest's process."""
    file(ENDLESS)
    with subprocess.Popen(
        [COMMAND, "run", "program.wasm", "--trace"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        assert eventually(lambda: children(process.pid))
        (guest,) = children(process.pid)
        assert eventually(lambda: _used_seconds(guest) > 0.05)
        yield process, guest
        process.kill()


def test_an_interrupt_ends_it_with_130_and_no_process_is_left(endless):
    process, guest = endless
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to both
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert errors == b"freestanding-execution-engine: interrupted\n"
    assert not runs(guest)


def test_the_guest_does_not_outlive_its_parent(endless):
    process, guest = endless
    process.kill()
    process.wait(timeout=PATIENCE_S)
    assert eventually(lambda: not runs(guest))


def test_a_guest_that_is_killed_is_reported(endless):
    process, guest = endless
    os.kill(guest, signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 9
    assert b"the program's process ended by signal 9" in errors


def test_rounds_up_to_the_first_that_fails_are_reported(run, file, tmp_path):
    # Returns what the round's stream says, and writes it.
    code = guests.main(
        "(drop (call $read_stream (i32.const 0) (i32.const 0) (i32.const 4)))"
        "(drop (call $write_output (i32.const 0) (i32.const 4)))"
        "(i32.load (i32.const 0))"
    )
    for name, value in [("zero", 0), ("minus", -2)]:
        file(struct.pack("<i", value), name)
    streams = [word for name in ("zero", "minus", "zero") for word in ("--stream", name)]
    done = run(file(code), *streams, "--rounds", 3, "--output", "r-{round}", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["return_name"]) == (5, "DataSourceCount")
    endings = [(each["round"], each["ending"]) for each in report["rounds"]]
    assert endings == [(1, "succeeded"), (2, "error-code")]
    assert [path.name for path in tmp_path.glob("r-*")] == ["r-1"]


def _used_seconds(process_id):
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")
