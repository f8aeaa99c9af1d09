"""What is sent: sizes known beforehand, bounded memory, changes noticed."""

import io
import os
import subprocess
import sys
import tracemalloc

import pytest

import durango.content
from durango import ContentError
from durango.content import PIECE_BYTES, open_content
from veracruz_utils.digest import Digest


def sent(source) -> bytes:
    with open_content(source) as content:
        data = b"".join(content.pieces())
        assert len(data) == content.size
        assert content.digest() == Digest.of(data)
        return data


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1])
def test_bytes_and_files_of_every_size_are_sent_whole(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    assert sent(data) == data
    assert sent(bytearray(data)) == data
    assert sent(tmp_path / "file") == data
    assert sent(str(tmp_path / "file")) == data
    assert sent(io.BytesIO(data)) == data


def test_an_open_file_is_sent_from_where_it_stands(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    with (tmp_path / "file").open("rb") as file:
        file.seek(4)
        assert sent(file) == b"456789"


def test_no_piece_is_larger_than_a_mebibyte():
    with open_content(bytes(3 * PIECE_BYTES + 5)) as content:
        assert [len(piece) for piece in content.pieces()] == [PIECE_BYTES] * 3 + [5]


def test_a_large_file_is_read_in_constant_memory(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 * PIECE_BYTES)
    tracemalloc.start()
    try:
        with open_content(path) as content:
            assert sum(len(piece) for piece in content.pieces()) == 64 * PIECE_BYTES
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * PIECE_BYTES


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_changes_while_it_is_sent_is_an_error(tmp_path, change):
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    with open_content(path) as content:
        path.write_bytes(bytes(1000 + change))
        with pytest.raises(ContentError, match="changed while it was read"):
            list(content.pieces())


def test_a_missing_file_is_named(tmp_path):
    with (
        pytest.raises(ContentError, match="nowhere cannot be read: No such file"),
        open_content(tmp_path / "nowhere"),
    ):
        pass


def test_a_directory_is_no_content(tmp_path):
    with pytest.raises(ContentError, match="Is a directory"), open_content(tmp_path):
        pass


def from_stdin(data: bytes, **how) -> subprocess.CompletedProcess:
    script = (
        "import sys, durango.content\n"
        "durango.content.MAX_SPOOL_BYTES = 1000\n"
        "with durango.content.open_content('-') as content:\n"
        "    sys.stdout.buffer.write(b''.join(content.pieces()))\n"
    )
    return subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, **how)


def test_a_pipe_is_read_into_memory_first():
    assert from_stdin(b"", input=b"x" * 1000).stdout == b"x" * 1000


def test_a_pipe_with_more_than_the_limit_is_refused_with_the_reason():
    done = from_stdin(b"", input=b"x" * 1001)
    assert b"is a pipe with more than 1000 bytes" in done.stderr
    assert b"give a file" in done.stderr
    assert done.stdout == b""


def test_a_file_on_standard_input_needs_no_memory(tmp_path):
    (tmp_path / "file").write_bytes(b"y" * 5000)
    with (tmp_path / "file").open("rb") as file:
        assert from_stdin(b"", stdin=file).stdout == b"y" * 5000


def test_a_device_without_a_size_is_treated_as_a_pipe(monkeypatch):
    monkeypatch.setattr(durango.content, "MAX_SPOOL_BYTES", 5 * PIECE_BYTES)
    with pytest.raises(ContentError, match="is a pipe with more"), open_content("/dev/zero"):
        pass
