"""Programs made with the console helpers, run as real processes and in this one."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from support.patience import PATIENCE_S
from veracruz_shells.console import (
    ADDRESS,
    command_group,
    emit,
    json_option,
    single_command,
    subgroup,
)
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError

PROGRAM = '''
import sys
import click
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError
from veracruz_shells.console import *

@command_group("demo-tool", distribution="veracruz-utils", help="Shows what programs do.")
def main() -> None:
    pass

@main.command()
@click.argument("kind")
def fail(kind):
    """Fail in some way."""
    raise {
        "failed": VeracruzError("it is too late"),
        "refused": RefusedError("policy says no"),
        "unreachable": UnreachableError("nobody there"),
        "bug": KeyError("oops"),
        "interrupt": KeyboardInterrupt(),
        "file": FileNotFoundError(2, "No such file or directory", "/x"),
    }[kind]

@main.command()
@json_option
@click.option("--times", default=1)
def greet(times, *, as_json):
    """Say hello."""
    note("about to greet")
    emit({"greeting": "hello", "times": times}, "hello " * times, as_json=as_json)

@main.command()
def blush():
    """Say it in red."""
    click.echo(click.style("hello", fg="red"))

@main.command()
def ask():
    """Ask something."""
    note("waiting")
    click.confirm("go on", abort=True, err=True)

@main.command()
def wait():
    """Wait for a signal."""
    note("waiting")
    __import__("time").sleep(60)

@main.command()
def flood():
    """Say a lot."""
    for _ in range(100_000):
        emit({}, "x" * 100, as_json=False)

@main.command()
@log_option
def serve():
    """Say what happens."""
    import logging
    logging.getLogger("demo").info("session refused: %s", "too many")

main()
'''


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("program") / "other_name.py"
    path.write_text(PROGRAM)
    return path


def run(program: Path, *args: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, program, *args],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("failed", 1, "demo-tool: it is too late\n"),
        ("refused", 3, "demo-tool: policy says no\n"),
        ("unreachable", 4, "demo-tool: nobody there\n"),
        ("interrupt", 130, "demo-tool: interrupted\n"),
        ("file", 1, "demo-tool: No such file or directory (/x)\n"),
        (
            "bug",
            1,
            "demo-tool: internal error, run with --debug for the traceback: KeyError('oops')\n",
        ),
    ],
)
def test_an_error_is_one_line_and_an_exit_status(program, kind, status, text):
    result = run(program, "fail", kind)
    assert (result.returncode, result.stdout, result.stderr) == (status, "", text)


def test_names_that_would_move_the_cursor_are_shown_as_what_they_are():
    @command_group("demo-tool", distribution="veracruz-utils", help="Fails.")
    def main() -> None:
        pass

    @main.command()
    def fail() -> None:
        raise VeracruzError("\x1b[2J is no file:\n\u202eelif")

    @main.command()
    def tell() -> None:
        emit({}, "\x1b[2J is a file:\n\u202eelif\tend", as_json=False)

    done = CliRunner().invoke(main, ["fail"], color=True)
    assert done.stderr == "demo-tool: \\x1b[2J is no file:\n\\u202eelif\n"
    done = CliRunner().invoke(main, ["tell"], color=True)
    assert done.stdout == "\\x1b[2J is a file:\n\\u202eelif\tend\n"


def test_debug_shows_where_it_comes_from(program):
    for result in (
        run(program, "--debug", "fail", "refused"),
        run(program, "fail", "refused", DEMO_TOOL_DEBUG="1"),
    ):
        assert result.returncode == 3
        assert "Traceback" in result.stderr
        assert result.stderr.endswith("demo-tool: policy says no\n")


@pytest.mark.parametrize(
    "args", [(), ("nonsense",), ("greet", "--nonsense"), ("greet", "--times", "x"), ("fail",)]
)
def test_wrong_usage_is_status_2_and_told_on_standard_error(program, args):
    result = run(program, *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Usage: demo-tool" in result.stderr


def test_results_and_notes_go_separate_ways(program):
    result = run(program, "greet", "--times", "2")
    assert (result.stdout, result.stderr) == ("hello hello \n", "about to greet\n")
    result = run(program, "greet", "--json")
    assert json.loads(result.stdout) == {"greeting": "hello", "times": 1}
    assert result.stderr == "about to greet\n"


def test_an_error_is_an_object_where_results_are(program):
    told = run(program, "greet", "--json", "--times", "x")
    assert (told.returncode, told.stdout) == (2, "")
    error = json.loads(told.stderr)["error"]
    assert (error["kind"], error["status"]) == ("BadParameter", 2)
    assert "'x' is not a valid integer" in error["message"]


def test_every_option_has_an_environment_name(program):
    result = run(program, "greet", DEMO_TOOL_GREET_TIMES="3", DEMO_TOOL_GREET_JSON="1")
    assert json.loads(result.stdout)["times"] == 3


def test_the_version_is_that_of_the_distribution(program):
    result = run(program, "--version", DEMO_TOOL_VERSION="7")
    assert (result.returncode, result.stdout) == (0, "demo-tool 0.1.0\n")
    assert run(program, "greet", DEMO_TOOL_VERSION="7").stdout == "hello \n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_the_commands(program, flag):
    result = run(program, flag)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Shows what programs do." in result.stdout
    assert "greet" in result.stdout
    assert "Say hello." in run(program, "greet", flag).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_candidates(program, shell):
    result = run(program, _DEMO_TOOL_COMPLETE=f"{shell}_source")
    assert result.returncode == 0
    assert "demo-tool" in result.stdout


def test_completion_knows_the_commands(program):
    result = run(
        program, _DEMO_TOOL_COMPLETE="bash_complete", COMP_WORDS="demo-tool gr", COMP_CWORD="1"
    )
    assert result.stdout == "plain,greet\n"


@pytest.mark.parametrize("command", ["wait", "ask"])
def test_ctrl_c_is_status_130(program, command):
    process = subprocess.Popen(
        [sys.executable, program, command],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert process.stderr.read().endswith("demo-tool: interrupted\n")


def test_a_reader_that_has_enough_is_no_error(program):
    result = subprocess.run(
        f"'{sys.executable}' '{program}' flood | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("x" * 100 + "\n", "")


def on_a_terminal(program: Path, *args: str, **environment: str) -> str:
    """What the program prints when its output and errors are a terminal."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, program, *args],
        env={"TERM": "xterm"} | os.environ | environment,
        stdout=child,
        stderr=child,
    ) as process:
        os.close(child)
        chunks = []
        try:
            while chunk := os.read(parent, 4096):
                chunks.append(chunk)
        except OSError:  # how the end of a terminal reads
            pass
        finally:
            os.close(parent)
    assert process.returncode == 0
    return b"".join(chunks).decode()


def test_colours_are_for_terminals_that_want_them(program):
    assert "\x1b[31m" in on_a_terminal(program, "blush", NO_COLOR="")
    assert "\x1b[31m" not in on_a_terminal(program, "blush", NO_COLOR="1")
    assert "\x1b[31m" not in run(program, "blush").stdout


@pytest.mark.parametrize(
    "words", [["--nosuch"], ["frob"], ["greet", "--nosuch"], ["greet", "--times"]]
)
def test_a_line_that_cannot_be_read_is_json_too_where_it_says_so(program, words):
    told = run(program, *words, "--json")
    error = json.loads(told.stderr)["error"]
    assert (told.returncode, error["status"], told.stdout) == (2, 2, "")
    assert run(program, "greet", "--nosuch", "--", "--json").stderr.startswith("Usage: ")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_standard_output_that_is_full_or_closed_is_named(program, options):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, program, "greet", *options]
        done = subprocess.run(command, stdout=full, stderr=-1, text=True, check=False)
    assert done.returncode == 1
    assert "cannot write to standard output: no space left on device" in done.stderr
    closed = ["sh", "-c", '"$@" >&-', "sh", *command]
    done = subprocess.run(closed, stderr=-1, text=True, check=False)
    assert done.returncode == 1
    assert "standard output is closed" in done.stderr


def test_a_service_says_what_happens_as_text_or_json(program):
    assert run(program, "serve").stderr == "demo-tool: session refused: too many\n"
    line = json.loads(run(program, "serve", "--log-format", "json").stderr)
    assert line["message"] == "session refused: too many"
    assert (line["level"], line["logger"]) == ("info", "demo")


@single_command("one-thing", distribution="veracruz-utils", help="Does one thing.")
@click.argument("path", callback=lambda context, option, value: _check(value))
@json_option
def one_thing(path, *, as_json):
    emit({"path": Path(path)}, path, as_json=as_json)


def _check(value: str) -> str:
    if value == "bad":
        raise RefusedError("bad is refused")
    return value


def test_a_single_command_ends_the_same_way():
    runner = CliRunner()
    assert runner.invoke(one_thing, ["good"]).stdout == "good\n"
    assert runner.invoke(one_thing, ["--version"]).stdout == "one-thing 0.1.0\n"
    assert runner.invoke(one_thing, []).exit_code == 2
    refused = runner.invoke(one_thing, ["bad"])
    assert (refused.exit_code, refused.stderr) == (3, "one-thing: bad is refused\n")


class Dropping:
    """Drops what is raised while it is finalised, as Python does, and is interrupted then."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


def test_a_group_without_commands_has_help():
    @subgroup()
    def empty() -> None:
        """Nothing yet."""

    done = CliRunner().invoke(empty, ["--help"])
    assert done.exit_code == 0
    assert "Nothing yet." in done.output
    assert "Commands:" not in done.output


def test_an_interrupt_is_not_lost_where_python_drops_it():
    @single_command("t", distribution="veracruz-utils", help="T.")
    def program() -> None:
        held = Dropping()
        del held
        time.sleep(30)

    result = CliRunner().invoke(program, [])
    assert (result.exit_code, result.stderr) == (130, "t: interrupted\n")


def test_an_interrupt_leaves_time_to_tidy_up():
    tidied = []

    @single_command("t", distribution="veracruz-utils", help="T.")
    def program() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)
        finally:
            time.sleep(0.3)
            tidied.append(True)

    assert CliRunner().invoke(program, []).exit_code == 130
    assert tidied == [True]


def test_an_address_is_read_or_refused_as_usage():
    @single_command("t", distribution="veracruz-utils", help="T.")
    @click.option("--listen", type=ADDRESS, default="[::1]:7")
    def program(listen) -> None:
        click.echo(f"{listen.host} {listen.port}")

    runner = CliRunner()
    assert runner.invoke(program, []).stdout == "::1 7\n"
    assert runner.invoke(program, ["--listen", "a.test:80"]).stdout == "a.test 80\n"
    refused = runner.invoke(program, ["--listen", "a.test"])
    assert refused.exit_code == 2
    assert "is not HOST:PORT" in refused.stderr
    assert "HOST:PORT" in runner.invoke(program, ["--help"]).stdout


def test_an_unknown_distribution_is_no_traceback():
    @command_group("lost", distribution="veracruz-that-is-not-installed", help="Lost.")
    def lost() -> None:
        pass

    result = CliRunner().invoke(lost, ["--version"])
    assert result.exit_code == 1
    assert result.stderr.startswith("lost: internal error")


def test_values_have_a_form_in_json(capsys):
    emit(
        {
            "digest": Digest(bytes(32)),
            "at": Address("::1", 3),
            "path": Path("/a"),
            "time": datetime(2026, 1, 2, tzinfo=UTC),
            "raw": b"\x01",
            "text": "\ud800\n",
        },
        "",
        as_json=True,
    )
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "digest": "00" * 32,
        "at": "[::1]:3",
        "path": "/a",
        "time": "2026-01-02T00:00:00+00:00",
        "raw": "01",
        "text": "\ud800\n",
    }
    with pytest.raises(TypeError, match="Secret"):
        emit({"key": _secret()}, "", as_json=True)


def _secret():
    from veracruz_utils.secret import Secret  # noqa: PLC0415 - beside its one use

    return Secret(b"key")


@pytest.mark.parametrize("error", [VeracruzError, RefusedError, UnreachableError])
def test_the_status_is_the_one_the_error_carries(error):
    @single_command("t", distribution="veracruz-utils", help="T.")
    def program() -> None:
        raise error("no")

    assert CliRunner().invoke(program, []).exit_code == error.exit_code
