"""Sources of others that an example is built with: fetched from a package registry, never shipped.

An example's folder names them in a Cargo.toml: the crate's exact version, so that cargo gets it,
and the SHA-256 of every file that is used, so that it does not matter from whom.
"""

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from sdk.cargo_guest import UNREACHABLE
from sdk.errors import BuildError, SourceUnavailableError

MANIFEST: Final = "Cargo.toml"
FETCH_SECONDS: Final = 120

_ENVIRONMENT: Final = {
    "CARGO_NET_RETRY": "1",
    "CARGO_HTTP_TIMEOUT": "20",
    # Debian 12's cargo reads a registry's index in one piece otherwise, which takes minutes.
    "CARGO_UNSTABLE_SPARSE_REGISTRY": "true",
    "RUSTC_BOOTSTRAP": "1",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """Sources of others.

    Attributes:
        files: sources and headers.
        defines: names of macros to compile them with.
    """

    files: tuple[Path, ...]
    defines: tuple[str, ...]


def fetch_sources(manifest: Path, into: Path) -> Fetched:
    """The files that a manifest names, in the folder `into`.

    Raises:
        SourceUnavailableError: cargo is missing, or cannot reach the registry.
        BuildError: there are none, or they are not what the manifest says.
    """
    said = tomllib.loads(manifest.read_text())["package"]["metadata"]["veracruz"]
    crates = into / "crates"
    crates.mkdir()
    shutil.copy(manifest, crates / MANIFEST)
    crates.joinpath("none.rs").touch()
    _vendor(crates)
    files = [_checked(crates / "vendor" / name, of, into) for name, of in said["files"].items()]
    return Fetched(tuple(files), tuple(said["defines"]))


def _vendor(folder: Path) -> None:
    cargo = shutil.which("cargo")  # any, as it compiles nothing
    if cargo is None:
        raise SourceUnavailableError("cargo, which fetches sources, is missing")
    command = [cargo, "vendor", "--quiet", "--manifest-path", MANIFEST, "vendor"]
    try:
        done = subprocess.run(  # noqa: S603 - our own command line, no shell
            command,
            capture_output=True,
            check=False,
            cwd=folder,
            env={**_ENVIRONMENT, **os.environ},
            text=True,
            timeout=FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise SourceUnavailableError(f"cargo fetched nothing in {FETCH_SECONDS} s") from None
    if done.returncode == 0:
        return
    words = done.stderr.strip()
    if UNREACHABLE.search(words):
        last = words.splitlines()[-1].strip()[:200]
        raise SourceUnavailableError(f"the registry of crates cannot be reached: {last}")
    raise BuildError(f"cargo does not fetch what {MANIFEST} names:\n{words[:8000]}")


def _checked(source: Path, digest: str, into: Path) -> Path:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise BuildError(f"{source.name}, fetched: {error.strerror}") from None
    found = sha256(content).hexdigest()
    if found != digest:
        raise BuildError(f"{source.name}, fetched, has SHA-256 {found}, expected {digest}")
    target = into / source.name
    target.write_bytes(content)
    return target
