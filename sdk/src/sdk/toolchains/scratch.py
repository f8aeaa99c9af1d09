"""The folder that a build works in, and those that builds which were killed left behind.

A build holds a lock on its folder as long as it lives, however it ends. The next build removes
what is this user's, old, and held by nobody.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "veracruz-build-"
STALE_SECONDS: Final = 3600
"""A compiler whose build was killed has ended by then, and earlier versions held no lock."""


@contextmanager
def build_folder() -> Iterator[Path]:
    """A folder for one build, which goes when it ends."""
    _remove_stale(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        held = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(held)


def _remove_stale(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # no folder, or nobody's business
            continue
        try:
            if _is_stale(os.fstat(opened)):
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(opened)


def _is_stale(seen: os.stat_result) -> bool:
    return seen.st_uid == os.geteuid() and time.time() - seen.st_mtime > STALE_SECONDS
