"""The lock of a machine image: every package that goes into it, by name, version and digest."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from sonora_machine.errors import MachineError
from veracruz_shells.files import read_file

MAX_PACKAGE_BYTES: Final = 1024 * 1024 * 1024
_MAX_BYTES: Final = 1024 * 1024
_SHA256: Final = "[0-9a-f]{64}"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9.+_~:%-]*"
_WHEEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.whl")
_POOL: Final = re.compile(r"pool/(updates/)?main/[A-Za-z0-9.+_~:%/-]+\.deb")


class DebianPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package of Debian.

    Attributes:
        name: as Debian calls it.
        version: likewise.
        archive: `debian` or `debian-security`, which says on which mirrors it is.
        path: below the mirror's address.
        size: of the file, in bytes.
        sha256: of the file, hexadecimal.
    """

    name: str
    version: str
    archive: Literal["debian", "debian-security"]
    path: str
    size: int
    sha256: str


class PythonPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wheel of a package that is not ours.

    Attributes:
        name: of the distribution.
        version: likewise.
        file: the wheel's name.
        sha256: of the file, hexadecimal.
    """

    name: str
    version: str
    file: str
    sha256: str


class MachineLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a machine image is built of, besides our own wheels.

    Attributes:
        version: of this format, 1.
        suite: the release of Debian.
        architecture: as Debian calls it.
        python: its version of Python, such as `3.13`.
        kernel: the release that modules are of, such as `6.12.117+deb13-cloud-amd64`.
        mirrors: addresses of archives, by the archive's name; tried in order.
        debian: packages of Debian.
        wheels: packages of Python.
    """

    version: Literal[1]
    suite: str
    architecture: Literal["amd64"]
    python: str
    kernel: str
    mirrors: dict[str, list[str]]
    debian: list[DebianPackage]
    wheels: list[PythonPackage]

    def write(self) -> bytes:
        """The lock as its file: JSON, a line for each package."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=1).decode()
        # A package is one line: that is what a change of the lock is read by.
        return (re.sub(r"\n {3,}|\n  (?=[}])", " ", text) + "\n").encode()


def shipped_lock() -> Path:
    """The lock that comes with this distribution."""
    return Path(__file__).parent / "machine.lock.json"


def read_lock(path: Path) -> MachineLock:
    """Read a lock.

    Raises:
        MachineError: it is none.
    """
    return parse_lock(read_file(path, limit=_MAX_BYTES, what="lock"), name=str(path))


def parse_lock(data: bytes, *, name: str) -> MachineLock:
    """Read a lock's content, and check what its values lead to: paths, addresses, duplicates.

    Raises:
        MachineError: it is none.
    """
    try:
        lock = msgspec.json.decode(data, type=MachineLock)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MachineError(f"{name} is no lock of a machine image: {error}") from None
    every: list[DebianPackage | PythonPackage] = [*lock.debian, *lock.wheels]
    faults = [*_faults_of_names(every), *_faults_of_places(lock)]
    if faults:
        raise MachineError(f"{name}: {faults[0]}")
    return lock


def _faults_of_names(every: list[DebianPackage | PythonPackage]) -> Iterator[str]:
    for each in every:
        if not (re.fullmatch(_NAME, each.name) and re.fullmatch(_NAME, each.version)):
            yield f"{each.name!r} {each.version!r} names no package"
        if not re.fullmatch(_SHA256, each.sha256):
            yield f"the digest of {each.name} is no SHA-256 in hexadecimal"
    names = Counter(each.name for each in every)
    twice = sorted(each for each, number in names.items() if number > 1)
    if twice:
        yield f"it has two versions of {', '.join(twice)}"


def _faults_of_places(lock: MachineLock) -> Iterator[str]:
    for wheel in lock.wheels:
        if not _WHEEL.fullmatch(wheel.file):
            yield f"{wheel.file!r} is no name of a wheel"
    for package in lock.debian:
        if not _POOL.fullmatch(package.path) or ".." in package.path.split("/"):
            yield f"{package.path!r} is no place of a package in an archive"
        if not 0 < package.size <= MAX_PACKAGE_BYTES:
            yield f"{package.name} has {package.size} bytes, and a package 1 to {MAX_PACKAGE_BYTES}"
        if package.archive not in lock.mirrors:
            yield f"it names no mirror of {package.archive}"
