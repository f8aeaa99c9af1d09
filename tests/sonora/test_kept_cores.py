"""Cores that are kept over a restart: bounded, checked, and nothing that anybody depends on."""

import os
import subprocess
import sys
import time

import pytest

from sonora.kept_cores import KeptCores
from veracruz_utils.digest import Digest

A, B, C = b"core a" * 100, b"core b" * 100, b"core c" * 100


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cores"


@pytest.fixture
def kept(folder):
    return KeptCores(folder, 4, spare_bytes=0)


def keep(kept, *cores: bytes) -> None:
    for core in cores:
        kept.keep(Digest.of(core), core)
        time.sleep(0.01)  # another time of the file


def read(kept) -> list[bytes]:
    found = list(kept.newest_first())
    assert [digest for digest, _ in found] == [Digest.of(core) for _, core in found]
    return [core for _, core in found]


def file_of(folder, core: bytes):
    return folder / f"{Digest.of(core)}.core"


def test_cores_are_there_for_another_sonora_the_newest_first(folder, kept):
    assert read(kept) == []
    keep(kept, A, B, C)
    keep(kept, A)
    assert read(KeptCores(folder, 4)) == [A, C, B]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_one_that_was_brought_longest_ago_makes_room(folder):
    few = KeptCores(folder, 2, spare_bytes=0)
    keep(few, A, B, A, C)
    assert read(few) == [C, A]
    small = KeptCores(folder, 4, max_bytes=2 * len(A), spare_bytes=0)
    keep(small, B, bytes(2 * len(A) + 1))
    assert read(small) == [B, C]


def test_what_is_too_much_for_a_new_setting_goes_and_with_none_all_of_it(folder, kept):
    keep(kept, A, B, C)
    assert read(KeptCores(folder, 1)) == [C]
    none = KeptCores(folder, 0)
    assert read(none) == []
    keep(none, A)
    assert list(folder.iterdir()) == []


def damaged(path) -> None:
    content = bytearray(path.read_bytes())
    content[17] ^= 1
    path.write_bytes(content)


def cut(path) -> None:
    os.truncate(path, 10)


def emptied(path) -> None:
    os.truncate(path, 0)


def swapped(path) -> None:
    path.write_bytes(C)


def enormous(path) -> None:
    os.truncate(path, 64 * 1024 * 1024 + 1)


def open_to_others(path) -> None:
    path.chmod(0o644)


def a_link(path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def a_queue(path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    "change", [damaged, cut, emptied, swapped, enormous, open_to_others, a_link, a_queue]
)
def test_what_is_not_what_was_kept_is_not_used_and_removed(folder, kept, caplog, change):
    keep(kept, A, B)
    change(file_of(folder, A))
    assert read(kept) == [B]
    assert f"kept core {Digest.of(A)} is not used, and removed" in caplog.text
    assert [path.name for path in folder.iterdir()] == [file_of(folder, B).name]
    if change is a_link:
        assert (folder.parent / "elsewhere").read_bytes() == A  # where it led to is somebody's
    keep(kept, A)
    assert read(kept) == [A, B]


@pytest.mark.parametrize("way", ["open", "link", "file"])
def test_a_folder_that_is_not_ours_alone_is_not_used_and_that_is_said_once(
    folder, kept, caplog, tmp_path, way
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if way == "open":
        folder.mkdir()
        folder.chmod(0o770)
    elif way == "link":
        folder.symlink_to(elsewhere)
    else:
        folder.write_bytes(b"")
    keep(kept, A, B)
    assert read(kept) == []
    assert caplog.text.count("cores of programs are not kept over a restart") == 1
    assert list(elsewhere.iterdir()) == []
    assert way != "open" or list(folder.iterdir()) == []


def test_a_state_folder_that_is_not_there_is_not_made(tmp_path, caplog):
    keep(KeptCores(tmp_path / "none" / "cores", 4), A)
    assert not (tmp_path / "none").exists()
    assert "not kept over a restart" in caplog.text


def test_what_a_killed_sonora_left_half_written_goes_and_other_files_stay(folder, kept):
    keep(kept, A)
    (folder / f".{Digest.of(B)}.core.x7f2").write_bytes(B[:9])
    (folder / "notes.txt").write_bytes(b"an operator's")
    assert read(kept) == [A]
    assert {path.name for path in folder.iterdir()} == {file_of(folder, A).name, "notes.txt"}


WRITE = """
import logging, sys
from pathlib import Path
from sonora.kept_cores import KeptCores
from veracruz_utils.digest import Digest
logging.basicConfig()
kept = KeptCores(Path(sys.argv[1]) / "cores", 4, spare_bytes=int(sys.argv[2]))
for number in range(9):
    core = bytes([number]) * (60 << 10)
    kept.keep(Digest.of(core), core)
print(len(list(kept.newest_first())), sorted(p.name[:1] for p in kept._folder.iterdir()))
"""


@pytest.mark.parametrize(("spare", "fit", "why"), [
    ("-1000000", 3, "no space left on device"),  # as if there were more
    (str(100 << 10), 1, "bytes left, of which 102400 are to stay free"),
])  # fmt: skip
def test_on_a_full_disk_what_fits_is_kept_and_the_rest_is_said_once(tmp_path, spare, fit, why):
    mount = 'mount -t tmpfs -o size=200k none "$0" && exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path)]
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount in a user namespace of one's own here")
    words = [sys.executable, "-c", WRITE, str(tmp_path), spare]
    done = subprocess.run([*within, *words], capture_output=True, text=True, check=True)
    count, _, names = done.stdout.partition(" ")
    assert int(count) == fit
    assert "'.'" not in names  # no draft is left
    assert done.stderr.lower().count("not kept over a restart") == 1
    assert why in done.stderr.lower()


def test_a_core_that_is_read_while_another_makes_room_is_no_failure(folder, kept):
    keep(kept, A, B)
    found = kept.newest_first()
    assert next(found)[1] == B
    file_of(folder, A).unlink()
    assert list(found) == []
