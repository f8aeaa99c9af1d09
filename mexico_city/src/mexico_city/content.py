"""What principals send and programs write, kept in sealed anonymous files.

An anonymous file (memfd) is shared with the guest process by its descriptor and mapped there, so a
host call copies straight from the mapping into linear memory and no process holds a second copy.
Sealing makes it immutable, for whoever holds the descriptor.
"""

import fcntl
import hashlib
import os
from typing import Final

from mexico_city.errors import RuntimeFailure
from veracruz_utils.digest import Digest

_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_PIECE_BYTES: Final = 1024 * 1024
_STEP_BYTES: Final = 4 * _PIECE_BYTES


def anonymous_file(name: str = "content") -> int:
    """The descriptor of a new, empty anonymous file that can be sealed; the name is for people."""
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def file_size(descriptor: int) -> int:
    """The size of a file in bytes; its offset moves.

    Not by `fstat`, which the C library asks for by a call that takes paths: the sandbox has none.
    """
    return os.lseek(descriptor, 0, os.SEEK_END)


class _File:
    """An anonymous file that is this object's to close."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Give the memory back, when no process has it mapped any more; idempotent."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _hand_over(self, size: int, digest: bytes) -> "Content":
        descriptor, self.descriptor = self.descriptor, -1
        return Content(descriptor, size, Digest(digest))


class Content(_File):
    """Immutable bytes in an anonymous file: `descriptor`, `size` in bytes, SHA-256 `digest`."""

    def __init__(self, descriptor: int, size: int, digest: Digest) -> None:
        super().__init__(descriptor)
        self.size = size
        self.digest = digest

    def read(self, offset: int, most: int) -> bytes:
        """Up to `most` bytes from `offset`."""
        return os.pread(self.descriptor, most, offset)

    def duplicate(self) -> "Content":
        """The same content with a life of its own, for whoever is still sending it."""
        return Content(os.dup(self.descriptor), self.size, self.digest)


class ContentWriter(_File):
    """Content on its way in, exactly `size` bytes of it."""

    def __init__(self, size: int) -> None:
        super().__init__(anonymous_file())
        self.remaining = size
        self._size = size
        self._sha256 = hashlib.sha256()

    @property
    def written(self) -> int:
        """How many bytes are there."""
        return self._size - self.remaining

    def write(self, data: bytes | memoryview) -> None:
        """Add `data`, at most `remaining` bytes."""
        assert len(data) <= self.remaining
        view = memoryview(data)
        self._sha256.update(view)
        self.remaining -= len(view)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def finish(self) -> Content:
        """All of it, sealed."""
        assert self.remaining == 0
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return self._hand_over(self._size, self._sha256.digest())


class Sealing(_File):
    """The file that another process filled, on its way to being content.

    It is immutable from the start; reading what it is takes a while, so `step` does a part of it.
    """

    def __init__(self, descriptor: int, *, size: int, limit: int) -> None:
        """Make the file immutable; its descriptor becomes ours.

        Raises:
            RuntimeFailure: it is not `size` bytes, more than `limit`, or still open to change. It
                is closed.
        """
        super().__init__(descriptor)
        self._size = size
        self._sha256 = hashlib.sha256()
        self._offset = 0
        try:
            self._seal(limit)
        except RuntimeFailure:
            self.close()
            raise

    def step(self) -> Content | None:
        """Read on; the content when that was all of it."""
        end = min(self._size, self._offset + _STEP_BYTES)
        while self._offset < end:
            piece = os.pread(self.descriptor, _PIECE_BYTES, self._offset)
            self._sha256.update(piece)
            self._offset += len(piece)
        return self._hand_over(self._size, self._sha256.digest()) if end == self._size else None

    def _seal(self, limit: int) -> None:
        if self._size > limit:
            raise RuntimeFailure(f"the output file has {self._size} bytes, the limit is {limit}")
        try:
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except OSError as error:
            raise RuntimeFailure("the output file is still mapped for writing") from error
        # Only now: before the seals its writer could still have changed it.
        found = file_size(self.descriptor)
        if found != self._size:
            raise RuntimeFailure(f"the output file has {found} bytes, {self._size} were announced")


def content_of(data: bytes | memoryview) -> Content:
    """Content made of bytes at hand."""
    writer = ContentWriter(len(data))
    writer.write(data)
    return writer.finish()
