"""Files of command lines: read within bounds, written whole or not at all."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import BinaryIO, Final

from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

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


@contextmanager
def open_file(path: Path, *, what: str) -> Iterator[BinaryIO]:
    """A file to read bit by bit; `-` is standard input.

    Raises:
        VeracruzError: it cannot be opened.
    """
    with ExitStack() as stack:
        with _as_error(f"cannot read {what} {path}"):
            file = stack.enter_context(_opened(path))
        yield file


@frozen
class NewFile:
    """A file to make: its path, its content, and its permissions whatever the umask says."""

    path: Path
    data: bytes = field(repr=False)
    mode: int


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
    write_new_files(NewFile(path, data, mode), force=force)


def write_new_files(*files: NewFile, force: bool = False) -> None:
    """Make files that belong together: all of them, or none.

    Raises:
        VeracruzError: as `write_new_file`, for the first that fails.
    """
    with ExitStack() as drafts:
        made = []
        for each in files:
            draft = drafts.enter_context(_draft(each.path, mode=each.mode, force=force))
            draft.file.write(each.data)
            draft.settle()
            made.append(draft)
        # Not before all of them are on the disk: then it has room for names alone to find.
        named: list[_Draft] = []
        try:
            for draft in made:
                draft.publish(force=force)
                named.append(draft)
        except VeracruzError:
            for draft in named if not force else ():
                draft.path.unlink(missing_ok=True)
            raise


@contextmanager
def new_file(path: Path, *, mode: int, force: bool = False, reserve: int = 0) -> Iterator[BinaryIO]:
    """A file to write; it gets its name when the context ends well, and is gone otherwise.

    Args:
        path: the file; its folder exists.
        mode: as `write_new_file`.
        force: as `write_new_file`.
        reserve: room that the disk has to give at once, in bytes: for what cannot be had again when
            there turns out to be none.

    Raises:
        VeracruzError: as `write_new_file`.
    """
    with _draft(path, mode=mode, force=force) as draft:
        if reserve:
            os.posix_fallocate(draft.file.fileno(), 0, reserve)
        yield draft.file
        draft.file.truncate()  # what was reserved and not written
        draft.settle()
        draft.publish(force=force)


@contextmanager
def to_standard_output() -> Iterator[None]:
    """What goes wrong with standard output inside is told as that.

    Raises:
        VeracruzError: it is closed, or full.
    """
    if sys.stdout is None:
        raise VeracruzError("standard output is closed: there is nowhere to write the result")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # whoever reads has enough
    except OSError as error:
        reason = error.strerror or str(error)
        raise VeracruzError(f"cannot write to standard output: {reason.lower()}") from error


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


class _Draft:
    """A file on its way to its name."""

    def __init__(self, path: Path, draft: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self._draft = draft

    def settle(self) -> None:
        """Have its content on the disk: a crash then leaves all of it or nothing."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def publish(self, *, force: bool) -> None:
        """Give it its name; without `force`, unless something has it."""
        with _as_error(f"cannot write {self.path}"):
            if not force:
                try:
                    # Unlike a rename, it replaces nothing that appeared meanwhile.
                    self.path.hardlink_to(self._draft)
                except OSError as error:
                    refuse_existing(self.path, force=False)
                    if error.errno not in _NO_LINKS:
                        raise
                    # A file system without hard links cannot do this in one step.
                else:
                    return
            self._draft.replace(self.path)


@contextmanager
def _draft(path: Path, *, mode: int, force: bool) -> Iterator[_Draft]:
    """A draft of a file, which is gone at the end or has become it."""
    refuse_existing(path, force=force)
    with _as_error(f"cannot write {path}"):
        # In the same folder: a name is given in one step only within one file system.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with _as_error(f"cannot write {path}", (OSError,)), _file_of(descriptor) as file:
            # Before anything is in it: until then mkstemp lets only its owner read it.
            os.fchmod(descriptor, mode)
            yield _Draft(path, Path(name), file)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - it was moved away, or is a second name


@contextmanager
def _file_of(descriptor: int) -> Iterator[BinaryIO]:
    """A file to write; what is left in its buffer when something fails is dropped."""
    file = os.fdopen(descriptor, "wb")
    try:
        yield file
    except BaseException:
        # Closing would write what is left: fail in the same way, and keep the descriptor open.
        with suppress(OSError):
            file.close()
        raise
    file.close()


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
