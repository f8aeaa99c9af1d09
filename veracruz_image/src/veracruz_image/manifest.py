"""The manifest of an image: every path in it, in one canonical text.

A line each, sorted by path, behind a first line that names the format:

    veracruz-image-manifest-v1
    folder 755 usr
    file 755 usr/bin/python3.11 6810432 <SHA-256 in hexadecimal>
    link lib usr/lib

One set of entries has one text, and the measurement is the SHA-256 of exactly those bytes. What a
manifest cannot say, an image cannot have: other permissions than 755, and 644 for files, so no
setuid; a link to an absolute path, out of the image, to nothing or to another link.
"""

import re
from collections.abc import Mapping
from typing import Final, Self

from veracruz_image.entries import ImageEntry, ImageFile, ImageFolder, ImageLink, Irregular
from veracruz_image.errors import ManifestError
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

FORMAT: Final = "veracruz-image-manifest-v1"
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
MAX_ENTRIES: Final = 20_000
MAX_CONTENT_BYTES: Final = 1024 * 1024 * 1024
MAX_PATH_CHARS: Final = 250
"""So that every path has a place in the header of a tar archive."""
_NAME: Final = re.compile(r"[!-.0-~]{1,100}")
"""A part of a path: printable ASCII without space and slash."""
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,9}")


@frozen
class Manifest:
    """Everything that is in an image.

    Attributes:
        entries: by path, relative to the image's root, sorted; every folder comes before what is
            in it. The root itself is not among them.
    """

    entries: Mapping[str, ImageEntry]

    @classmethod
    def of(cls, found: Mapping[str, ImageEntry | Irregular]) -> Self:
        """The manifest of what was found at these paths.

        Raises:
            ManifestError: an image cannot have them.
        """
        entries: dict[str, ImageEntry] = {}
        for path, entry in sorted(found.items()):
            if isinstance(entry, Irregular):
                raise ManifestError(f"{path[:100]!r} is a {entry.what}: no image has one")
            entries[path] = entry
        _check(entries)
        return cls(entries)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The manifest whose canonical text `data` is, and nothing else.

        Raises:
            ManifestError: it is not one.
        """
        if len(data) > MAX_MANIFEST_BYTES:
            raise ManifestError(
                f"the manifest has {len(data)} bytes, at most {MAX_MANIFEST_BYTES} are read"
            )
        if not data.startswith(f"{FORMAT}\n".encode()):
            raise ManifestError(f"not a manifest of an image: it does not begin with {FORMAT}")
        try:
            lines = data.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise ManifestError("the manifest is not ASCII text") from None
        if lines.pop():
            raise ManifestError("the manifest does not end with the end of a line")
        entries: dict[str, ImageEntry] = {}
        last = ""
        for number, line in enumerate(lines[1:], 2):
            path, entry = _entry(line, number)
            # Sorted and none twice: one set of entries has one text.
            if path <= last:
                raise ManifestError(f"line {number} of the manifest: {path!r} is out of order")
            entries[path] = entry
            last = path
        _check(entries)
        return cls(entries)

    @property
    def text(self) -> bytes:
        """The canonical text."""
        lines = [FORMAT, *(_line(path, entry) for path, entry in self.entries.items())]
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    @property
    def measurement(self) -> Digest:
        """What policies pin: the digest of the canonical text."""
        return Digest.of(self.text)

    @property
    def content_bytes(self) -> int:
        """The size of all files together."""
        return sum(each.size for each in self.entries.values() if isinstance(each, ImageFile))


def _line(path: str, entry: ImageEntry) -> str:
    match entry:
        case ImageFolder(mode):
            return f"folder {mode:o} {path}"
        case ImageFile(mode, size, digest):
            return f"file {mode:o} {path} {size} {digest}"
        case ImageLink(target):
            return f"link {path} {target}"


def _entry(line: str, number: int) -> tuple[str, ImageEntry]:
    match line.split(" "):
        case ["folder", "755", path]:
            return path, ImageFolder(0o755)
        case ["file", "755" | "644" as mode, path, size, digest] if _SIZE.fullmatch(size):
            try:
                return path, ImageFile(int(mode, 8), int(size), Digest.from_hex(digest))
            except VeracruzError as error:
                raise ManifestError(f"line {number} of the manifest: {error}") from None
        case ["link", path, target]:
            return path, ImageLink(target)
    raise ManifestError(f"line {number} of the manifest is no entry: {line[:100]!r}")


def _check(entries: Mapping[str, ImageEntry]) -> None:
    """Refuse what an image cannot have, whether it was parsed or found."""
    if len(entries) > MAX_ENTRIES:
        raise ManifestError(f"{len(entries)} paths, an image has at most {MAX_ENTRIES}")
    size = 0
    for path, entry in entries.items():
        _check_path(path, entries)
        if isinstance(entry, ImageLink):
            _check_link(path, entry.target, entries)
        elif entry.mode not in _MODES[type(entry)]:
            raise ManifestError(f"{path} has mode {entry.mode:o}, an image has 755 and 644 only")
        if isinstance(entry, ImageFile):
            size += entry.size
    if size > MAX_CONTENT_BYTES:
        raise ManifestError(f"the files have {size} bytes, at most {MAX_CONTENT_BYTES} are read")


_MODES: Final[dict[type, frozenset[int]]] = {
    ImageFolder: frozenset({0o755}),
    ImageFile: frozenset({0o755, 0o644}),
}


def _check_path(path: str, entries: Mapping[str, ImageEntry]) -> None:
    parts = path.split("/")
    if len(path) > MAX_PATH_CHARS or not all(map(_is_name, parts)):
        raise ManifestError(f"{path[:100]!r} is no path of an image")
    parent = "/".join(parts[:-1])
    if parent and not isinstance(entries.get(parent), ImageFolder):
        raise ManifestError(f"{path} lies in {parent}, which is no folder of the image")


def _check_link(path: str, target: str, entries: Mapping[str, ImageEntry]) -> None:
    """Only what names a file or folder of the image, and needs no link on the way."""
    parts, place = target.split("/"), path.split("/")[:-1]
    # Only in front: behind the name of a folder, `..` would lead wherever that folder is.
    while parts and parts[0] == ".." and place:
        parts, place = parts[1:], place[:-1]
    if not all(map(_is_name, parts)) or len(target) > MAX_PATH_CHARS:
        raise ManifestError(f"{path} is a link that leaves the image: {target[:100]!r}")
    resolved = "/".join([*place, *parts])
    if not isinstance(entries.get(resolved), ImageFile | ImageFolder):
        raise ManifestError(
            f"{path} is a link to {target}, which is no file or folder of the image"
        )


def _is_name(part: str) -> bool:
    return part not in {".", ".."} and _NAME.fullmatch(part) is not None
