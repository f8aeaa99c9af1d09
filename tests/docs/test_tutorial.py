"""The commands of the tutorial do what it says, as they stand there."""

import re
from pathlib import Path

import pytest

from support.followed_page import Shell, steps_of
from support.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


def steps() -> list[tuple[str, str]]:
    """What the tutorial has its reader do."""
    return steps_of(ROOT / "docs/tutorial/a-computation-by-hand.md", "tutorial")


def commands() -> list[str]:
    """The commands of the tutorial, in order."""
    return [command for file, command in steps() if not file]


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


@pytest.mark.timeout(300)
def test_the_tutorial_computes_the_intersection(shell):
    shell.follow(steps())
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
