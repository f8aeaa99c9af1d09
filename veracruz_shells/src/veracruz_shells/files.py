"""Files of command lines: read within bounds, written whole or not at all."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from veracruz_utils.errors import VeracruzError

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def read_file(path: Path, *, limit: int, what: str) -> bytes:
    """The content of a file; `-` is standard input.

    Args:
        path: the file.
        limit: its largest size, in bytes; not more is read.
        what: for the error, such as `policy`.

    Raises:
        VeracruzError: it cannot be read, or is larger.
    """
    with _told(f"cannot read {what} {path}"), _opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise VeracruzError(f"{what} {path} has more than {limit} bytes: is it the right file?")
    return data


def write_new_file(path: Path, data: bytes, *, mode: int, force: bool = False) -> None:
    """Make a file that is there whole, with exactly this mode, or not at all.

    Args:
        path: the file; its folder exists.
        data: its content.
        mode: its permissions, such as 0o600, whatever the umask says.
        force: put it in place of a file that is there.

    Raises:
        VeracruzError: it is there already (without `force`), or cannot be written.
    """
    with _told(f"cannot write {path}"), _draft_beside(path, data, mode) as draft:
        if force:
            draft.replace(path)
        else:
            _publish(draft, path)


@contextmanager
def _draft_beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - it was moved away, or is a second name


def _publish(draft: Path, path: Path) -> None:
    """Give `draft` the name `path`, unless something has it."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links cannot do this in one step.
        if os.path.lexists(path):
            raise _exists(path) from None
        draft.replace(path)


def _exists(path: Path) -> VeracruzError:
    return VeracruzError(f"{path} is there already: choose another name, or overwrite with --force")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb") as file:
            yield file


@contextmanager
def _told(problem: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise VeracruzError(f"{problem}: {reason.lower()}") from error
