"""What a test can see of other processes, through /proc."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.patience import PATIENCE_S


def eventually(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> bool:
    """Whether `condition` comes true; the time is for a busy machine, nobody waits all of it."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def state(process_id: int) -> str | None:
    """The kernel's letter for a process (R, S, T, Z, ...); None if there is no such process."""
    fields = _stat(process_id)
    return fields[0] if fields else None


def runs(process_id: int) -> bool:
    """Whether the process is there and not a zombie."""
    return state(process_id) not in {None, "Z", "X"}


def waits_in(process_id: int) -> int | None:
    """The number of the system call that a process waits in; None while it runs."""
    word = Path(f"/proc/{process_id}/syscall").read_text().split()[0]
    return int(word) if word.isdigit() else None


def children(process_id: int) -> list[int]:
    """The processes whose parent this one is, zombies included."""
    everyone = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [each for each in everyone if (fields := _stat(each)) and int(fields[1]) == process_id]


def descendants(process_id: int) -> list[int]:
    """The children of this process, theirs, and so on."""
    found = children(process_id)
    return [*found, *[each for child in found for each in descendants(child)]]


def keeper_of(front: int) -> int:
    """Of the isolate of this front process, the one that makes its guests."""
    (keeper,) = children(front)
    return keeper


def guest_of(front: int) -> int:
    """Of the isolate of this front process, the guest that there is."""
    (guest,) = children(keeper_of(front))
    return guest


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process can open no file meanwhile; those that are open stay."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))  # of 0, poll takes no socket
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files(process_id: int) -> list[str]:
    """What each descriptor of the process is, or a skipped test where one may not see that."""
    folder = Path(f"/proc/{process_id}/fd")
    try:
        return [_target(entry) for entry in folder.iterdir()]
    except PermissionError:
        pytest.skip("the descriptors of an isolate are for the machine's root to see")


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:  # the descriptor that read the folder itself
        return ""


def _stat(process_id: int) -> list[str]:
    try:
        text = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
