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
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sonora.image.build import build_image
from sonora.image.source import RuntimeImage, cache_folder
from veracruz_image import ImageError, read_manifest

_SOURCES: Final = "sources.json"
"""What the image was made of: each file's size, time and number."""


def local_image(on_build: Callable[[], None] = lambda: None) -> RuntimeImage:
    """The image of this installation, built if there is none yet or something changed since.

    Args:
        on_build: called before it is built, which takes seconds.

    Raises:
        SonoraError: it cannot be built.
    """
    prefix = hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
    folder = cache_folder() / "local" / prefix
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        image, sources = folder / "image", folder / _SOURCES
        if not _is_current(image, sources):
            on_build()
            sources.unlink(missing_ok=True)
            shutil.rmtree(image, ignore_errors=True)
            made_of = build_image(image)
            sources.write_text(json.dumps({str(path): _state(path) for path in made_of}))
        return RuntimeImage(image, read_manifest(image))


def _is_current(image: Path, sources: Path) -> bool:
    try:
        made_of = json.loads(sources.read_text())
        read_manifest(image)
        return all(_state(Path(path)) == state for path, state in made_of.items())
    except (OSError, ValueError, ImageError):
        return False


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time builds."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
