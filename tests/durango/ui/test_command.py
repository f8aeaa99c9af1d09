"""`durango ui` as a command: what it needs, and what it tells of itself."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from durango.cli.ui import _Links
from support.patience import PATIENCE_S
from support.principal_rig import new_identity
from support.stack import SCRIPTS


def test_the_link_is_told_and_its_word_is_in_no_argument(world):
    process = subprocess.Popen(
        [SCRIPTS / "durango", "ui", str(world.policy), *world.who("bob")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        link = process.stdout.readline().strip()
        origin, _, word = link.partition("/#")
        assert origin.startswith("http://127.0.0.1:")
        assert len(word) == 43
        assert word not in Path(f"/proc/{process.pid}/cmdline").read_text()
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert "works once" in said
    assert word not in said
    assert "Traceback" not in said


def test_the_file_that_opens_a_browser_is_for_its_owner_and_keeps_the_word_from_others(tmp_path):
    opened = []
    links = _Links(tmp_path, opened.append)
    links("http://127.0.0.1:1/#word")
    assert opened == [tmp_path.joinpath("open.html").as_uri()]
    assert tmp_path.joinpath("open.html").stat().st_mode & 0o777 == 0o600
    assert 'url=http://127.0.0.1:1/#word"' in tmp_path.joinpath("open.html").read_text()


def test_without_its_extra_the_command_says_which_one_it_needs(world, tmp_path):
    tmp_path.joinpath("jinja2.py").write_text(
        "raise ModuleNotFoundError('No module named jinja2', name='jinja2')"
    )
    done = subprocess.run(
        [SCRIPTS / "durango", "ui", str(world.policy), *world.who("bob")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "the page needs jinja2: pip install 'veracruz-durango[ui]'" in done.stderr


def test_who_is_not_in_the_policy_has_no_page(world):
    world.write_identity("mallory", new_identity("mallory"))
    said = world.complain("ui", str(world.policy), *world.who("mallory"), status=3)
    assert "is not in policy" in said


def test_a_taken_port_is_named(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = world.complain("ui", str(world.policy), *world.who("bob"), "--port", port, status=1)
    assert f"127.0.0.1:{port}: it is taken, give another --port" in said
