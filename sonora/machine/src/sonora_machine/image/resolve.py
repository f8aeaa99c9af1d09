"""Makes a lock anew: the newest packages of a release of Debian, and the wheels that go with them.

Whoever makes a lock decides what is trusted, so the archive's signature is checked here, by `gpgv`;
whoever builds by it afterwards needs the digests alone.
"""

import hashlib
import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from debian.deb822 import Packages, Release
from debian.debian_support import Version

from sonora_machine.errors import MachineError
from sonora_machine.image.fetch import fetch, pip_of
from sonora_machine.image.lock import DebianPackage, MachineLock, PythonPackage
from veracruz_utils.frozen import frozen

KERNEL: Final = "linux-image-"
STUB: Final = "systemd-boot-efi"
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MAX_INDEX_BYTES: Final = 64 * 1024 * 1024
_OURS: Final = ("veracruz-sonora", "veracruz-sinaloa")
_GPGV_S: Final = 60.0


@frozen
class _Suite:
    """An index of packages: which archive it is in, and its path there."""

    archive: str
    name: str

    def index(self, architecture: str) -> str:
        return f"main/binary-{architecture}/Packages.xz"


def renew(
    old: MachineLock,
    *,
    wheels: Path,
    constraints: Path | None,
    more: Collection[str] = (),
    keyring: Path = _KEYRING,
    on_step: Callable[[], None] = lambda: None,
) -> MachineLock:
    """The packages of a lock in the versions that Debian has now, and the wheels that ours need.

    Args:
        old: which packages of Debian, from which mirrors; a snapshot's time is set anew.
        wheels: a folder with our own wheels.
        constraints: versions that other packages must have, as pip reads them.
        more: packages of Debian that the lock did not have.
        keyring: whose signatures count for an archive.
        on_step: called after each index and after the wheels.

    Raises:
        MachineUnreachableError: an index cannot be fetched.
        MachineError: its signature is not good, or it has no such package.
    """
    found: dict[str, DebianPackage] = {}
    for suite in _suites(old):
        mirror = old.mirrors[suite.archive][0]
        for package in _packages(mirror, suite, old.architecture, keyring):
            _take_newer(found, package, suite.archive)
        on_step()
    names = {each.name for each in old.debian if not each.name.startswith(KERNEL)} | {*more}
    missing = sorted(names - found.keys())
    if missing:
        raise MachineError(f"Debian {old.suite} has no {', '.join(missing)}")
    kernel = _newest_kernel(found)
    lock = msgspec.structs.replace(
        old,
        kernel=kernel.name.removeprefix(KERNEL),
        mirrors=_with_snapshot(old.mirrors),
        debian=[found[name] for name in sorted([*names, kernel.name])],
        wheels=_wheels(old.python, wheels, constraints),
    )
    on_step()
    return lock


def steps(old: MachineLock) -> int:
    """How often `renew` says that it got further."""
    return len(_suites(old)) + 1


def _suites(lock: MachineLock) -> list[_Suite]:
    names = [_Suite("debian", lock.suite), _Suite("debian", f"{lock.suite}-updates")]
    if "debian-security" in lock.mirrors:
        names.append(_Suite("debian-security", f"{lock.suite}-security"))
    return names


def _packages(mirror: str, suite: _Suite, architecture: str, keyring: Path) -> list[Packages]:
    base = f"{mirror}/dists/{suite.name}"
    release = Release(_signed(fetch(f"{base}/InRelease", _MAX_INDEX_BYTES), keyring))
    name = suite.index(architecture)
    listed = {row["name"]: row for row in release["SHA256"]}
    if name not in listed:
        raise MachineError(f"{base}/InRelease lists no {name}")
    data = fetch(f"{base}/{name}", _MAX_INDEX_BYTES)
    if hashlib.sha256(data).hexdigest() != listed[name]["sha256"]:
        raise MachineError(f"{base}/{name} is not what its signed index says: try again later")
    text = lzma.decompress(data).decode()
    return list(Packages.iter_paragraphs(text, use_apt_pkg=False))


def _signed(data: bytes, keyring: Path) -> bytes:
    """The text of an InRelease file whose signature is by one of a keyring's keys."""
    gpgv = shutil.which("gpgv")
    if gpgv is None or not keyring.is_file():
        raise MachineError(
            f"a lock is made with gpgv and {keyring}: apt install gpgv debian-archive-keyring"
        )
    with tempfile.TemporaryDirectory(prefix="veracruz-machine-") as draft:
        signed, plain = Path(draft) / "InRelease", Path(draft) / "Release"
        signed.write_bytes(data)
        done = subprocess.run(  # noqa: S603 - gpgv, found above
            [gpgv, "--quiet", "--keyring", keyring, "--output", plain, signed],
            capture_output=True, text=True, check=False, timeout=_GPGV_S,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it says nothing"]
            raise MachineError(f"the archive's signature is not good: {said[-1]}")
        return plain.read_bytes()


def _take_newer(found: dict[str, DebianPackage], row: Mapping[str, Any], archive: str) -> None:
    name, version = row["Package"], row["Version"]
    if name in found and Version(found[name].version) >= Version(version):
        return
    found[name] = DebianPackage(
        name=name,
        version=version,
        archive="debian-security" if archive == "debian-security" else "debian",
        path=row["Filename"],
        size=int(row["Size"]),
        sha256=row["SHA256"],
    )


def _newest_kernel(found: Mapping[str, DebianPackage]) -> DebianPackage:
    """Debian's kernel for clouds, signed; its name has its release in it."""
    kernels = [
        package
        for name, package in found.items()
        if name.startswith(f"{KERNEL}6.") and name.endswith("-cloud-amd64")
    ]
    if not kernels:
        raise MachineError("Debian has no kernel for clouds any more")
    return max(kernels, key=lambda package: Version(package.version))


def _with_snapshot(mirrors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The archive's memory by today's date, for when the mirrors have moved on."""
    today = f"{datetime.now(UTC):%Y%m%dT000000Z}"
    return {
        archive: [
            *(each for each in addresses if "snapshot.debian.org" not in each),
            f"https://snapshot.debian.org/archive/{archive}/{today}",
        ]
        for archive, addresses in mirrors.items()
    }


def _wheels(python: str, wheels: Path, constraints: Path | None) -> list[PythonPackage]:
    """What pip would install of others beside our own wheels."""
    with tempfile.TemporaryDirectory(prefix="veracruz-machine-") as draft:
        report = Path(draft) / "report.json"
        limits: list[str | Path] = ["--constraint", constraints] if constraints else []
        pip_of(
            python, "install", "--dry-run", "--ignore-installed", "--target", draft,
            "--report", report, "--find-links", wheels, *limits, *_OURS,
        )  # fmt: skip
        rows = msgspec.json.decode(report.read_bytes())["install"]
    found = [
        PythonPackage(
            name=row["metadata"]["name"],
            version=row["metadata"]["version"],
            file=row["download_info"]["url"].rpartition("/")[2],
            sha256=row["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for row in rows
        if not row["metadata"]["name"].startswith("veracruz")
    ]
    return sorted(found, key=lambda package: package.name)
