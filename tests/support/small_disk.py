"""A disk of a few pages, in namespaces of its own, and commands that run with it.

It is a tmpfs that only the commands see where they look for it; a test looks at it through /proc.
"""

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import command_server
from support.processes import eventually
from support.stack import Finished, run

_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
_PAGE = 4096


@dataclass
class SmallDisk:
    """The disk at `path`, as commands call it."""

    path: Path
    commands: Path
    _seen: Path

    def run(self, program: str, *arguments: object) -> Finished:
        """A command that sees the disk."""
        return run(program, *arguments, scripts=self.commands)

    def fill(self, *, leaving: int) -> None:
        """Use up all room but `leaving` pages."""
        self.free()
        ballast = os.open(self._ballast, os.O_CREAT | os.O_WRONLY)
        try:
            while True:
                os.write(ballast, bytes(_PAGE))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - which ends the loop
        size = os.fstat(ballast).st_size
        os.ftruncate(ballast, size - leaving * _PAGE)
        os.close(ballast)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything."""
        for path in self._seen.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def content(self) -> dict[str, tuple[int, str]]:
        """Mode and digest of every file, hidden ones too."""
        files = [path for path in self._seen.rglob("*") if path.is_file() and path != self._ballast]
        return {
            str(path.relative_to(self._seen)): (
                path.stat().st_mode,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in files
        }

    def read(self, name: str) -> bytes:
        return (self._seen / name).read_bytes()

    @property
    def _ballast(self) -> Path:
        return self._seen / ".ballast"


@contextmanager
def small_disk(programs: Sequence[str], folder: Path, *, pages: int = 512) -> Iterator[SmallDisk]:
    """A disk, and commands of ours that see it; a skipped test where the system gives none."""
    path, scripts = folder / "disk", folder / "scripts"
    path.mkdir()
    scripts.mkdir()
    mount = f'mount -t tmpfs -o size={pages * _PAGE} none "{path}" && exec "$@"'
    within = [*_UNSHARE, "sh", "-c", mount, "sh"]
    tried = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount in a user namespace of one's own here: {tried.stderr.strip()}")
    with command_server.commands(programs, scripts, within=within):
        process_id = int((scripts / "pid").read_text())
        seen = Path(f"/proc/{process_id}/root{path}")
        assert eventually(lambda: os.path.ismount(seen))
        yield SmallDisk(path, scripts, seen)
