"""Copies of the local image for tests that change one."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from sonora.image.source import RuntimeImage
from veracruz_image import (
    MANIFEST,
    ROOT,
    ImageFile,
    ImageFolder,
    ImageLink,
    Manifest,
    found_in,
    open_folder,
    read_manifest,
)


def copy_of(image: RuntimeImage, folder: Path) -> RuntimeImage:
    """The image once more, in files that are shared until they are `replace`d."""
    shutil.copytree(image.folder, folder, symlinks=True, copy_function=os.link)
    return RuntimeImage(folder, image.manifest)


def replace(path: Path, content: bytes) -> None:
    """Give a file of a copy another content, and the original none of it."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def remade(folder: Path) -> RuntimeImage:
    """The image in a folder that was changed, with a manifest that says so."""
    with open_folder(folder / ROOT) as root:
        manifest = Manifest.of(found_in(root))
    replace(folder / MANIFEST, manifest.text)
    return RuntimeImage(folder, read_manifest(folder))


def restore(original: RuntimeImage, copied: RuntimeImage, path: str) -> None:
    """Undo whatever one of `CHANGES` did at this path of a copy."""
    place, entry = copied.root / path, original.manifest.entries[path]
    place.with_name(f"{place.name}.away").unlink(missing_ok=True)
    if isinstance(entry, ImageFolder):
        shutil.rmtree(place / "added", ignore_errors=True)
        (place / "added.py").unlink(missing_ok=True)
        place.chmod(entry.mode)
        return
    place.unlink(missing_ok=True)
    if isinstance(entry, ImageLink):
        place.symlink_to(entry.target)
    else:
        os.link(original.root / path, place)


def _change_byte(path: Path) -> None:
    content = bytearray(path.read_bytes()) or bytearray(b"\0")
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    replace(path, bytes(content))


def _change_mode(path: Path) -> None:
    if path.is_file():  # or the original, which is the same file, would change with it
        replace(path, path.read_bytes())
    path.chmod(path.stat().st_mode & 0o777 ^ random.choice([0o4000, 0o2000, 0o002, 0o020, 0o100]))


def _link_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/bin/sh")


Change = Callable[[Path], object]
CHANGES: dict[str, tuple[tuple[type, ...], Change]] = {
    "a byte": ((ImageFile,), _change_byte),
    "removed": ((ImageFile, ImageLink), Path.unlink),
    "renamed": ((ImageFile, ImageLink), lambda path: path.rename(f"{path}.away")),
    "linked elsewhere": ((ImageFile, ImageLink), _link_elsewhere),
    "mode": ((ImageFile, ImageFolder), _change_mode),
    "a file more": ((ImageFolder,), lambda path: (path / "added.py").write_bytes(b"")),
    "a folder more": ((ImageFolder,), lambda path: (path / "added").mkdir()),
}
"""Kinds of changes to an image: at what each can be made, and how."""
