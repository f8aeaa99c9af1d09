"""Cores of programs that ran here, kept on the disk to be compiled again after a restart.

Theory of operation. Compiled code never lies on a disk: whoever could change it would run code of
theirs in isolates. What lies here is what it is compiled from, which needs no trust. A core gets
to isolates by a process that is walled in and compiles it anew, for programs that begin with these
very bytes. A file has the digest of its content for a name, and what has another content goes.

Every policy that is launched can bring a core. So cores are few and bounded in bytes, the one that
was kept or brought longest ago makes room, and they are compiled when nothing else waits. Nothing
depends on any of this: where a core cannot be kept or read, its first program is slow, as before.
"""

import logging
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from colima.isolate import MAX_CORE_BYTES
from sonora.errors import SonoraError
from veracruz_shells.files import write_new_file
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError

FOLDER: Final = "cores"
"""In the state folder."""
MAX_KEPT_BYTES: Final = 128 * 1024 * 1024
"""Of all that are kept; an interpreter's core is some 20 MB."""
SPARE_BYTES: Final = 64 * 1024 * 1024
"""That a disk has to have left for whatever else is kept there, such as an enrolment."""
_SUFFIX: Final = ".core"
_NAME: Final = re.compile(r"[0-9a-f]{64}\.core")

_LOG = logging.getLogger(__name__)


class KeptCores:
    """A folder of cores. Safe to share between threads; none of its methods fails.

    Args:
        folder: of this user alone; made when there is something to keep, in a folder that is there.
        most: how many are kept; with 0 those that are there are removed.
        max_bytes: that they have together.
        spare_bytes: that the disk has to have left when one is written.
    """

    def __init__(
        self,
        folder: Path,
        most: int,
        *,
        max_bytes: int = MAX_KEPT_BYTES,
        spare_bytes: int = SPARE_BYTES,
    ) -> None:
        self._folder = folder
        self._most = most
        self._max_bytes = max_bytes
        self._spare_bytes = spare_bytes
        self._lock = threading.Lock()
        self._told = False

    def keep(self, core: Digest, content: bytes) -> None:
        """Keep a core, or note that it was brought again."""
        if not self._most or len(content) > self._max_bytes:
            return
        path = self._folder / f"{core}{_SUFFIX}"
        try:
            with self._lock:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                self._require_ours()
                if path in self._by_age():
                    os.utime(path, follow_symlinks=False)
                    return
                self._make_room(1, len(content))
                self._require_room(len(content))
                write_new_file(path, content, mode=0o600, force=True)
        except (OSError, VeracruzError) as error:
            self._tell(error)
        else:
            _LOG.info("core %s kept for the next start: %d bytes", core, len(content))

    def newest_first(self) -> Iterator[tuple[Digest, bytes]]:
        """Those that were kept and are what they were; what is not is removed."""
        try:
            with self._lock:
                if not os.path.lexists(self._folder):
                    return
                self._require_ours()
                self._remove_drafts()
                self._make_room(0, 0)
                paths = self._by_age()[::-1]
        except (OSError, VeracruzError) as error:
            self._tell(error)
            return
        for path in paths:
            try:
                found = _read(path)
            except FileNotFoundError:
                continue  # it made room meanwhile
            except (OSError, VeracruzError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                _LOG.warning("kept core %s is not used, and removed: %s", path.stem, reason)
                with suppress(OSError):
                    path.unlink()
            else:
                yield found

    def _require_ours(self) -> None:
        """Whoever else could write there could fill the disk, and have anything compiled."""
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
            raise SonoraError(
                f"{self._folder} is not a folder of Sonora's user alone: remove it, or chmod 700 it"
            )

    def _require_room(self, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < size + self._spare_bytes:
            raise SonoraError(
                f"the disk of {self._folder} has {free} bytes left, "
                f"of which {self._spare_bytes} are to stay free"
            )

    def _by_age(self) -> list[Path]:
        """The files, that which was kept or brought longest ago first."""
        paths = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(paths, key=lambda path: path.lstat().st_mtime_ns)

    def _make_room(self, files: int, size: int) -> None:
        """For so many files more, of this size together."""
        sizes = {path: path.lstat().st_size for path in self._by_age()}
        while sizes and (
            len(sizes) + files > self._most or sum(sizes.values()) + size > self._max_bytes
        ):
            oldest = next(iter(sizes))
            oldest.unlink(missing_ok=True)
            del sizes[oldest]

    def _remove_drafts(self) -> None:
        """What a Sonora left that was killed while it wrote."""
        for path in self._folder.iterdir():
            if path.name.startswith(".") and _SUFFIX in path.name:
                path.unlink(missing_ok=True)

    def _tell(self, error: OSError | VeracruzError) -> None:
        """Once: it may be so for every core."""
        if not self._told:
            self._told = True
            _LOG.warning("cores of programs are not kept over a restart: %s", error)


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _read(path: Path) -> tuple[Digest, bytes]:
    """Digest and content of a kept core.

    Raises:
        SonoraError: it is not what was kept.
        OSError: it cannot be read, or is a link.
    """
    # Without waiting: of a named pipe in its place nobody may ever open the other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
            raise SonoraError("it is not a file of Sonora's user alone")
        if not 0 < found.st_size <= MAX_CORE_BYTES:
            raise SonoraError(f"it has {found.st_size} bytes, at most {MAX_CORE_BYTES} are kept")
        content = file.read(found.st_size)
    digest = Digest.of(content)
    if str(digest) != path.name.removesuffix(_SUFFIX):
        raise SonoraError(f"its digest is {digest}")
    return digest, content
