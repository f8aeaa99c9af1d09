import errno
import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_shells.files import (
    NewFile,
    new_file,
    read_file,
    refuse_existing,
    write_new_file,
    write_new_files,
)
from veracruz_utils.errors import VeracruzError


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@given(st.binary(max_size=100), st.integers(0, 100))
def test_a_file_is_read_whole_or_not_at_all(tmp_path_factory, data, limit):
    path = tmp_path_factory.mktemp("read") / "file"
    path.write_bytes(data)
    if len(data) <= limit:
        assert read_file(path, limit=limit, what="policy") == data
    else:
        with pytest.raises(VeracruzError, match=f"more than {limit} bytes"):
            read_file(path, limit=limit, what="policy")


def test_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(VeracruzError, match="more than 1000 bytes"):
        read_file(Path("/dev/zero"), limit=1000, what="policy")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "no such file or directory"),
        (".", "is a directory"),
        ("missing/file", "no such file or directory"),
        ("a\0b", "null"),
        ("n" * 300, "file name too long"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_purpose(folder, name, reason):
    with pytest.raises(VeracruzError) as caught:
        read_file(folder / name, limit=10, what="certificate")
    assert str(caught.value).startswith("cannot read certificate /")
    assert reason in str(caught.value)


def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))
    assert read_file(Path("-"), limit=100, what="key") == b"from a pipe"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_new_file_has_exactly_its_content_and_mode(folder, umask, mode):
    before = os.umask(umask)
    try:
        write_new_file(folder / "key", b"content", mode=mode)
    finally:
        os.umask(before)
    assert mode_of(folder / "key") == mode
    assert (folder / "key").read_bytes() == b"content"
    assert [path.name for path in folder.iterdir()] == ["key"]


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_is_not_overwritten(folder, kind):
    path = folder / "there"
    match kind:
        case "file":
            path.write_bytes(b"old")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("nowhere")
    with pytest.raises(VeracruzError, match=r"exists already.*--force"):
        write_new_file(path, b"new", mode=0o600)
    assert [each.name for each in folder.iterdir()] == ["there"]
    if kind == "file":
        assert path.read_bytes() == b"old"


def test_force_puts_the_new_in_place_of_the_old_with_its_own_mode(folder):
    path = folder / "there"
    path.write_bytes(b"old")
    path.chmod(0o666)
    write_new_file(path, b"new", mode=0o600, force=True)
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o600)
    assert [each.name for each in folder.iterdir()] == ["there"]


def test_force_replaces_a_link_and_not_what_it_points_to(folder):
    target, path = folder / "target", folder / "link"
    target.write_bytes(b"precious")
    path.symlink_to(target)
    write_new_file(path, b"new", mode=0o600, force=True)
    assert target.read_bytes() == b"precious"
    assert not path.is_symlink()


@pytest.mark.parametrize("name", ["missing/key", "file/key", "n" * 300, "a\0b"])
def test_what_cannot_be_written_is_told_and_leaves_nothing(folder, name):
    (folder / "file").write_bytes(b"")
    with pytest.raises(VeracruzError, match="cannot write"):
        write_new_file(folder / name, b"new", mode=0o600)
    assert [each.name for each in folder.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file(folder):
    path = folder / "there"
    path.write_bytes(b"old")
    import resource  # noqa: PLC0415 - beside its one use
    import signal  # noqa: PLC0415

    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.SIG_IGN
    handler = signal.signal(signal.SIGXFSZ, ignored)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(VeracruzError, match="too large"):
            write_new_file(path, bytes(100), mode=0o600, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert [each.name for each in folder.iterdir()] == ["there"]


def test_without_hard_links_nothing_is_overwritten_either(folder, monkeypatch):
    def no_links(self, target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_new_file(folder / "key", b"one", mode=0o600)
    with pytest.raises(VeracruzError, match="exists already"):
        write_new_file(folder / "key", b"two", mode=0o600)
    assert (folder / "key").read_bytes() == b"one"
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "result"
    with new_file(path, mode=0o600) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_file_that_was_not_completed(tmp_path):
    def fail():
        with new_file(tmp_path / "result", mode=0o600) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_refused_early_and_late(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    with pytest.raises(VeracruzError, match="exists already"), new_file(path, mode=0o600):
        pass
    with pytest.raises(VeracruzError, match="exists already"):
        refuse_existing(path, force=False)
    assert path.read_bytes() == b"old"


def test_a_dangling_link_counts_as_existing(tmp_path):
    path = tmp_path / "result"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VeracruzError, match="exists already"), new_file(path, mode=0o600):
        pass


def test_force_replaces_it(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    refuse_existing(path, force=True)
    with new_file(path, mode=0o600, force=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_what_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "result"

    def write():
        with new_file(path, mode=0o600) as file:
            file.write(b"mine")
            path.write_bytes(b"theirs")

    with pytest.raises(VeracruzError, match="exists already"):
        write()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(VeracruzError, match=r"cannot write .*: no such file"),
        new_file(tmp_path / "no" / "result", mode=0o600),
    ):
        pass


# Files that belong together, and room that is reserved.


def pair(folder: Path) -> tuple[NewFile, NewFile]:
    return NewFile(folder / "key", b"k", 0o600), NewFile(folder / "certificate", b"c", 0o644)


def test_files_that_belong_together_are_made_together(tmp_path):
    write_new_files(*pair(tmp_path))
    found = {each.name: (each.read_bytes(), each.stat().st_mode & 0o777)
             for each in tmp_path.iterdir()}  # fmt: skip
    assert found == {"key": (b"k", 0o600), "certificate": (b"c", 0o644)}


def test_of_files_that_belong_together_none_is_made_when_one_cannot_be(tmp_path):
    (tmp_path / "certificate").write_bytes(b"another's")
    with pytest.raises(VeracruzError, match="certificate exists already"):
        write_new_files(*pair(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["certificate"]


def test_a_name_that_cannot_be_given_takes_those_back_that_were(tmp_path, monkeypatch):
    link = Path.hardlink_to

    def refuse_the_second(self, target):
        if self.name == "certificate":
            raise OSError(errno.ENOSPC, "No space left on device")
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", refuse_the_second)
    with pytest.raises(VeracruzError, match=r"cannot write .*certificate: no space left on device"):
        write_new_files(*pair(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_was_reserved_and_not_written_is_not_in_the_file(tmp_path):
    with new_file(tmp_path / "file", mode=0o600, reserve=4096) as file:
        assert os.fstat(file.fileno()).st_size == 4096
        file.write(b"short")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_the_content_of_a_new_file_does_not_show(tmp_path):
    assert "secret" not in repr(NewFile(tmp_path / "file", b"secret", 0o600))
