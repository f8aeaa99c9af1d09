"""Fetches what a lock names; what has another digest is not used, wherever it comes from."""

import hashlib
import http.client
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from sonora_machine.errors import MachineError, MachineUnreachableError
from sonora_machine.image.lock import MAX_PACKAGE_BYTES, DebianPackage, MachineLock, PythonPackage
from veracruz_shells.cache import own_folder, user_cache
from veracruz_shells.files import read_file, write_new_file

_CALL_S: Final = 60.0
_SLOWEST_FILE_S: Final = 300.0
"""No file takes longer, but for one second more of each so many bytes."""
_SLOWEST_BYTES: Final = 256 * 1024
_PIP_S: Final = 1800.0
_PLATFORMS: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux_2_5")
"""What wheels may be built for: each is older than the lock's C library."""


class PackageCache:
    """The files that a lock names: those of a folder that was given, those of the user's cache.

    Args:
        given: a folder with files by their own names, such as one that was carried here.
        offline: fetch nothing.
    """

    def __init__(self, given: Path | None = None, *, offline: bool = False) -> None:
        """Look into the cache of this user."""
        self._given = given
        self._offline = offline
        self._kept = own_folder(user_cache() / "machine")

    def debian(self, package: DebianPackage, mirrors: Iterable[str]) -> bytes:
        """The file of a package of Debian.

        Raises:
            MachineUnreachableError: no mirror has it.
            MachineError: what is there is another file.
        """
        name = package.path.rpartition("/")[2]
        found = self._there(name, package.sha256)
        if found is not None:
            return found
        self._forbid(name)
        tried = []
        for mirror in mirrors:
            try:
                data = _fetch(f"{mirror}/{package.path}", package.size)
            except (OSError, http.client.HTTPException) as error:
                tried.append(f"{mirror}: {_reason(error)}")
                continue
            if hashlib.sha256(data).hexdigest() == package.sha256:
                self._keep(package.sha256, data)
                return data
            tried.append(f"{mirror}: another file than the lock says")
        raise MachineUnreachableError(
            f"no mirror gave {package.name} {package.version} ({'; '.join(tried)}); none keeps"
            " old ones: make a new lock with `sonora machine lock`, or give a folder that has"
            f" {name} with --packages"
        )

    def wheels(self, lock: MachineLock) -> dict[str, bytes]:
        """The files of all wheels that are not ours, by name.

        Raises:
            MachineUnreachableError: pip cannot fetch one.
        """
        found = {each.file: self._there(each.file, each.sha256) for each in lock.wheels}
        missing = [each for each in lock.wheels if found[each.file] is None]
        if missing:
            self._forbid(missing[0].file)
            self._download(missing, lock.python)
            found |= {each.file: self._there(each.file, each.sha256) for each in missing}
        lost = [name for name, data in found.items() if data is None]
        if lost:
            raise MachineUnreachableError(
                f"pip fetched no {', '.join(lost)}: is the lock of this index?"
            )
        return {name: data for name, data in found.items() if data is not None}

    def _download(self, wheels: list[PythonPackage], python: str) -> None:
        """By pip, which knows the user's index, and refuses other digests by itself."""
        with tempfile.TemporaryDirectory(prefix="veracruz-machine-") as draft:
            wanted = Path(draft) / "wanted.txt"
            wanted.write_text(
                "".join(
                    f"{each.name}=={each.version} --hash=sha256:{each.sha256}\n" for each in wheels
                )
            )
            pip_of(
                python, "download", "--no-deps", "--require-hashes", "--dest", draft, "-r", wanted
            )
            for each in wheels:
                place = Path(draft) / each.file
                if place.is_file():
                    self._keep(each.sha256, place.read_bytes())

    def _there(self, name: str, digest: str) -> bytes | None:
        places = [self._kept / digest]
        if self._given is not None:
            places.insert(0, self._given / name)
        for place in places:
            if not place.is_file():
                continue
            data = read_file(place, limit=MAX_PACKAGE_BYTES, what="package")
            if hashlib.sha256(data).hexdigest() == digest:
                return data
            if place.parent == self._given:
                raise MachineError(
                    f"{place} is another file than the lock says: {digest} is wanted"
                )
            place.unlink()
        return None

    def _forbid(self, name: str) -> None:
        if self._offline:
            raise MachineError(f"{name} is not there, and --offline forbids to fetch it")

    def _keep(self, digest: str, data: bytes) -> None:
        write_new_file(self._kept / digest, data, mode=0o600, force=True)


def pip_of(python: str, *words: str | Path) -> str:
    """Let pip do something for the machine's Python; what it prints.

    Raises:
        MachineUnreachableError: it fails.
    """
    major, _, minor = python.partition(".")
    platforms = [f"--platform={name}_x86_64" for name in _PLATFORMS]
    abis = [f"--abi={name}" for name in (f"cp{major}{minor}", "abi3", "none")]
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, words),
        "--only-binary=:all:", f"--python-version={python}", "--implementation=cp",
        *abis, *platforms,
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - pip, by this interpreter
            command, capture_output=True, text=True, check=False, timeout=_PIP_S
        )
    except subprocess.TimeoutExpired:
        raise MachineUnreachableError(f"pip did not end within {_PIP_S:.0f} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise MachineUnreachableError(f"pip cannot fetch what the lock names: {said[-1]}")
    return done.stdout


def fetch(address: str, limit: int, *, on_bytes: Callable[[int], None] = lambda _: None) -> bytes:
    """What an address of HTTP gives, at most so many bytes.

    Raises:
        MachineUnreachableError: it gives nothing, or more.
    """
    try:
        data = _fetch(address, limit)
    except (OSError, http.client.HTTPException) as error:
        raise MachineUnreachableError(f"{address}: {_reason(error)}") from None
    on_bytes(len(data))
    return data


def _fetch(address: str, limit: int) -> bytes:
    """What an address gives before its time is over, however slowly it speaks meanwhile."""
    if not address.startswith(("https://", "http://")):
        raise MachineError(f"{address} is no address of HTTP")
    # A timeout of a socket is of one call: a mirror that sends a byte a minute never meets it.
    patience = _SLOWEST_FILE_S + limit / _SLOWEST_BYTES
    answer: Future[bytes] = Future()
    threading.Thread(target=_fetch_into, args=(answer, address, limit), daemon=True).start()
    try:
        return answer.result(patience)
    except TimeoutError:
        if answer.done():
            raise
        raise OSError(f"the file was not there after {patience:.0f} s") from None


def _fetch_into(answer: "Future[bytes]", address: str, limit: int) -> None:
    try:
        answer.set_result(_read(address, limit))
    except Exception as error:  # noqa: BLE001 - of whoever waits
        answer.set_exception(error)


def _read(address: str, limit: int) -> bytes:
    with urllib.request.urlopen(address, timeout=_CALL_S) as opened:  # noqa: S310 - seen above
        data: bytes = opened.read(limit + 1)
        missing = opened.length
    if len(data) > limit:
        raise OSError(f"more than {limit} bytes")
    if missing:
        raise OSError(f"the file ended {missing} bytes too early")
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error)
