"""Reads the packages that a machine is made of, and puts into a tree what it needs of them."""

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final

from debian.arfile import ArError
from debian.debfile import DebError, DebFile

from sonora_machine.errors import MachineError
from sonora_machine.image.tree import Tree
from veracruz_utils.frozen import frozen

_UNWANTED: Final = (
    "etc/", "usr/bin/", "usr/games/", "usr/include/", "usr/lib/systemd/system", "usr/lib/valgrind/",
    "usr/sbin/", "usr/share/", "var/",
    "usr/lib/x86_64-linux-gnu/engines-3/", "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/x86_64-linux-gnu/audit/", "usr/lib/x86_64-linux-gnu/perl",
)  # fmt: skip
"""What nothing in the machine reads: programs for people first of all, and a shell's tools."""
_WANTED: Final = frozenset({"usr/bin/python3.13", "usr/sbin/dhcpcd"})
_LIBRARY: Final = "usr/lib/python3.13/"
_NO_MODULES: Final = (
    "_curses", "_dbm", "_gdbm", "_sqlite3", "_test", "_tkinter", "_uuid", "_xx", "_ctypes_test",
    "config-", "curses/", "dbm/", "ensurepip/", "idlelib/", "lib2to3/", "pydoc", "readline",
    "sqlite3/", "test/", "tkinter/", "turtle", "venv/", "xxlimited",
)  # fmt: skip
"""Parts of Python's library that nothing here imports, some with libraries of their own."""
PACKAGES: Final = "usr/local/lib/python3.13/dist-packages/"
"""Where Debian's Python looks for what was not packaged by Debian."""
_DAMAGED: Final = (
    ArError, DebError, EOFError, KeyError, OSError, ValueError, lzma.LZMAError, tarfile.TarError,
)  # fmt: skip
"""What reading from memory ends with where a package is none."""
_PURE: Final = frozenset({"purelib", "platlib"})
_MAX_UNPACKED: Final = 2 * 1024 * 1024 * 1024
"""Bytes that one package may be when it is unpacked: the kernel's is a tenth of it."""


def add_debian(tree: Tree, name: str, data: bytes) -> None:
    """Put the files of a package of Debian into a tree, but for what nobody there needs.

    Raises:
        MachineError: it is none.
    """
    for member in read_debian(name, data, wanted=_is_wanted):
        if member.target is not None:
            tree.link(member.path, member.target)
        else:
            tree.file(member.path, member.data, executable=member.executable)


@frozen
class PackagedFile:
    """A file or symbolic link of a package of Debian.

    Attributes:
        path: without a leading slash.
        executable: whether it is to be executed.
        data: a file's content.
        target: where a link leads; of a file None.
    """

    path: str
    executable: bool
    data: bytes
    target: str | None


def read_debian(name: str, data: bytes, *, wanted: Callable[[str], bool]) -> Iterator[PackagedFile]:
    """The files and links of a package whose path is wanted.

    Raises:
        MachineError: it is none.
    """
    try:
        with DebFile(fileobj=io.BytesIO(data)) as package:
            members = package.data.tgz()
            left = _MAX_UNPACKED
            for member in members:
                # Sizes are of headers, which come before what they announce is unpacked.
                left -= member.size
                if left < 0 or member.size < 0:
                    raise ValueError(f"it unpacks to more than {_MAX_UNPACKED} bytes")
                path = member.name.removeprefix("./")
                if not wanted(path) or not (member.isfile() or member.issym() or member.islnk()):
                    continue
                content = members.extractfile(member) if not member.issym() else None
                yield PackagedFile(
                    path,
                    executable=bool(member.mode & 0o111),
                    data=content.read() if content else b"",
                    target=member.linkname if member.issym() else None,
                )
    except _DAMAGED as error:
        raise MachineError(f"{name} is no package of Debian: {error}") from None


def add_wheel(tree: Tree, name: str, data: bytes) -> None:
    """Put a wheel's modules into a tree, where the machine's Python finds them.

    Binary distribution format, packaging.python.org: what lies at the root, and below
    `NAME.data/purelib` and `platlib`. Scripts and manual pages stay out, and the list of files,
    which would name them.

    Raises:
        MachineError: it is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            # A file is never read further than its entry says.
            if sum(entry.file_size for entry in wheel.infolist()) > _MAX_UNPACKED:
                raise ValueError(f"it unpacks to more than {_MAX_UNPACKED} bytes")
            for entry in wheel.infolist():
                path = _place_of(entry)
                if path is not None:
                    tree.file(PACKAGES + path, wheel.read(entry))
    except (*_DAMAGED, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise MachineError(f"{name} is no wheel: {error}") from None


def _place_of(entry: zipfile.ZipInfo) -> str | None:
    """Where a wheel's file belongs among the packages; None if it does not."""
    parts = PurePosixPath(entry.filename).parts
    if entry.is_dir():
        return None
    # A name without parts is one that no tree takes, which says so.
    if len(parts) > 1 and parts[0].endswith(".data"):
        return "/".join(parts[2:]) if parts[1] in _PURE else None
    if parts and parts[0].endswith(".dist-info") and parts[-1] in {"RECORD", "direct_url.json"}:
        return None
    return entry.filename


def _is_wanted(path: str) -> bool:
    if path in _WANTED:
        return True
    if path.startswith(_LIBRARY):
        inner = path.removeprefix(_LIBRARY).removeprefix("lib-dynload/")
        return not inner.startswith(_NO_MODULES)
    return path.startswith("usr/lib") and not path.startswith(_UNWANTED)
