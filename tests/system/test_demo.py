"""`veracruz demo`: what it tells, and that it leaves nothing behind however it ends."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from sdk.examples import programs
from support.patience import PATIENCE_S
from support.processes import eventually
from support.stack import SCRIPTS, session_members
from veracruz_utils.digest import Digest

INTERRUPTED = 130


class Demo:
    """A demonstration under way, in a session and a folder for temporary files of its own."""

    def __init__(self, folder: Path, *arguments: str, **how) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [SCRIPTS / "veracruz", "demo", *arguments],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder)},
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how},
        )
        self.lines: list[str] = []
        self.complaint = ""

    def wait_for(self, words: str) -> None:
        """Read on until it has told of this."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return
        pytest.fail(f"{words!r} was not told: {self.lines} {self.process.stderr.read()}")

    def kill(self, service: str) -> None:
        """End one of its services without a warning."""
        for process_id in session_members(self.process.pid):
            command = Path(f"/proc/{process_id}/cmdline").read_bytes().split(b"\0")
            if command[2:5] == [b"-m", service.encode(), b"serve"]:
                os.kill(process_id, signal.SIGKILL)
                return
        pytest.fail(f"no {service} runs")

    def end(self) -> int:
        """Its exit status, when it has left nothing behind."""
        rest, self.complaint = self.process.communicate(timeout=PATIENCE_S)
        self.lines += (rest or "").splitlines()
        # The last of them may still be on their way out: the kernel ends them with their parents.
        assert eventually(lambda: session_members(self.process.pid) == [])
        assert list(self.folder.iterdir()) == []
        return self.process.returncode


@pytest.fixture
def demo(tmp_path):
    """A function that starts a demonstration; whatever happens, it is over in the end."""
    started = []

    def start(*arguments: str, folder: Path = tmp_path, **how) -> Demo:
        started.append(Demo(folder, *arguments, **how))
        return started[-1]

    yield start
    for each in started:
        for process_id in session_members(each.process.pid):
            os.kill(process_id, signal.SIGKILL)
        each.process.wait()
        for pipe in (each.process.stdout, each.process.stderr):
            if pipe is not None:
                pipe.close()


def test_every_step_is_told_with_its_time_and_what_was_checked_against_what(demo, tmp_path):
    deep = tmp_path / ("d" * 120)  # too long for the path of a socket
    deep.mkdir()
    running = demo(folder=deep)
    assert running.end() == 0, running.complaint
    steps = [line for line in running.lines if re.match(r" *\d+\.\d\d s  ", line)]
    told = "\n".join(steps)
    for words in (
        "took a local image",
        "tabasco, the attestation service, is ready",
        "sonora, the root isolate, is enrolled; its platform is linux-software-root: software,",
        "no protection from this machine's owner",
        "made the identities of author, north, south, reader",
        "wrote the policy",
        "sinaloa, the bridge, is ready",
        "author checked the isolate against its own policy file: fresh challenge, Tabasco's key,",
        "platform linux-software-root, measurement",
        "author sent the program",
        "north sent 4000 people",
        "south sent 4000 people",
        "reader had the program run and fetched the result",
        "the receipt names this policy, program, 2 inputs and this output",
        "all services are stopped",
    ):
        assert words in told, words
    assert len([line for line in steps if "checked the isolate against" in line]) == 4
    text = "\n".join(running.lines)
    assert "1200 people are on both lists" in text
    assert "name,employee_id,age,grade" in text
    assert re.search(r"^\d+\.\d\d s in all$", text, re.MULTILINE)
    program = Digest.of(programs.load("private-set-intersection"))
    assert f"program      {program}" in running.lines
    assert running.complaint == ""


def test_a_program_reads_the_outcome_as_one_json_object(demo):
    running = demo("--json")
    assert running.end() == 0, running.complaint
    (line,) = running.lines
    facts = json.loads(line)
    assert facts["intersection_size"] == 1200
    assert len(facts["first_rows"]) == 5
    assert set(facts) >= {"policy_digest", "program_digest", "result_digest", "measurement"}
    assert "tabasco, the attestation service" in running.complaint


@pytest.mark.parametrize(
    ("moment", "signal_number"),
    [
        ("tabasco, the", signal.SIGINT),
        ("sonora, the", signal.SIGTERM),
        ("author sent", signal.SIGHUP),
    ],
)
def test_an_interruption_leaves_nothing_behind(demo, moment, signal_number):
    running = demo()
    running.wait_for(moment)
    running.process.send_signal(signal_number)
    assert running.end() == INTERRUPTED
    assert running.complaint == "veracruz: interrupted\n"


def test_an_interruption_before_the_first_step_leaves_nothing_behind(demo, tmp_path):
    running = demo()
    while running.process.poll() is None and not any(tmp_path.iterdir()):
        time.sleep(0.001)
    running.process.send_signal(signal.SIGINT)
    assert running.end() == INTERRUPTED
    assert running.complaint == "veracruz: interrupted\n"


def test_an_impatient_user_interrupts_no_cleaning_up(demo):
    running = demo()
    running.wait_for("sonora, the")
    while session_members(running.process.pid) != [running.process.pid]:
        if running.process.poll() is not None:
            break
        running.process.send_signal(signal.SIGINT)
    assert running.end() in {INTERRUPTED, -signal.SIGINT}


def test_ctrl_c_in_a_terminal_leaves_nothing_behind(demo):
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        running = demo(
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: _take_terminal(theirs),
        )
        os.close(theirs)
        _read_until(terminal, b"sinaloa, the bridge, is ready")
        terminal.write(b"\x03")
        _read_until(terminal, b"veracruz: interrupted")
        assert running.end() == INTERRUPTED


def test_whoever_reads_no_further_leaves_nothing_behind(demo):
    running = demo()
    running.wait_for("tabasco, the")
    running.process.stdout.close()
    running.process.stdout = None
    assert running.end() == 1
    assert "Traceback" not in running.complaint


def _take_terminal(terminal: int) -> None:
    """Make it the controlling terminal of the new session, as a shell's is."""
    os.close(os.open(os.ttyname(terminal), os.O_RDWR))


def _read_until(terminal, words: bytes) -> None:
    seen = b""
    while words not in seen:
        seen += terminal.read(4096)


@pytest.mark.parametrize(
    ("moment", "service", "status", "words"),
    [
        ("sonora, the", "tabasco", 4, "tabasco at 127.0.0.1:"),
        ("author sent", "sinaloa", 4, "sinaloa at 127.0.0.1:"),
    ],
)
def test_a_service_that_dies_is_named_and_the_others_are_ended(
    demo, moment, service, status, words
):
    running = demo()
    running.wait_for(moment)
    running.kill(service)
    assert running.end() == status
    assert words in running.complaint
    assert "Traceback" not in running.complaint


def test_a_disk_without_room_is_told(demo):
    running = demo(preexec_fn=_with_little_room)
    assert running.end() == 1
    assert "tabasco did not start; its last output:" in running.complaint


def _with_little_room() -> None:
    """Let the process write files of 1000 bytes, which is less than a database has."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def test_a_page_for_each_principal_is_shown_until_it_is_interrupted(demo):
    running = demo("--ui")
    running.wait_for("Ctrl-C ends it")
    links = dict(
        re.findall(r"^ *(\w+)  (http://127\.0\.0\.1:\d+)/#[\w-]{43}$", said(running), re.MULTILINE)
    )
    assert set(links) == {"author", "north", "south", "reader"}
    for origin in links.values():
        with urllib.request.urlopen(origin) as answer:
            assert b"Veracruz" in answer.read()
    files = re.findall(r"^ *(\w+)  (/.*)$", said(running), re.MULTILINE)
    assert [name for name, _ in files] == ["author", "north", "south"]
    assert all(Path(path).stat().st_size for _, path in files)
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 0
    assert "Traceback" not in running.complaint


def said(demo: Demo) -> str:
    return "\n".join(demo.lines)
