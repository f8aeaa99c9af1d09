"""The commands of the tutorial do what it says, as they stand there."""

import os
import re
import shlex
import socket
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from support import command_server
from support.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
SCRIPTS = sysconfig.get_path("scripts")
_BLOCK = re.compile(
    r"<!-- tutorial -->\n```console\n(?P<commands>.*?)```"
    r"|<!-- tutorial file: (?P<file>\S+) -->\n```\w+\n(?P<text>.*?)```",
    re.DOTALL,
)


def steps() -> list[tuple[str, str]]:
    """What the tutorial has its reader do: a command on one line, or a file to write."""
    text = (ROOT / "docs/tutorial/a-computation-by-hand.md").read_text()
    for port in ("3010", "3011"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            text = text.replace(f":{port}", f":{probe.getsockname()[1]}")
    found = []
    for block in _BLOCK.finditer(text):
        if block["file"]:
            found.append((block["file"], block["text"]))
        else:
            lines = block["commands"].replace("\\\n", " ").splitlines()
            found += [("", line.removeprefix("$ ")) for line in lines]
    return found


def commands() -> list[str]:
    """The commands of the tutorial, in order."""
    return [command for file, command in steps() if not file]


class Shell:
    """What a reader does: one command after the other, services in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = ""
        self.services: list[subprocess.Popen] = []
        self.environment = {**os.environ, "PATH": command_server.path()}

    def do(self, command: str) -> None:
        if command.startswith("mkdir"):
            self.folder /= "tutorial"
            self.folder.mkdir()
        elif command.endswith("&"):
            self._serve(command.removesuffix("&"))
        elif command.startswith("kill"):
            self._kill([int(job) for job in re.findall(r"%(\d)", command)])
        else:
            self._run(command)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        self.output += done.stdout

    def _serve(self, command: str) -> None:
        log = self.folder / f"{len(self.services)}.log"
        with log.open("w") as stderr:
            program, *arguments = shlex.split(command)
            service = subprocess.Popen(
                [Path(SCRIPTS, program), *arguments],
                cwd=self.folder, env=self.environment, stderr=stderr,
            )  # fmt: skip
        self.services.append(service)
        deadline = time.monotonic() + PATIENCE_S
        while ": ready on " not in log.read_text():
            assert service.poll() is None, f"{command}\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{command}\n{log.read_text()}"
            time.sleep(0.05)

    def _kill(self, jobs: list[int]) -> None:
        for job in jobs:
            service = self.services[job - 1]
            service.terminate()
            assert service.wait(PATIENCE_S) == 0

    def close(self) -> None:
        for service in self.services:
            if service.poll() is None:
                service.kill()
            service.wait()


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


@pytest.mark.timeout(300)
def test_the_tutorial_computes_the_intersection(shell):
    for file, step in steps():
        if file:
            shell.folder.joinpath(file).write_text(step)
        else:
            shell.do(step)
    bridge = shell.services[2]
    assert bridge.wait(PATIENCE_S) == 0
    people = re.findall(r"^[^,\n]+,(?:E\d+|employee_id),\w+,\w+$", shell.output, re.MULTILINE)
    north = set((shell.folder / "north.csv").read_text().splitlines())
    south = set((shell.folder / "south.csv").read_text().splitlines())
    assert set(people) == north & south
    assert len(people) == 1201


def test_the_tutorial_shows_every_command_it_should():
    shown = "\n".join(commands())
    for name in (
        "tabasco serve", "sonora serve", "sinaloa serve", "durango identity new",
        "durango policy build", "durango policy explain",
        "durango attest", "durango program send", "durango data send",
        "durango result get", "durango status", "durango shutdown",
    ):  # fmt: skip
        assert name in shown


def test_the_tutorial_can_be_read_slowly():
    """Nothing that a command needs is good for a while only, such as an attestation on a file."""
    for command in commands():
        assert "--attestation" not in command
        assert not command.startswith("durango attest") or "--output" not in command


def test_the_readme_is_a_page_and_shows_what_it_looks_like():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 120
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")
    assert "(docs/tutorial/a-computation-by-hand.md)" in text
