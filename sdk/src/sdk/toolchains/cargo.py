"""Builds guests in Rust with crates: a folder with Cargo.toml, by Debian's cargo and compiler.

The output depends on the sources, on Cargo.lock, on the versions of cargo and of the compiler and
on their host, and on nothing else: no path and no home of cargo.

Crates come from where cargo is told to take them, by default the public registry. They are fetched
first, and built without a network.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sdk.errors import BuildError, SourceUnavailableError
from sdk.toolchains import rust
from sdk.toolchains.tool import refusal, run_tool

CARGO_VERSION: Final = "1.65.0"
"""Debian 12's, which goes with the compiler; newer ones ask the compiler for what it lacks."""
CARGO: Final = "/usr/bin/cargo"
REMEDY: Final = f"apt install cargo (Debian 12), or name a cargo {CARGO_VERSION} in VERACRUZ_CARGO"
LIBRARIES: Final = ("libveracruz", "veracruz_getrandom", "veracruz_serde")
"""The crates of the SDK that a program with Cargo.toml may use, by a path."""
FETCH_SECONDS: Final = 300

_TARGET: Final = "wasm32-unknown-unknown"
# An error of the transport, by its number, or an answer that is not the registry's own. A crate
# that has another checksum, or that the registry does not have, is something else.
_UNREACHABLE: Final = re.compile(
    r"^\s*\[\d{1,2}\] |spurious network error|, got (?:403|407|429|5\d\d)\b"
    r"|--offline was specified",
    re.MULTILINE,
)


def cargo() -> str:
    """The cargo to build with.

    Raises:
        BuildError: there is none, or it is another version.
    """
    path = os.environ.get("VERACRUZ_CARGO", CARGO)
    if shutil.which(path) is None:
        raise BuildError(f"cargo is missing: {REMEDY}")
    said = _run([path, "--version"], Path(), os.environ, timeout_s=FETCH_SECONDS).split()
    if said[1:2] != [CARGO_VERSION]:
        raise BuildError(
            f"{path} is version {' '.join(said[1:2])}, expected {CARGO_VERSION}: {REMEDY}"
        )
    return path


def compile_cargo(folder: Path, *, debug: bool = False) -> bytes:
    """The module that the program with the Cargo.toml in a folder builds.

    With `debug` it says what it panics about (`say_panics!`), and keeps its functions' names.

    It builds in `target` in the folder, and writes Cargo.lock if there is none. With one, only the
    versions in it are used.

    Raises:
        SourceUnavailableError: a crate is not there and cannot be fetched.
        BuildError: the toolchain is missing, or refuses the program.
    """
    folder = folder.resolve()
    tool, environment = cargo(), _environment()
    locked = ["--locked"] if folder.joinpath("Cargo.lock").is_file() else []
    fetch = [tool, "fetch", *locked, "--target", _TARGET]
    _run(fetch, folder, environment, timeout_s=FETCH_SECONDS)
    # Also fetches what a build for this machine would use.
    ask = [tool, "metadata", "--locked", "--format-version=1", f"--filter-platform={_TARGET}"]
    flags = _flags(folder, _run(ask, folder, environment, timeout_s=FETCH_SECONDS))
    if debug:
        environment["CARGO_PROFILE_RELEASE_STRIP"] = "debuginfo"
        flags += [f"--cfg={rust.DEBUG_CFG}", f"-C{rust.DEBUG_LINK}"]
    # RUSTFLAGS is split at spaces, which the path of a folder may have.
    environment |= {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}
    build = [tool, "build", "--release", "--locked", "--offline", "--target", _TARGET]
    build += ["--target-dir", str(folder / "target"), "--message-format=json-render-diagnostics"]
    said = _run(build, folder, environment, timeout_s=rust.BUILD_SECONDS)
    return _module(said).read_bytes()


def compile_example(folder: Path, *, libraries: Path) -> bytes:
    """The module of an example, which has the crates of the SDK two folders up.

    It is built from a copy that has them within, as a project has: cargo names what is outside a
    program by its whole path.

    Args:
        folder: the example's.
        libraries: the folder that has the crates of `LIBRARIES`.

    Raises:
        BuildError: as `compile_cargo`.
    """
    with tempfile.TemporaryDirectory(prefix="veracruz-build-") as name:
        copy = Path(name, "program")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("target"))
        add_libraries(copy, libraries=libraries)
        use_libraries_within(copy)
        return compile_cargo(copy)


def use_libraries_within(folder: Path) -> None:
    """Have an example's Cargo.toml look for the crates of the SDK in its own folder."""
    manifest = folder / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('"../../', '"'))


def add_libraries(folder: Path, *, libraries: Path) -> None:
    """Copies the crates of the SDK into a folder."""
    for library in LIBRARIES:
        ignored = shutil.ignore_patterns("target")
        shutil.copytree(libraries / library, folder / library, ignore=ignored)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not _overrides(key)}
    return {
        "CARGO_HTTP_TIMEOUT": "20",
        "CARGO_NET_RETRY": "1",
        **kept,
        # This cargo reads a registry's index in one piece otherwise, which takes minutes.
        "CARGO_UNSTABLE_SPARSE_REGISTRY": "true",
        # What cargo says is searched for words in English.
        "LC_ALL": "C",
        "RUSTC": rust.compiler(),
        # Lets a released cargo accept the unstable option above.
        "RUSTC_BOOTSTRAP": "1",
    }


def _flags(folder: Path, metadata: str) -> list[str]:
    """The compiler's flags: the folder of every package has a name that is the same everywhere."""
    remap = [f"--remap-path-prefix={folder}=/program"]
    for package in json.loads(metadata)["packages"]:
        where = Path(package["manifest_path"]).parent
        if not where.is_relative_to(folder):
            remap.append(f"--remap-path-prefix={where}=/{package['name']}-{package['version']}")
    stack = f"-Clink-arg=-zstack-size={rust.STACK_BYTES}"
    return [*remap, stack, '--cfg=getrandom_backend="custom"']


def _overrides(key: str) -> bool:
    """Whether a variable would change what is built."""
    return key.startswith(("CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "RUSTC", "RUSTFLAGS"))


def _module(said: str) -> Path:
    """The one program among cargo's messages."""
    messages = [json.loads(line) for line in said.splitlines()]
    built = [str(message["executable"]) for message in messages if message.get("executable")]
    if len(built) != 1:
        raise BuildError(f"the package has {len(built)} programs, expected one")
    return Path(built[0])


def _run(
    command: list[str], folder: Path, environment: Mapping[str, str], *, timeout_s: int
) -> str:
    name = f"cargo {command[1]}"
    ran = run_tool(command, folder, name=name, timeout_s=timeout_s, environment=environment)
    if ran.succeeded:
        return ran.output
    if command[1] != "build":
        raise_if_unreachable(ran.words)
    raise refusal("cargo", folder, ran.words)


def raise_if_unreachable(words: str) -> None:
    """Tell a registry that cannot be reached, which is nobody's fault here, from the rest.

    Raises:
        SourceUnavailableError: that is what cargo complains about.
    """
    if _UNREACHABLE.search(words):
        last = words.splitlines()[-1].strip()[:200]
        raise SourceUnavailableError(f"the registry of crates cannot be reached: {last}")
