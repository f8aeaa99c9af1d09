"""The how-to for a group of four, done by four parties with folders of their own."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sdk.examples import programs
from support import command_server
from support.patience import PATIENCE_S
from support.stack import run
from veracruz_image import MANIFEST

PAGE = (Path(__file__).parents[2] / "docs/how-to/a-group-of-four.md").read_text()
_STEP = re.compile(
    r"<!-- party: (?P<party>\w+)(?P<behind> &)? -->\n```console\n(?P<commands>.*?)```"
    r"|<!-- file: (?P<owner>\w+) (?P<file>\S+) -->\n```\w+\n(?P<text>.*?)```"
    r"|<!-- mail: (?P<sender>\w+) (?P<letter>\S+) (?P<receiver>\w+) -->"
    r"|<!-- (?P<wait>wait) -->",
    re.DOTALL,
)
PARTIES = ("author", "north", "south", "reader")


def commands(step: re.Match) -> list[str]:
    return [line.removeprefix("$ ") for line in step["commands"].splitlines()]


class Group:
    """Four folders, and what is done in them."""

    def __init__(self, stack, folder: Path) -> None:
        self.stack = stack
        self.folders = {name: folder / name for name in PARTIES}
        self.environment = {
            **os.environ,
            "PATH": command_server.path(),
            "DURANGO_CONFIG": str(folder / "config"),
        }
        self.printed = ""
        self._running: list[tuple[str, subprocess.Popen]] = []
        for each in self.folders.values():
            each.mkdir()

    def do(self, step: re.Match) -> None:
        if step["party"]:
            for command in commands(step):
                process = self._start(step["party"], command)
                if step["behind"]:
                    self._running.append((command, process))
                else:
                    self.printed += _ended(command, process)
        elif step["file"]:
            text = step["text"].replace("127.0.0.1:3010", str(self.stack.tabasco_address))
            self.folders[step["owner"]].joinpath(step["file"]).write_text(text)
        elif step["letter"]:
            letter = self.folders[step["sender"]] / step["letter"]
            shutil.copy(letter, self.folders[step["receiver"]])
        else:
            for command, process in self._running:
                _ended(command, process)

    def _start(self, party: str, command: str) -> subprocess.Popen:
        return subprocess.Popen(
            command, shell=True, cwd=self.folders[party], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def _ended(command: str, process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, f"{command}\n{out}{err}"
    return out


@pytest.mark.timeout(300)
def test_four_parties_come_to_a_verified_result_by_the_page(stack, tmp_path):
    group = Group(stack, tmp_path)
    author = group.folders["author"]
    shutil.copy(stack.tabasco_key_file, author / "tabasco.pem")
    author.joinpath("image").symlink_to(stack.image.folder / MANIFEST)
    run("veracruz-sdk", "generate", "people", "n.csv", "s.csv", cwd=tmp_path).done()
    for file, party in (("n.csv", "north"), ("s.csv", "south")):
        shutil.move(tmp_path / file, group.folders[party] / "patients.csv")
    steps = list(_STEP.finditer(PAGE))
    agreed = next(number for number, step in enumerate(steps) if step["behind"])
    for step in steps[:agreed]:
        group.do(step)
    raw = author.joinpath("policy.json").read_bytes()
    with stack.serving(raw, [], programs.load("private-set-intersection")) as computation:
        group.environment["DURANGO_SINALOA"] = str(computation.address)
        for step in steps[agreed:]:
            group.do(step)
        assert computation.sinaloa.wait(PATIENCE_S) == 0
    assert "Who learns what" in group.printed
    assert "is you as Klinikum Süd (DataProvider)" in group.printed
    assert "ok  result" in group.printed
    assert group.printed.count("employee_id,") == 1


def test_no_party_needs_more_than_ten_commands_and_the_table_counts_them():
    counted = Counter()
    for step in _STEP.finditer(PAGE):
        if step["party"]:
            counted[step["party"]] += len(commands(step))
    assert max(counted.values()) <= 10
    for name, party in (
        ("author", "author"),
        ("north, Klinikum Süd", "north"),
        ("reader", "reader"),
    ):
        assert re.search(rf"\| {name} \| {counted[party]}(?: each)? \|", PAGE)
