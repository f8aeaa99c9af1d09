"""A real PostgreSQL server for tests, on a socket in a folder of its own; Debian's package."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.patience import PATIENCE_S

_NOBODY = "nobody"


def program_of(name: str) -> str | None:
    """Where a program of PostgreSQL is."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))


AVAILABLE = program_of("initdb") is not None and program_of("postgres") is not None
MISSING = "PostgreSQL is not installed (Debian: apt install postgresql)"


class Server:
    """A server that ends with `close`; it refuses root, who has somebody else run it."""

    def __init__(self) -> None:
        self._as = {"user": _NOBODY, "group": _group()} if os.geteuid() == 0 else {}
        self._folder = Path(tempfile.mkdtemp(prefix="veracruz-pg-"))
        if self._as:
            shutil.chown(self._folder, **self._as)
        self._data = self._folder / "data"
        self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--no-sync")
        self.start()

    def start(self) -> None:
        """Have it listen."""
        self._process = subprocess.Popen(
            [
                program_of("postgres"), "-D", self._data, "-k", self._folder, "-h", "",
                "-c", "fsync=off", "-c", "max_connections=60",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self._folder, **self._as,
        )  # fmt: skip
        self._run("pg_isready", "-h", self._folder, retries=200)

    def stop(self) -> None:
        """End it, and every connection."""
        self._process.send_signal(signal.SIGINT)  # the connected are not waited for
        self._process.wait(PATIENCE_S)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Have it and all its processes stand still for a time, connections and all."""
        stopped = [self._process.pid, *_children_of(self._process.pid)]
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in stopped:
                os.kill(each, signal.SIGCONT)

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        self._run("createdb", "-h", self._folder, "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def close(self) -> None:
        """End it and leave nothing."""
        self._process.kill()
        self._process.wait(PATIENCE_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object, retries: int = 0) -> None:
        for attempt in range(retries + 1):
            done = subprocess.run(
                [program_of(program), *map(str, arguments)],
                capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=self._folder,
                **self._as,
            )  # fmt: skip
            if done.returncode == 0:
                return
            assert attempt < retries, f"{program}: {done.stdout} {done.stderr}"
            time.sleep(0.05)


def _children_of(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(each) for each in found.split()]


def _group() -> int:
    return pwd.getpwnam(_NOBODY).pw_gid
