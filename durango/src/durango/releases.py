"""Releases of the runtime that a principal knows, by the keys that it decided to trust.

No key is trusted by default, and none because it came with what it signed: a folder of the
principal's own holds the keys that it compared with what their makers publish, and the signed files
of releases that it was given. The installed package with a release's image may bring a file too,
which counts as any other. Everything is verified anew whenever it is read.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from durango.errors import ReleaseError
from psa_attestation.corim.release import MAX_RELEASE_BYTES, ImageRelease, verify_release
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_shells.files import read_file, write_new_file
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.key_files import ec_key_of_pem, pem_of
from veracruz_utils.public_keys import NIST_CURVES, KeyFormatError, der_of

INSTALLED_PACKAGE: Final = "veracruz_runtime_image"
INSTALLED_FILE: Final = "release.corim"
MAX_KEY_BYTES: Final = 16 * 1024
_OTHERS_MAY_WRITE: Final = 0o022
HOW_TO_TRUST: Final = (
    "get the public key from where releases are published, its fingerprint from somewhere else, "
    "and run `durango release trust KEY.pem --fingerprint HEX`"
)


@frozen
class TrustedKey:
    """A key for releases that the principal compared and trusts."""

    key: ec.EllipticCurvePublicKey
    path: Path

    @property
    def fingerprint(self) -> Digest:
        """SHA-256 of its DER SubjectPublicKeyInfo: what is compared."""
        return Digest.of(der_of(self.key))


@frozen
class KnownRelease:
    """A release that a trusted key signed, and that is valid."""

    release: ImageRelease
    signed_by: Digest
    path: Path

    def measurement(self, architecture: str | None) -> tuple[str, bytes]:
        """For which machines, and what it measures there.

        Args:
            architecture: which; may be None where the release has one alone.

        Raises:
            ReleaseError: it has no image for these machines, or for several.
        """
        known = self.release.measurements
        if architecture is None and len(known) == 1:
            (architecture,) = known
        if architecture is None:
            raise ReleaseError(
                f"release {self.release.version} has images for {_listed(known)}: "
                "say for which machine with --architecture"
            )
        if architecture not in known:
            raise ReleaseError(
                f"release {self.release.version} has no image for {architecture[:32]!r}, "
                f"it has one for {_listed(known)}"
            )
        return architecture, known[architecture]


@frozen
class RefusedRelease:
    """A file about a release that is not believed, and why."""

    path: Path
    reason: str


class Releases:
    """The releases and keys in a folder of the principal's, and the release that is installed.

    Args:
        folder: need not be there; the commands use `~/.config/durango`.
        at: the time it is; None is now.
    """

    def __init__(self, folder: Path | str, *, at: datetime | None = None) -> None:
        self.folder = Path(folder)
        self._at = int((at or datetime.now(UTC)).timestamp())

    def trust(self, pem: bytes, *, fingerprint: Digest, name: str) -> TrustedKey:
        """Trust a key for releases from now on.

        Args:
            pem: the public key.
            fingerprint: what its makers publish, from another source than the key.
            name: of the key's file.

        Raises:
            ReleaseError: it is not a public key on P-256, P-384 or P-521, or not that one.
        """
        key = _key_of(pem, name)
        found = Digest.of(der_of(key))
        if found != fingerprint:
            raise ReleaseError(
                f"{name} is the key {found}, the fingerprint given is {fingerprint}: get both once "
                "more, from different places; if they still differ, do not use this key"
            )
        path = self._keys / f"{found}.pem"
        self._make(self._keys)
        write_new_file(path, pem_of(key), mode=0o644, force=True)
        return TrustedKey(key, path)

    def distrust(self, fingerprint: Digest) -> None:
        """Trust a key no longer.

        Raises:
            ReleaseError: it is not trusted.
        """
        try:
            (self._keys / f"{fingerprint}.pem").unlink()
        except FileNotFoundError:
            raise ReleaseError(f"key {fingerprint} is not among the trusted ones") from None

    def keys(self) -> list[TrustedKey]:
        """The trusted keys.

        Raises:
            ReleaseError: others on this machine could have put one there, or it was changed.
        """
        if not self._keys.is_dir():
            return []
        keys = []
        for path in sorted(self._keys.glob("*.pem")):
            for place in (self.folder, self._keys, path):
                _require_own(place)
            data = read_file(path, limit=MAX_KEY_BYTES, what="release key")
            trusted = TrustedKey(_key_of(data, str(path)), path)
            # The name is what was compared when the key was trusted.
            if path.stem != str(trusted.fingerprint):
                raise ReleaseError(f"{path} holds another key, {trusted.fingerprint}: remove it")
            keys.append(trusted)
        return keys

    def add(self, data: bytes, *, name: str) -> KnownRelease:
        """Know the release that a signed file is about.

        Args:
            data: the file.
            name: what errors call it.

        Raises:
            ReleaseError: no trusted key signed it, it is not valid now, or it contradicts what is
                known of that release.
        """
        found = self._verified(data, Path(name))
        version = found.release.version
        path = self._files / f"{version}.corim"
        known = [each for each in self.known() if each.release.version == version]
        for other in known:
            _agree(found, other)
            if other.path == path and other.release.issued_at > found.release.issued_at:
                raise ReleaseError(f"{name} is older than what is known of release {version}")
        self._make(self._files)
        write_new_file(path, data, mode=0o644, force=True)
        return KnownRelease(found.release, found.signed_by, path)

    def remove(self, version: str) -> None:
        """Know a release no longer that was added.

        Raises:
            ReleaseError: it was not.
        """
        for path in self._files.glob("*.corim"):
            if path.stem == version:
                path.unlink()
                return
        raise ReleaseError(f"release {version[:40]!r} was not added to {self.folder}")

    def known(self) -> list[KnownRelease]:
        """Every release that a trusted key signed and that is valid now."""
        return [each for each in self.judged() if isinstance(each, KnownRelease)]

    def judged(self) -> list[KnownRelease | RefusedRelease]:
        """Every file about a release that there is, believed or not."""
        found: list[KnownRelease | RefusedRelease] = []
        for path in self._paths():
            try:
                data = read_file(path, limit=MAX_RELEASE_BYTES, what="release")
                found.append(self._verified(data, path))
            except ReleaseError as error:
                found.append(RefusedRelease(path, str(error)))
        return found

    def find(self, version: str) -> KnownRelease:
        """The release of this version.

        Raises:
            ReleaseError: it is not known; the message says what there is, and what to do.
        """
        judged = self.judged()
        matching = [
            each
            for each in judged
            if isinstance(each, KnownRelease) and each.release.version == version
        ]
        if not matching:
            raise ReleaseError(self._unknown(version, judged))
        for one, other in itertools.combinations(matching, 2):
            _agree(one, other)
        return max(matching, key=lambda each: each.release.issued_at)

    def of_measurement(self, measurement: bytes) -> tuple[KnownRelease, str] | None:
        """The known release with this value, and for which machines it is."""
        for known in self.known():
            for architecture, value in known.release.measurements.items():
                if value == measurement:
                    return known, architecture
        return None

    @property
    def _keys(self) -> Path:
        return self.folder / "release-keys"

    @property
    def _files(self) -> Path:
        return self.folder / "releases"

    def _make(self, folder: Path) -> None:
        # One by one: `parents` would leave the upper one to the umask, which may let others write.
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)

    def _paths(self) -> Iterator[Path]:
        if self._files.is_dir():
            yield from sorted(self._files.glob("*.corim"))
        # Found and not imported: nothing of the package has to run for its file to be read.
        package = find_spec(INSTALLED_PACKAGE)
        for place in (package.submodule_search_locations or []) if package else []:
            path = Path(place) / INSTALLED_FILE
            if path.is_file():
                yield path

    def _verified(self, data: bytes, path: Path) -> KnownRelease:
        keys = self.keys()
        if not keys:
            raise ReleaseError(f"{path}: no key for releases is trusted here; {HOW_TO_TRUST}")
        for trusted in keys:
            try:
                release = verify_release(data, key=trusted.key, at=self._at)
            except AttestationError as error:
                if error.stage is Stage.SIGNATURE or error.code is ErrorCode.ALG_KEY_MISMATCH:
                    continue  # by another key, perhaps one of those that follow
                raise ReleaseError(f"{path}: {_explained(error)}") from error
            return KnownRelease(release, trusted.fingerprint, path)
        raise ReleaseError(
            f"{path}: signed by none of the keys that are trusted here, "
            f"{', '.join(str(each.fingerprint) for each in keys)}"
        )

    def _unknown(self, version: str, judged: list[KnownRelease | RefusedRelease]) -> str:
        known = [each.release.version for each in judged if isinstance(each, KnownRelease)]
        refused = [each.reason for each in judged if isinstance(each, RefusedRelease)]
        there = f"known here: {', '.join(known)}" if known else "no release is known here"
        why = f"; not believed: {'; '.join(refused[:4])}" if refused else ""
        return (
            f"release {version[:40]!r} is not known, {there}{why}: get the release's signed file "
            "and run `durango release add FILE`"
        )


def _require_own(path: Path) -> None:
    """Refuse what another user of this machine could have put or could change there."""
    status = path.stat()
    if status.st_uid not in {0, os.geteuid()}:
        raise ReleaseError(f"{path} belongs to another user of this machine: make it your own")
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise ReleaseError(f"others may write to {path}: chmod go-w {path}")


def _agree(one: KnownRelease, other: KnownRelease) -> None:
    """Refuse two files that say different things of one image."""
    for architecture, value in one.release.measurements.items():
        said = other.release.measurements.get(architecture, value)
        if said != value:
            raise ReleaseError(
                f"two signed files differ about release {one.release.version} for {architecture}: "
                f"{value.hex()} in {one.path}, {said.hex()} in {other.path}; "
                "a release has one value: do not use it, and tell who releases it"
            )


def _explained(error: AttestationError) -> str:
    if error.code is ErrorCode.EXPIRED:
        return f"its time is over ({error}): get a newer release, or a newer file about this one"
    if error.code is ErrorCode.NOT_YET_VALID:
        return f"its time has not come ({error}): is the clock of this machine right?"
    return f"not a signed release of the runtime ({error})"


def _key_of(pem: bytes, name: str) -> ec.EllipticCurvePublicKey:
    try:
        return ec_key_of_pem(pem, NIST_CURVES)
    except KeyFormatError as error:
        raise ReleaseError(f"{name} {error}") from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def when(seconds: int) -> datetime:
    """A release's time."""
    return datetime.fromtimestamp(seconds, UTC)
