"""The local image: built from this very installation, kept for as long as that stays as it is.

It is for demonstrations, development and tests: its measurement is that of this machine's files,
and no release's.
"""

import fcntl
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sonora.image.build import build_image
from sonora.image.source import RuntimeImage, cache_folder
from veracruz_image import ImageError, read_manifest

_SOURCES: Final = "sources.json"
"""Whose image it is, and what it was made of: each file's size, time and number."""


def local_image(on_build: Callable[[], None] = lambda: None) -> RuntimeImage:
    """The image of this installation, built if there is none yet or something changed since.

    Args:
        on_build: called before it is built, which takes seconds.

    Raises:
        SonoraError: it cannot be built.
    """
    images = cache_folder() / "local"
    folder = images / hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        image, sources = folder / "image", folder / _SOURCES
        if not _is_current(image, sources):
            on_build()
            sources.unlink(missing_ok=True)
            shutil.rmtree(image, ignore_errors=True)
            _remove_abandoned(images)
            files = {str(path): _state(path) for path in build_image(image)}
            sources.write_text(json.dumps({"installation": sys.prefix, "files": files}))
        return RuntimeImage(image, read_manifest(image))


def _is_current(image: Path, sources: Path) -> bool:
    try:
        files = json.loads(sources.read_text())["files"]
        read_manifest(image)
        return all(_state(Path(path)) == state for path, state in files.items())
    except (OSError, ValueError, KeyError, ImageError):
        return False


def _remove_abandoned(images: Path) -> None:
    """Remove the images of installations that are gone: nobody else would."""
    for folder in images.iterdir():
        with suppress(OSError, ValueError, KeyError):
            made_of = json.loads((folder / _SOURCES).read_text())
            if not Path(made_of["installation"]).exists():
                shutil.rmtree(folder)


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time builds."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
