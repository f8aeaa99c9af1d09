"""An image as one file: a tar archive, compressed with xz, that any tar can read.

Ours reads no other than ours writes. `manifest.txt` comes first; everything else follows from it,
the 512 bytes before each file included, so there is nothing in an archive that could say otherwise.
"""

import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from veracruz_image.entries import ImageEntry, ImageFile, ImageFolder, ImageLink
from veracruz_image.errors import ImageChangedError, ImageError, ManifestError
from veracruz_image.folder import (
    MANIFEST,
    ROOT,
    open_folder,
    put_file,
    put_folder,
    put_link,
)
from veracruz_image.manifest import MAX_MANIFEST_BYTES, Manifest
from veracruz_utils.digest import Digest

MAGIC: Final = b"\xfd7zXZ\x00"
_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_PIECE_BYTES: Final = 1024 * 1024
_MEMORY_BYTES: Final = 128 * 1024 * 1024
"""What decompressing may take; the strongest preset of xz needs 65 MiB."""
_SIZE: Final = slice(124, 135)
"""Where a header has the size of its file, in octal digits."""


def write_archive(folder: Path, file: BinaryIO, *, preset: int = 3) -> Manifest:
    """Write the image in `folder`, which is checked on the way, as an archive.

    Args:
        folder: the image.
        file: where the archive is written to.
        preset: of xz, 0 to 9: smaller files, in several times the time.

    Raises:
        ImageError: it cannot be read, or is not what its manifest says.
    """
    text = (folder / MANIFEST).read_bytes()
    manifest = Manifest.parse(text)
    with lzma.open(file, "wb", preset=preset) as packed:
        packed.write(_header(MANIFEST, ImageFile(0o644, len(text), Digest.of(text))))
        packed.write(text + _padding(len(text)))
        for path, entry in manifest.entries.items():
            packed.write(_header(f"{ROOT}/{path}", entry))
            if isinstance(entry, ImageFile):
                content = (folder / ROOT / path).read_bytes()
                if Digest.of(content) != entry.digest:
                    raise ImageChangedError(str(folder), [f"{path}: changed"])
                packed.write(content + _padding(len(content)))
        packed.write(_END)
    return manifest


def manifest_in(file: BinaryIO) -> Manifest:
    """The manifest that an archive begins with; nothing else of it is looked at.

    Raises:
        ImageError: it is no archive of an image.
    """
    with _malformed():
        return _Archive(file).manifest


def check_archive(file: BinaryIO, *, what: str) -> Manifest:
    """The manifest of an archive whose whole content is what it says.

    Raises:
        ImageError: it is not.
    """
    with _malformed():
        archive = _Archive(file)
        for path, entry in archive.entries():
            if isinstance(entry, ImageFile):
                for _ in archive.content(path, entry, what):
                    pass
        archive.end()
        return archive.manifest


def unpack(archive: Path, folder: Path) -> Manifest:
    """Make a folder of an archive, which is checked on the way; the folder is not there yet.

    Raises:
        ImageError: it is not what it says, or the folder cannot be made. What was unpacked of it
            is left behind.
    """
    try:
        with archive.open("rb") as file, _malformed():
            return _unpack(_Archive(file), folder, str(archive))
    except OSError as error:
        where = error.filename or folder
        raise ImageError(f"cannot unpack {archive}: {where}: {error.strerror}") from error


def _unpack(archive: "_Archive", folder: Path, what: str) -> Manifest:
    (folder / ROOT).mkdir(parents=True)
    with open_folder(folder) as whole, open_folder(folder / ROOT) as root:
        put_file(whole, MANIFEST, 0o644, [archive.manifest.text])
        for path, entry in archive.entries():
            match entry:
                case ImageFolder():
                    put_folder(root, path)
                case ImageFile(mode):
                    put_file(root, path, mode, archive.content(path, entry, what))
                case ImageLink(target):
                    put_link(root, path, target)
    archive.end()
    return archive.manifest


class _Archive:
    """An archive that is read from front to back."""

    def __init__(self, file: BinaryIO) -> None:
        self._stream = _Decompressed(file)
        header = self._stream.exactly(_BLOCK)
        try:
            size = int(header[_SIZE], 8)
        except ValueError:
            raise ImageError("not an archive of an image") from None
        expected = _header(MANIFEST, ImageFile(0o644, size, Digest(bytes(32))))
        if header != expected or size > MAX_MANIFEST_BYTES:
            raise ImageError(f"not an archive of an image: it does not begin with {MANIFEST}")
        self.manifest = Manifest.parse(self._stream.exactly(size))
        self._skip_padding(size)

    def entries(self) -> Iterator[tuple[str, ImageEntry]]:
        """Each path, when the archive has been read as far as its content."""
        for path, entry in self.manifest.entries.items():
            if self._stream.exactly(_BLOCK) != _header(f"{ROOT}/{path}", entry):
                raise ImageError(f"the archive is not in the order of its manifest: {path}")
            yield path, entry

    def content(self, path: str, entry: ImageFile, what: str) -> Iterator[bytes]:
        """The content of the file whose turn it is, in pieces; its end says whether it is good."""
        sha256, left = hashlib.sha256(), entry.size
        while left:
            piece = self._stream.exactly(min(left, _PIECE_BYTES))
            sha256.update(piece)
            left -= len(piece)
            yield piece
        self._skip_padding(entry.size)
        if sha256.digest() != entry.digest.value:
            raise ImageChangedError(what, [f"{path}: changed"])

    def end(self) -> None:
        """Refuse what stands behind the last file."""
        if self._stream.exactly(len(_END)) != _END or not self._stream.at_end():
            raise ImageError("there is something behind the last file of the archive")

    def _skip_padding(self, size: int) -> None:
        padding = _padding(size)
        if self._stream.exactly(len(padding)) != padding:
            raise ImageError("the archive is padded with something")


class _Decompressed:
    """Bytes out of an xz file, never more in memory than are asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES)

    def exactly(self, size: int) -> bytes:
        buffer = io.BytesIO()
        while buffer.tell() < size:
            if self._decompressor.eof:
                raise ImageError("the archive is cut short")
            buffer.write(self._decompressor.decompress(self._more(), size - buffer.tell()))
        return buffer.getvalue()

    def at_end(self) -> bool:
        # What is decompressed here must be nothing, but brings xz to the checksum at its end.
        while not self._decompressor.eof:
            if self._decompressor.decompress(self._more(), 1):
                return False
        return not self._decompressor.unused_data and not self._file.read(1)

    def _more(self) -> bytes:
        if not self._decompressor.needs_input:
            return b""
        data = self._file.read(_PIECE_BYTES)
        if not data:
            raise ImageError("the archive is cut short")
        return data


def _header(name: str, entry: ImageEntry) -> bytes:
    """The block before a file: nothing in it that is not in the manifest."""
    info = tarfile.TarInfo(name)
    match entry:
        case ImageFolder(mode):
            info.type, info.mode = tarfile.DIRTYPE, mode
        case ImageFile(mode, size):
            info.mode, info.size = mode, size
        case ImageLink(target):
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, target
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    except ValueError as error:
        raise ManifestError(f"{name} has no place in an archive: {error}") from None


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


@contextmanager
def _malformed() -> Iterator[None]:
    try:
        yield
    except lzma.LZMAError as error:
        raise ImageError(f"not an archive of an image: {error}") from None
