"""The log of services: every line in the form that was asked for, whoever says it."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = '''
import logging
import threading
import warnings
from veracruz_shells.console import json_option, log_option, note
from veracruz_shells.log import about
from veracruz_shells.settings import ServiceCommand, service_group
from veracruz_utils.errors import RefusedError

@service_group("demo", distribution="veracruz-utils", help="Says what happens.")
def main():
    pass

@main.command(cls=ServiceCommand)
@log_option
@json_option
def serve(as_json):
    """Serve."""
    logging.getLogger("door").info("session ended", extra=about(session=3, peer="::1", policy=None))
    note("demo: ready on 127.0.0.1:1", address="127.0.0.1:1")
    note("warning: two\\nlines")
    warnings.warn("old", stacklevel=1)
    def fail():
        raise KeyError("in a thread")
    thread = threading.Thread(target=fail, name="door")
    thread.start()
    thread.join()
    raise RefusedError("policy says no")

main()
'''


@pytest.fixture
def said(tmp_path):
    """What the program says on standard error with these words and names."""
    program = tmp_path / "demo.py"
    program.write_text(PROGRAM)

    def run(*words: str, **names: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, program, *words],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | names,
            cwd=tmp_path,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.stdout == ""
        return done.stderr.splitlines()

    return run


@pytest.mark.parametrize("where", ["flag", "environment", "file"])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_every_line_is_an_object_the_ready_line_and_the_error_too(said, tmp_path, where, words):
    words, names = ["serve", *words], {}
    if where == "flag":
        words += ["--log-format", "json"]
    elif where == "environment":
        names["DEMO_SERVE_LOG_FORMAT"] = "json"
    else:
        (tmp_path / "demo.toml").write_text('log_format = "json"')
        names["DEMO_CONFIG"] = "demo.toml"
    lines = [json.loads(line) for line in said(*words, **names)]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    session, ready, warned, old, failed, error = lines
    assert (session["session"], session["peer"], "policy" in session) == (3, "::1", False)
    assert (ready["logger"], ready["message"]) == ("demo", "ready on 127.0.0.1:1")
    assert ready["address"] == "127.0.0.1:1"
    assert (warned["level"], warned["message"]) == ("warning", "warning: two\nlines")
    assert "old" in old["message"]
    assert "in a thread" in failed["traceback"]
    assert (error["level"], error["message"]) == ("error", "policy says no")
    assert error["error"]["status"] == 3


def test_in_text_the_fields_of_a_line_stand_behind_it(said):
    lines = said("serve")
    assert lines[0] == "demo: session ended; session=3 peer=::1"
    assert lines[1] == "demo: ready on 127.0.0.1:1"
    assert lines[-1] == "demo: policy says no"


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--nosuch", "--log-format", "json"],
        ["serve", "--log-format=json", "extra"],
        ["serve", "--config", "nowhere.toml", "--log-format=json"],
    ],
)
def test_a_command_line_that_is_refused_is_told_in_json_where_it_asks_for_that(said, words):
    (line,) = said(*words)
    assert json.loads(line)["level"] == "error"
