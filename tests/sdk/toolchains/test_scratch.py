"""The folders that builds work in: gone when they end, and later when they were killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sdk.toolchains.scratch import PREFIX, STALE_SECONDS, build_folder

KILLED = """
import sys, time
from sdk.toolchains.scratch import build_folder
with build_folder() as folder:
    folder.joinpath("program.wasm").write_bytes(b"")
    print(folder, flush=True)
    time.sleep(600)
"""
NOBODY = 65534


@pytest.fixture
def shared(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def grown_old(path):
    then = path.stat().st_mtime - 2 * STALE_SECONDS
    os.utime(path, (then, then))
    return path


def test_a_build_leaves_no_folder(shared):
    with build_folder() as folder:
        folder.joinpath("inside").mkdir()
        assert folder.parent == shared
    assert list(shared.iterdir()) == []


def test_a_folder_of_a_build_is_kept_while_that_lives_and_goes_once_it_was_killed(shared):
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE) as process:
        folder = grown_old(Path(process.stdout.readline().strip().decode()))
        with build_folder():
            assert folder.joinpath("program.wasm").exists()
        process.send_signal(signal.SIGKILL)
    with build_folder():
        assert not folder.exists()


def test_a_young_folder_is_left_alone(shared):
    folder = shared / f"{PREFIX}young"
    folder.mkdir()
    with build_folder():
        assert folder.exists()


def test_what_is_no_folder_of_this_users_build_is_left_alone(shared):
    kept = shared / "precious"
    kept.mkdir()
    kept.joinpath("file").write_bytes(b"")
    shared.joinpath(f"{PREFIX}link").symlink_to(kept)
    shared.joinpath(f"{PREFIX}file").write_bytes(b"")
    for path in (kept, shared / f"{PREFIX}file"):
        grown_old(path)
    before = {path.name for path in shared.rglob("*")}
    with build_folder():
        pass
    assert {path.name for path in shared.rglob("*")} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user, as root")
def test_another_users_folder_is_left_alone(shared):
    folder = shared / f"{PREFIX}theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    grown_old(folder)
    with build_folder():
        assert folder.exists()
