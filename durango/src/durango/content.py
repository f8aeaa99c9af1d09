"""What a principal sends: bytes of known size, read in pieces.

The size is announced before the first byte, so a file is measured once when it is opened, and a
file that changes while it is sent is an error. A pipe has no size: it is read into memory first,
up to a limit, and never into a file, because it may be a secret.
"""

import hashlib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from durango.errors import ContentError
from veracruz_utils.digest import Digest

PIECE_BYTES: Final = 63 * 16 * 1024
"""As `jalisco.PIECE_BYTES`, which only those who connect load."""
MAX_SPOOL_BYTES: Final = 256 * 1024 * 1024
"""The most that is read from a pipe into memory."""


class UploadContent:
    """`size` bytes to send, from the current position of a file that can seek.

    `known_as` is the type that they were found to be of; None before that. `check` is called before
    each piece is read, and may raise.
    """

    def __init__(
        self, file: BinaryIO, *, name: str, check: Callable[[], None] = lambda: None
    ) -> None:
        self.name = name
        self._check = check
        self.known_as: str | None = None
        self._file = file
        self._start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self._start

    def pieces(self, offset: int = 0) -> Iterator[bytes | memoryview]:
        """The bytes from `offset` on, in pieces of at most `PIECE_BYTES`.

        Raises:
            ContentError: the file cannot be read, or is no longer `size` bytes.
        """
        try:
            self._file.seek(self._start + offset)
            remaining = self.size - offset
            while remaining:
                self._check()
                piece = self._file.read(min(remaining, PIECE_BYTES))
                remaining -= len(piece)
                # One that grew is refused too: the announced bytes would be a part of it.
                if not piece or (not remaining and self._file.read(1)):
                    raise self._changed()
                yield piece
        except OSError as error:
            raise ContentError(f"{self.name} cannot be read: {error.strerror}") from error

    def read(self, offset: int, most: int) -> bytes:
        """Up to `most` bytes from `offset`.

        Raises:
            ContentError: the file cannot be read, or is no longer `size` bytes.
        """
        self._check()
        wanted = min(most, self.size - offset)
        try:
            self._file.seek(self._start + offset)
            found = self._file.read(wanted)
        except OSError as error:
            raise ContentError(f"{self.name} cannot be read: {error.strerror}") from error
        if len(found) < wanted:
            raise self._changed()
        return found

    def open(self) -> BinaryIO:
        """The bytes as a file to read."""
        return io.BufferedReader(_ContentFile(self), PIECE_BYTES)

    def digest(self) -> Digest:
        """SHA-256 of the bytes; reads all of them."""
        sha256 = hashlib.sha256()
        for piece in self.pieces():
            sha256.update(piece)
        return Digest(sha256.digest())

    def _changed(self) -> ContentError:
        return ContentError(
            f"{self.name} changed while it was read, it had {self.size} bytes: "
            "send a copy that nobody writes to"
        )


class _ContentAtHand(UploadContent):
    """Bytes that are in memory already, of which no piece is copied."""

    def __init__(self, data: bytes, check: Callable[[], None]) -> None:
        super().__init__(io.BytesIO(data), name="content", check=check)
        self._data = memoryview(data)

    def pieces(self, offset: int = 0) -> Iterator[bytes | memoryview]:
        """See `UploadContent.pieces`."""
        for start in range(offset, self.size, PIECE_BYTES):
            self._check()
            yield self._data[start : start + PIECE_BYTES]


class _ContentFile(io.RawIOBase):
    """The bytes of content, as a file."""

    def __init__(self, content: UploadContent) -> None:
        super().__init__()
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._content.size}
        self._at = min(max(starts[whence] + offset, 0), self._content.size)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - writable bytes: Python 3.11 has no name for them
        room = memoryview(buffer)
        found = self._content.read(self._at, len(room))
        room[: len(found)] = found
        self._at += len(found)
        return len(found)


Source = bytes | bytearray | memoryview | Path | str | BinaryIO | UploadContent
"""Bytes at hand, a path (text is one; `-` is stdin), an open binary file, or opened content."""


@contextmanager
def open_content(
    source: Source, *, check: Callable[[], None] = lambda: None
) -> Iterator[UploadContent]:
    """`source` as content; a file is open for as long as the context lasts.

    Args:
        source: what there is.
        check: called before each piece is read; what it raises ends that.

    Raises:
        ContentError: the file cannot be read, or is a pipe with more than 256 MiB in it.
    """
    if isinstance(source, UploadContent):
        yield source
    elif isinstance(source, bytes | bytearray | memoryview):
        yield _ContentAtHand(bytes(source), check)
    elif isinstance(source, str | Path) and str(source) == "-":
        yield _measured(sys.stdin.buffer, name="standard input", check=check)
    elif isinstance(source, str | Path):
        with _opened(Path(source)) as file:
            yield _measured(file, name=str(source), check=check)
    elif not _is_binary_file(source):
        raise TypeError(
            f"bytes, a path or a file that is open in binary are sent, not {type(source).__name__}"
        )
    else:
        yield _measured(source, name=str(getattr(source, "name", "content")), check=check)


def _is_binary_file(source: object) -> bool:
    return hasattr(source, "read") and not isinstance(source, io.TextIOBase)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ContentError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # NUL in the name
        raise ContentError(f"{str(path)!r} cannot be read: {error}") from error


def _measured(file: BinaryIO, *, name: str, check: Callable[[], None]) -> UploadContent:
    try:
        whole = file if _can_seek(file) else _spooled(file, name, check)
        return UploadContent(whole, name=name, check=check)
    except OSError as error:
        raise ContentError(f"{name} cannot be read: {error.strerror}") from error


def _can_seek(file: BinaryIO) -> bool:
    """Whether the file has a size: devices let themselves be sought and have none."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    # Not a file of the system, such as BytesIO: it knows by itself.
    except io.UnsupportedOperation:
        return file.seekable()


def _spooled(file: BinaryIO, name: str, check: Callable[[], None]) -> BinaryIO:
    data = io.BytesIO()
    while piece := file.read(PIECE_BYTES):
        check()
        data.write(piece)
        if data.tell() > MAX_SPOOL_BYTES:
            raise ContentError(
                f"{name} is a pipe with more than {MAX_SPOOL_BYTES} bytes in it, and its size has "
                "to be known before it is sent: give a file"
            )
    data.seek(0)
    return data
