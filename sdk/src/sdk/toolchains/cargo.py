"""Builds guests in Rust with crates: a folder with Cargo.toml, by cargo and its compiler.

The output depends on the sources, on Cargo.lock, on the versions of cargo and of the compiler and
on their host, and on nothing else: no path and no home of cargo.

Crates come from where cargo is told to take them, by default the public registry. They are fetched
first, and built without a network.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sdk.errors import BuildError, SourceUnavailableError
from sdk.toolchains.crate_age import advice_on_age
from sdk.toolchains.made import Made, Tool
from sdk.toolchains.rust import (
    BUILD_SECONDS,
    CHECKED_CFGS,
    DEBUG_CFG,
    DEBUG_LINK,
    KNOWN_CFGS,
    STACK_BYTES,
    remap_of_library,
)
from sdk.toolchains.rust_found import (
    FOUND,
    TARGET,
    WASI_TARGET,
    Rust,
    RustChoice,
    find_cargo,
    find_rust,
    version_of,
)
from sdk.toolchains.rust_target import for_target
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import Ran, refusal, run_tool
from veracruz_utils.frozen import frozen

_FIRST_WITH_SPARSE: Final = 70
"""Older ones read a registry's index in one piece unless told otherwise, which takes minutes."""
LIBRARIES: Final = ("libveracruz", "veracruz_getrandom", "veracruz_serde")
"""The crates of the SDK that a program with Cargo.toml may use, by a path."""
FETCH_SECONDS: Final = 300

_PACKAGE: Final = """\
[package]
name = "program"
version = "0.0.0"
edition = "2021"
[dependencies]
libveracruz = { path = "libveracruz" }
veracruz_rt = { path = "veracruz_rt" }
[profile.release]
codegen-units = 1
lto = true
panic = "abort"
strip = "symbols"
[workspace]
exclude = ["libveracruz", "veracruz_rt"]
"""
# An error of the transport, by its number, or an answer that is not the registry's own. A crate
# that has another checksum, or that the registry does not have, is something else.
_UNREACHABLE: Final = re.compile(
    r"^\s*\[\d{1,2}\] |spurious network error|, got (?:403|407|429|5\d\d)\b"
    r"|--offline was specified",
    re.MULTILINE,
)


@frozen
class _Toolchain:
    rust: Rust
    cargo: Path
    version: str
    minor: int

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not _overrides(key)}
        made = {
            "CARGO_HTTP_TIMEOUT": "20",
            "CARGO_NET_RETRY": "1",
            **kept,
            # What cargo says is searched for words in English.
            "LC_ALL": "C",
            "RUSTC": str(self.rust.path),
        }
        if self.minor < _FIRST_WITH_SPARSE:
            # Lets a released cargo accept the unstable option.
            made |= {"CARGO_UNSTABLE_SPARSE_REGISTRY": "true", "RUSTC_BOOTSTRAP": "1"}
        return made


def compile_cargo(
    folder: Path,
    *,
    debug: bool = False,
    choice: RustChoice = FOUND,
    examples: bool = False,
) -> Made:
    """The module that the program with the Cargo.toml in a folder builds.

    It builds in `target` in the folder, and writes Cargo.lock if there is none. With one, only the
    versions in it are used.

    Args:
        folder: the program's.
        debug: it says what it panics about (`say_panics!`), and keeps its functions' names.
        choice: the author's, of the toolchain and of the target.
        examples: prefer the compiler of the shipped examples.

    Raises:
        SourceUnavailableError: a crate is not there and cannot be fetched.
        BuildError: the toolchain is missing, or refuses the program.
    """
    folder = folder.resolve()
    tools = _toolchain(folder, choice, examples=examples)
    rust, tool, environment = tools.rust, str(tools.cargo), tools.environment()
    with for_target(choice.target, rust) as (target, more, unstable):
        environment |= unstable
        locked = ["--locked"] if folder.joinpath("Cargo.lock").is_file() else []
        known = rust.called(WASI_TARGET) if choice.target == WASI_TARGET else TARGET
        fetch = [tool, "fetch", *locked, "--target", known]
        _run(fetch, folder, environment, rust, timeout_s=FETCH_SECONDS)
        # Also fetches what a build for this machine would use.
        ask = [tool, "metadata", "--locked", "--format-version=1", f"--filter-platform={known}"]
        metadata = _run(ask, folder, environment, rust, timeout_s=FETCH_SECONDS).output
        kept = [f"-Clink-arg=-zstack-size={STACK_BYTES}", '--cfg=getrandom_backend="custom"']
        if rust.minor >= CHECKED_CFGS:
            kept.append(f"--check-cfg={KNOWN_CFGS}")
        if debug:
            environment["CARGO_PROFILE_RELEASE_STRIP"] = "debuginfo"
            kept += [f"--cfg={DEBUG_CFG}", f"-C{DEBUG_LINK}"]
        flags = [*_remapped(folder, metadata), remap_of_library(rust), *kept]
        # RUSTFLAGS is split at spaces, which the path of a folder may have.
        environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
        build = [tool, "build", "--quiet", "--release", "--locked", *more, "--target", target]
        build += ["--target-dir", str(folder / "target")]
        build += ["--message-format=json-render-diagnostics"]
        ran = _run(build, folder, environment, rust, timeout_s=BUILD_SECONDS)
    said = "\n".join(filter(None, (rust.note, ran.words)))
    by = (rust.tool(choice.target), Tool.of("cargo", tools.version, tools.cargo))
    recorded = ("--release", *more, *kept)
    code = _module(ran.output).read_bytes()
    return Made(code, "Rust", by, choice.target, recorded, debug=debug, warnings=said)


def _toolchain(folder: Path, choice: RustChoice, *, examples: bool) -> _Toolchain:
    rust = find_rust(folder, choice, examples=examples)
    path = find_cargo(rust, choice)
    ran = run_tool([str(path), "--version"], folder, name=str(path), timeout_s=FETCH_SECONDS)
    version, minor = version_of(ran.output, path)
    return _Toolchain(rust, path, version, minor)


def compile_example(folder: Path, *, libraries: Path) -> Made:
    """The module of an example, which has the crates of the SDK two folders up.

    It is built from a copy that has them within, as a project has: cargo names what is outside a
    program by its whole path.

    Args:
        folder: the example's.
        libraries: the folder that has the crates of `LIBRARIES`.

    Raises:
        BuildError: as `compile_cargo`.
    """
    with build_folder() as scratch:
        copy = scratch / "program"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("target"))
        add_libraries(copy, libraries=libraries)
        use_libraries_within(copy)
        return compile_cargo(copy, examples=True)


def compile_file(source: Path, *, libraries: Path, debug: bool, choice: RustChoice) -> Made:
    """The module that a program of one file builds by cargo, as the target of the original needs.

    Raises:
        BuildError: as `compile_cargo`.
    """
    with build_folder() as folder:
        for library in ("libveracruz", "veracruz_rt"):
            ignored = shutil.ignore_patterns("target")
            shutil.copytree(libraries / library, folder / library, ignore=ignored)
        folder.joinpath("src").mkdir()
        shutil.copyfile(source, folder / "src" / "main.rs")
        folder.joinpath("Cargo.toml").write_text(_PACKAGE)
        return compile_cargo(folder, debug=debug, choice=choice)


def use_libraries_within(folder: Path) -> None:
    """Have an example's Cargo.toml look for the crates of the SDK in its own folder."""
    manifest = folder / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('"../../', '"'))


def add_libraries(folder: Path, *, libraries: Path) -> None:
    """Copies the crates of the SDK into a folder."""
    for library in LIBRARIES:
        ignored = shutil.ignore_patterns("target")
        shutil.copytree(libraries / library, folder / library, ignore=ignored)


def _remapped(folder: Path, metadata: str) -> list[str]:
    """Flags by which the folder of every package has a name that is the same everywhere."""
    remap = [f"--remap-path-prefix={folder}=/program"]
    for package in json.loads(metadata)["packages"]:
        where = Path(package["manifest_path"]).parent
        if not where.is_relative_to(folder):
            remap.append(f"--remap-path-prefix={where}=/{package['name']}-{package['version']}")
    return remap


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
    command: list[str], folder: Path, environment: Mapping[str, str], rust: Rust, *, timeout_s: int
) -> Ran:
    name = f"cargo {command[1]}"
    ran = run_tool(command, folder, name=name, timeout_s=timeout_s, environment=environment)
    if ran.succeeded:
        return ran
    if command[1] != "build":
        raise_if_unreachable(ran.words)
    words = ran.words + advice_on_age(ran.words, rust.version)
    if rust.note:  # it may be what the program lacks
        words = f"{words}\n{rust.note}"
    raise refusal(f"cargo, with rustc {rust.version},", folder, words)


def raise_if_unreachable(words: str) -> None:
    """Tell a registry that cannot be reached, which is nobody's fault here, from the rest.

    Raises:
        SourceUnavailableError: that is what cargo complains about.
    """
    if _UNREACHABLE.search(words):
        last = words.splitlines()[-1].strip()[:200]
        raise SourceUnavailableError(f"the registry of crates cannot be reached: {last}")
