"""An image as a folder: `manifest.txt` and, beside it, the image's root in `root`."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from veracruz_image.differences import differences
from veracruz_image.entries import ImageEntry, ImageFile, ImageFolder, ImageLink, Irregular
from veracruz_image.errors import ImageChangedError, ImageError
from veracruz_image.manifest import MAX_CONTENT_BYTES, MAX_ENTRIES, Manifest
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

MANIFEST: Final = "manifest.txt"
ROOT: Final = "root"
_PIECE_BYTES: Final = 1024 * 1024
_DEEPEST_CHARS: Final = 500
"""A longer path is in no image, and each folder on the way is an open file."""
_IRREGULAR: Final = {
    stat.S_IFIFO: "queue",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


@frozen
class _Item:
    """What is at a path: `name` in the open folder `folder`."""

    path: str
    folder: int
    name: str
    status: os.stat_result

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self.status.st_mode)

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.status.st_mode)


def found_in(root: int) -> dict[str, ImageEntry | Irregular]:
    """What is in the folder that the descriptor `root` is open at, each file by its digest.

    No link is followed. A name that no image has is written with escapes.

    Raises:
        ImageError: it holds more than an image can, or cannot be read.
    """
    found = {}
    for item in _walk(root):
        with _named(item.path):
            found[item.path] = _entry(item)
    return found


def check(root: int, manifest: Manifest, *, what: str) -> None:
    """Compare the folder that the descriptor `root` is open at with its manifest.

    Args:
        root: an open folder.
        manifest: what must be in it, and nothing else.
        what: the folder's name, for the error.

    Raises:
        ImageChangedError: it holds something else.
        ImageError: it cannot be read, or holds more than an image can.
    """
    differing = differences(manifest.entries, found_in(root))
    if differing:
        raise ImageChangedError(what, [str(each) for each in differing])


def copy(source: int, target: int) -> None:
    """Copy all that is in an open folder into another, which is empty, whether it belongs or not.

    Nothing of it is trusted: `check` the copy, which has exactly what was found.

    Raises:
        ImageError: it holds more than an image can or something of another kind, or cannot be
            read or written.
    """
    room = MAX_CONTENT_BYTES
    closed: list[tuple[str, int]] = []
    for item in _walk(source):
        if "\\" in item.path:
            raise ImageError(f"{item.path}: no image has such a name")
        with _named(item.path):
            match item.kind:
                case stat.S_IFREG:
                    with _opened(item) as file:
                        room -= put_file(target, item.path, item.mode, _pieces(file, room + 1))
                case stat.S_IFDIR:
                    put_folder(target, item.path)
                    closed.append((item.path, item.mode))
                case stat.S_IFLNK:
                    put_link(target, item.path, os.readlink(item.name, dir_fd=item.folder))
                case kind:
                    raise ImageError(f"{item.path} is a {_IRREGULAR.get(kind, 'strange thing')}")
        if room < 0:
            raise ImageError(f"the folder has more than the {MAX_CONTENT_BYTES} bytes of an image")
    # At the end: until then we have to write into them. Never through a link: they are ours.
    for path, mode in reversed(closed):
        os.chmod(path, mode, dir_fd=target)


def put_file(root: int, path: str, mode: int, pieces: Iterable[bytes]) -> int:
    """Make a file that was not there; its size."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    size = 0
    with open(os.open(path, flags, mode=0o600, dir_fd=root), "wb", buffering=0) as file:  # noqa: PTH123 - in an open folder
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
            size += len(piece)
        os.fchmod(file.fileno(), mode)  # whatever the umask says
    return size


def put_folder(root: int, path: str) -> None:
    """Make a folder that was not there, with the permissions that folders of an image have."""
    os.mkdir(path, dir_fd=root)
    os.chmod(path, 0o755, dir_fd=root)  # noqa: S103 - nothing in an image is a secret


def put_link(root: int, path: str, target: str) -> None:
    """Make a link that was not there."""
    os.symlink(target, path, dir_fd=root)


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder; what is exchanged at its path later is not seen through it.

    Raises:
        ImageError: it is no folder, or cannot be opened.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ImageError(f"cannot open the folder {path}: {error.strerror}") from error
    try:
        yield opened
    finally:
        os.close(opened)


def _walk(folder: int, prefix: str = "", seen: list[int] | None = None) -> Iterator[_Item]:
    """Everything below an open folder, a folder before what is in it.

    Raises:
        ImageError: it holds more than an image can, or cannot be read.
    """
    seen = [0] if seen is None else seen
    with _named(prefix or "the folder"):
        names = os.listdir(folder)
    for name in sorted(names):
        path = prefix + _printable(name)
        seen[0] += 1
        if seen[0] > MAX_ENTRIES or len(path) > _DEEPEST_CHARS:
            raise ImageError(
                f"{path[:100]}: more paths than the {MAX_ENTRIES} of an image, or deeper ones"
            )
        with _named(path):
            item = _Item(path, folder, name, os.lstat(name, dir_fd=folder))
        yield item
        if item.kind == stat.S_IFDIR:
            with _named(path):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                opened = os.open(name, flags, dir_fd=folder)
            try:
                yield from _walk(opened, f"{path}/", seen)
            finally:
                os.close(opened)


def _entry(item: _Item) -> ImageEntry | Irregular:
    match item.kind:
        case stat.S_IFREG:
            with _opened(item) as file:
                # Of the open file: what has this name could be another one by now.
                mode = stat.S_IMODE(os.fstat(file).st_mode)
                sha256, size = hashlib.sha256(), 0
                for piece in _pieces(file, MAX_CONTENT_BYTES + 1):
                    sha256.update(piece)
                    size += len(piece)
            return ImageFile(mode, size, Digest(sha256.digest()))
        case stat.S_IFDIR:
            return ImageFolder(item.mode)
        case stat.S_IFLNK:
            return ImageLink(_printable(os.readlink(item.name, dir_fd=item.folder)))
        case kind:
            return Irregular(_IRREGULAR.get(kind, "of an unknown kind"))


@contextmanager
def _opened(item: _Item) -> Iterator[int]:
    # Not blocking: in the meantime it could have become a queue that nobody writes to.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    opened = os.open(item.name, flags, dir_fd=item.folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _pieces(file: int, most: int) -> Iterator[bytes]:
    """The content of an open file, as far as `most` bytes."""
    while most > 0 and (piece := os.read(file, min(_PIECE_BYTES, most))):
        most -= len(piece)
        yield piece


def _printable(name: str) -> str:
    """The name itself if an image can have it, or else with escapes that nothing can hide in."""
    return os.fsencode(name).decode("latin-1").encode("unicode_escape").decode("ascii")


@contextmanager
def _named(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImageError(f"{path}: {(error.strerror or str(error)).lower()}") from error
