"""The commands in the how-to pages work, as they stand there."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_COMMANDS = re.compile(r"<!-- tested -->\n```console\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)


@pytest.fixture
def follow(tmp_path):
    """A function that does what a page says in an empty folder, and gives what was printed."""
    paths = f"{sysconfig.get_path('scripts')}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": paths,
        "SDK": str(ROOT / "sdk"),
        "VECTORS": str(ROOT / "tests/vectors"),
    }

    def do(page: str) -> str:
        text = (ROOT / "docs/how-to" / page).read_text()
        for name, content in _FILE.findall(text):
            (tmp_path / name).write_text(content)
        printed = ""
        for line in "".join(_COMMANDS.findall(text)).splitlines():
            done = subprocess.run(
                line.removeprefix("$ "),
                shell=True,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            printed += done.stdout
        return printed

    return do


def test_a_program_is_tried_offline(follow):
    assert "name,employee_id,age,grade" in follow("try-a-program-offline.md")


@pytest.mark.timeout(300)  # the compiler fills its cache the first time
def test_a_program_is_written_in_c(follow):
    assert follow("write-a-program-in-c.md").splitlines()[-1] == "12"


def test_evidence_is_verified_offline(follow):
    printed = follow("verify-evidence-offline.md")
    assert printed.count("verdict: accepted") == 3
    assert "3 of 3 are good for 7 days" in printed
