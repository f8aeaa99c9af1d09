"""What differs between two images, path by path."""

from collections import defaultdict
from collections.abc import Mapping

from veracruz_image.entries import ImageEntry, ImageFile, ImageFolder, ImageLink, Irregular
from veracruz_utils.frozen import frozen

Found = Mapping[str, ImageEntry | Irregular]
"""What is at each path."""


@frozen
class ImageDifference:
    """One path that differs.

    Attributes:
        path: in the second image; in the first, if it was removed.
        what: `added`, `removed`, `changed`, `renamed`, `re-linked`, `size`, `mode` or `kind`.
        detail: what was there, and what is.
    """

    path: str
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.what}{f' ({self.detail})' if self.detail else ''}"


def differences(before: Found, after: Found) -> list[ImageDifference]:
    """Every path at which the two differ, sorted; a file that only moved is told once."""
    moved = _renamed(before, after)
    gone = set(moved.values())
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path in moved:
            found.append(ImageDifference(path, "renamed", f"was {moved[path]}"))
        elif path in gone:
            continue
        elif path not in after:
            found.append(ImageDifference(path, "removed"))
        elif path not in before:
            found.append(ImageDifference(path, "added", _kind(after[path])))
        elif before[path] != after[path]:
            found += _changed(path, before[path], after[path])
    return found


def _changed(
    path: str, before: ImageEntry | Irregular, after: ImageEntry | Irregular
) -> list[ImageDifference]:
    match before, after:
        case ImageLink(was), ImageLink(now):
            return [ImageDifference(path, "re-linked", f"to {now}, was {was}")]
        case (ImageFolder(was), ImageFolder(now)):
            return [ImageDifference(path, "mode", f"{now:o}, was {was:o}")]
        case (ImageFile() as was, ImageFile() as now):
            told = []
            if was.mode != now.mode:
                told.append(ImageDifference(path, "mode", f"{now.mode:o}, was {was.mode:o}"))
            if was.digest != now.digest:
                told.append(
                    ImageDifference(path, "changed", f"{now.digest.short}, was {was.digest.short}")
                )
            elif was.size != now.size:  # one of the two manifests is wrong about it
                told.append(ImageDifference(path, "size", f"{now.size}, was {was.size}"))
            return told
    return [ImageDifference(path, "kind", f"{_kind(after)}, was {_kind(before)}")]


def _renamed(before: Found, after: Found) -> dict[str, str]:
    """The new path of each file that is in both under one other name, and the old one."""
    olds: dict[ImageEntry, list[str]] = defaultdict(list)
    news: dict[ImageEntry, list[str]] = defaultdict(list)
    for path in before.keys() - after.keys():
        if isinstance(entry := before[path], ImageFile):
            olds[entry].append(path)
    for path in after.keys() - before.keys():
        if isinstance(entry := after[path], ImageFile):
            news[entry].append(path)
    # Of several with the same content nobody can say which became which.
    return {
        paths[0]: olds[entry][0]
        for entry, paths in news.items()
        if len(paths) == 1 and len(olds.get(entry, [])) == 1
    }


def _kind(entry: ImageEntry | Irregular) -> str:
    match entry:
        case ImageFolder():
            return "folder"
        case ImageFile():
            return "file"
        case ImageLink(target):
            return f"link to {target}"
        case Irregular(what):
            return what
