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
    with _as_error(f"cannot read {what} {path}"), _opened(path) as file:
        # One byte more tells a file that is too large from one that just fits.
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
        VeracruzError: it exists already (without `force`), or cannot be written.
    """
    with new_file(path, mode=mode, force=force) as file:
        file.write(data)


@contextmanager
def new_file(path: Path, *, mode: int, force: bool = False) -> Iterator[BinaryIO]:
    """A file to write; it gets its name when the context ends well, and is gone otherwise.

    Raises:
        VeracruzError: as `write_new_file`.
    """
    refuse_existing(path, force=force)
    with _as_error(f"cannot write {path}"):
        # In the same folder: a name is given in one step only within one file system.
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with _as_error(f"cannot write {path}", (OSError,)):
            with os.fdopen(descriptor, "wb") as file:
                # Before anything is in it: until then mkstemp lets only its owner read it.
                os.fchmod(descriptor, mode)
                yield file
                file.flush()
                os.fsync(descriptor)  # before it has its name: a crash leaves all of it or nothing
            _publish(Path(draft), path, force=force)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)  # noqa: PTH108 - it was moved away, or is a second name


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse early what `new_file` would refuse late.

    Raises:
        VeracruzError: something is at `path` already, and `force` is not given.
    """
    # lexists: a link that leads nowhere is something at this place too.
    if not force and os.path.lexists(path):
        raise VeracruzError(
            f"{path} exists already: choose another name, or overwrite it with --force"
        )


def _publish(draft: Path, path: Path, *, force: bool) -> None:
    """Give `draft` the name `path`; without `force`, unless something has it."""
    if not force:
        try:
            path.hardlink_to(draft)  # unlike a rename, it replaces nothing that appeared meanwhile
        except OSError as error:
            refuse_existing(path, force=False)
            if error.errno not in _NO_LINKS:
                raise
            # A file system without hard links cannot do this in one step.
        else:
            return
    draft.replace(path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb") as file:
            yield file


@contextmanager
def _as_error(
    problem: str,
    kinds: tuple[type[Exception], ...] = (OSError, ValueError),  # a ValueError: NUL in the name
) -> Iterator[None]:
    try:
        yield
    except kinds as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise VeracruzError(f"{problem}: {reason.lower()}") from error
