"""A page of the documentation, and a reader who does what it says, word for word."""

import os
import re
import shlex
import socket
import subprocess
import sysconfig
import time
from pathlib import Path

from support import command_server
from support.patience import PATIENCE_S

SCRIPTS = sysconfig.get_path("scripts")


def steps_of(page: Path, mark: str) -> list[tuple[str, str]]:
    """What blocks with this mark have their reader do: a command on one line, or a file to write.

    The ports of the services are free ones.
    """
    blocks = re.compile(
        rf"<!-- {mark} -->\n```console\n(?P<commands>.*?)```"
        rf"|<!-- {mark} file: (?P<file>\S+) -->\n```\w+\n(?P<text>.*?)```",
        re.DOTALL,
    )
    text = page.read_text()
    for port in ("3010", "3011"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            text = text.replace(f":{port}", f":{probe.getsockname()[1]}")
    found = []
    for block in blocks.finditer(text):
        if block["file"]:
            found.append((block["file"], block["text"]))
        else:
            lines = block["commands"].replace("\\\n", " ").splitlines()
            found += [("", line.removeprefix("$ ")) for line in lines]
    return found


class Shell:
    """What a reader does: one command after the other, services in the background."""

    def __init__(self, folder: Path, *, patience_s: float = PATIENCE_S) -> None:
        self.folder = folder
        self.patience_s = patience_s
        self.output = ""
        self.services: list[subprocess.Popen] = []
        self.environment = {**os.environ, "PATH": command_server.path()}

    def do(self, command: str) -> None:
        if command.startswith("mkdir"):
            self.folder /= command.rsplit(maxsplit=1)[-1]
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
            timeout=self.patience_s,
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
        deadline = time.monotonic() + self.patience_s
        while ": ready on " not in log.read_text():
            assert service.poll() is None, f"{command}\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{command}\n{log.read_text()}"
            time.sleep(0.05)

    def _kill(self, jobs: list[int]) -> None:
        for job in jobs:
            service = self.services[job - 1]
            service.terminate()
            assert service.wait(self.patience_s) == 0

    def follow(self, steps: list[tuple[str, str]]) -> None:
        """Do all of that."""
        for file, step in steps:
            if file:
                (self.folder / file).write_text(step)
            else:
                self.do(step)

    def close(self) -> None:
        for service in self.services:
            if service.poll() is None:
                service.kill()
            service.wait()
