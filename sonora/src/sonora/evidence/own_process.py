"""The measurement of this process, Sonora's service, for the evidence of a software root.

It is a digest over the files that execute here, each by its SHA-256 under a name that does not
depend on where it is installed: `interpreter`, `module:NAME`, `native:NAME`. What runs in isolates
is not among them: that is the runtime image, and its measurement is another.
"""

import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

LABEL: Final = b"veracruz-service-measurement-v1"


def measured_files(modules: Mapping[str, ModuleType]) -> dict[str, Path]:
    """Name and place of every file that executes in this process, given its loaded `modules`."""
    files = {"interpreter": Path("/proc/self/exe")}
    places = set()
    for name, module in modules.items():
        spec = getattr(module, "__spec__", None)
        # A module that another one put in its own place may have no specification, but a file.
        file = spec.origin if spec is not None and spec.has_location else None
        file = file or (getattr(module, "__file__", None) if spec is None else None)
        if file is not None:
            path = Path(file)
            files[f"module:{name}"] = path
            places.add(path.resolve())
    interpreter = files["interpreter"].resolve()
    others = _mapped_libraries() - places - {interpreter}
    return files | _named(others)


def digest_files(files: Mapping[str, Path]) -> dict[str, bytes]:
    """The SHA-256 of every file, by name."""
    return {name: _digest_file(path) for name, path in sorted(files.items())}


def measurement_of(digests: Mapping[str, bytes]) -> bytes:
    """The measurement, 32 bytes: SHA-256 over the label and, sorted by name, each name and digest.

    Names are preceded by their length as u64 big-endian, so no two lists share a measurement.
    """
    sha256 = hashlib.sha256(LABEL)
    for name, digest in sorted(digests.items()):
        encoded = name.encode()
        sha256.update(len(encoded).to_bytes(8) + encoded + digest)
    return sha256.digest()


def measure_this_process() -> dict[str, bytes]:
    """The digest of every file that executes here, by name."""
    return digest_files(measured_files(sys.modules))


def _mapped_libraries() -> set[Path]:
    libraries = set()
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            libraries.add(Path(fields[5]))
    return libraries


def _named(libraries: Iterable[Path]) -> dict[str, Path]:
    """The libraries by names that do not depend on their folders, and none hidden by another."""
    by_name: dict[str, list[Path]] = {}
    for path in libraries:
        by_name.setdefault(path.name, []).append(path)
    return {
        f"native:{name}" + (f"#{number}" if number else ""): path
        for name, paths in by_name.items()
        for number, path in enumerate(sorted(paths, key=_digest_file))
    }


def _digest_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
