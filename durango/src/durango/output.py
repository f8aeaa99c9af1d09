"""A file that appears complete or not at all."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from durango.errors import ContentError

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse early what `new_file` would refuse late.

    Raises:
        ContentError: something is at `path` already and `force` is not given.
    """
    if not force and os.path.lexists(path):
        raise ContentError(f"{path} exists already: give another name, or --force to replace it")


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """A file to write; it gets its name when the context ends well, and is gone otherwise.

    Its mode is 0600: what lands in it was meant for one principal.

    Raises:
        ContentError: something is at `path` already and `force` is not given, or it cannot be
            written there.
    """
    refuse_existing(path, force=force)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(temporary, path, force=force)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _give_name(temporary: str, path: Path, *, force: bool) -> None:
    if not force:
        try:
            path.hardlink_to(temporary)  # unlike a rename, it replaces nothing that appeared
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            refuse_existing(path, force=False)
        else:
            return
    Path(temporary).replace(path)


def _unwritable(path: Path, error: OSError | ValueError) -> ContentError:
    if isinstance(error, FileExistsError):
        return ContentError(f"{path} appeared meanwhile and is left as it is: give another name")
    reason = error.strerror if isinstance(error, OSError) else "not a file name"
    return ContentError(f"{path} cannot be written: {reason}")
