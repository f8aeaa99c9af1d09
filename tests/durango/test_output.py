"""Files that appear complete or not at all."""

import pytest

from durango import ContentError
from durango.output import new_file, refuse_existing


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "result"
    with new_file(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_file_that_was_not_completed(tmp_path):
    def fail():
        with new_file(tmp_path / "result") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_left_as_it_is(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    with pytest.raises(ContentError, match="exists already"), new_file(path):
        pass
    with pytest.raises(ContentError, match="exists already"):
        refuse_existing(path, force=False)
    assert path.read_bytes() == b"old"


def test_a_dangling_link_counts_as_existing(tmp_path):
    path = tmp_path / "result"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ContentError, match="exists already"), new_file(path):
        pass


def test_force_replaces_it(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    refuse_existing(path, force=True)
    with new_file(path, force=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_what_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "result"

    def write():
        with new_file(path) as file:
            file.write(b"mine")
            path.write_bytes(b"theirs")

    with pytest.raises(ContentError, match="appeared meanwhile"):
        write()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(ContentError, match="cannot be written: No such file"),
        new_file(tmp_path / "no" / "result"),
    ):
        pass
