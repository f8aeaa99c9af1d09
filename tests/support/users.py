"""Things done as another user of this machine, in a process of its own that ends with them."""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

SONORA, BRIDGE, STRANGER = 61001, 61002, 61003
"""Numbers of users and of their groups; none has to be in the list of users."""

# Ours and what we depend on, without the standard library, which is each interpreter's own.
_PATHS = [path for path in sys.path if "site-packages" in path or path.endswith("/src")]

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be several users")


def with_paths(*more: str) -> str:
    """Code that lets a Python which is not ours find what ours finds, and these folders."""
    return f"import sys\nsys.path[:0] = {[*more, *_PATHS]!r}\n"


def as_user(number: int, act: Callable[[], object], *, groups: tuple[int, ...] = ()) -> str:
    """What `act` returns as text, or the error it ends with, done as this user and group.

    Who is not root can do it as itself alone.
    """
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        try:
            if os.getuid() != number:
                os.setgroups(groups)
                os.setresgid(number, number, number)
                os.setresuid(number, number, number)
            said = str(act())
        except BaseException as error:  # noqa: BLE001 - the test's to judge
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(process_id, 0)
    return said


@contextmanager
def open_folder():
    """A folder that every user can go into; pytest's own are closed to all but one."""
    folder = Path(tempfile.mkdtemp(prefix="veracruz-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        rmtree(folder)


@functools.cache
def everybodys_python() -> str:
    """A Python of this version that every user can run, or a skipped test."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for each in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        # All of it has to be readable: what is imported late is read by the user that it runs as.
        code = "import encodings.idna, sqlite3, ssl, sonora.cli; print('ran')"
        run = functools.partial(
            subprocess.run, [each, "-c", with_paths() + code], capture_output=True, text=True,
            check=False, env={}, cwd="/",
        )  # fmt: skip
        if Path(each).exists() and as_user(STRANGER, lambda run=run: run().stdout) == "ran\n":
            return each
    pytest.skip(f"no Python {version} here, or none of our packages, that every user can read")


def commands_for_everybody(names: tuple[str, ...], folder: Path) -> None:
    """Our commands as scripts that every user can run."""
    for name in names:
        script = folder / name
        code = f"from {name}.cli import main\nmain()\n"
        script.write_text(f"#!{everybodys_python()} -P\n{with_paths()}{code}")
        script.chmod(0o755)
