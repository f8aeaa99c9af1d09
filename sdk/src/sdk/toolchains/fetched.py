"""Sources of others that an example is built with: fetched from a package registry, never shipped.

An example's folder names them in a Cargo.toml: the crate's exact version, so that cargo gets it,
and the SHA-256 of every file that is used, so that it does not matter from whom.
"""

import os
import shutil
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Final

from sdk.errors import BuildError, SourceUnavailableError
from sdk.toolchains.cargo import raise_if_unreachable
from sdk.toolchains.tool import refusal, run_tool
from veracruz_utils.frozen import frozen

MANIFEST: Final = "Cargo.toml"
FETCH_SECONDS: Final = 120

_ENVIRONMENT: Final = {
    "CARGO_NET_RETRY": "1",
    "CARGO_HTTP_TIMEOUT": "20",
    # Debian 12's cargo reads a registry's index in one piece otherwise, which takes minutes.
    "CARGO_UNSTABLE_SPARSE_REGISTRY": "true",
    "RUSTC_BOOTSTRAP": "1",
}


@frozen
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
        raise SourceUnavailableError(
            "cargo is missing, which fetches the sources: apt install cargo"
        )
    command = [cargo, "vendor", "--quiet", "--manifest-path", MANIFEST, "vendor"]
    environment = {**_ENVIRONMENT, **os.environ}
    try:
        ran = run_tool(
            command, folder, name="cargo", timeout_s=FETCH_SECONDS, environment=environment
        )
    except BuildError as error:  # it waits for a registry, as it compiles nothing
        raise SourceUnavailableError(str(error)) from None
    if not ran.succeeded:
        raise_if_unreachable(ran.words)
        raise refusal("cargo", MANIFEST, ran.words)


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
