"""Things done as another user of this machine, in a process of its own that ends with them."""

import os
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

SONORA, BRIDGE, STRANGER = 61001, 61002, 61003
"""Numbers of users and of their groups; none has to be in the list of users."""

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be several users")


def as_user(number: int, act: Callable[[], object], *, groups: tuple[int, ...] = ()) -> str:
    """What `act` returns as text, or the error it ends with, done as this user and group."""
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        try:
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
