"""Which Rust builds a program: any stable one from `LEAST_VERSION` on that has the target.

It is the one that is named (`--rustc`, VERACRUZ_RUSTC, RUSTC), else the first of PATH, of rustup
and of /usr/bin that has a standard library for WebAssembly. A compiler that rustup chooses for the
program's folder (`rust-toolchain.toml`) is used as such, by its own path.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from sdk.toolchains.made import Tool
from sdk.toolchains.tool import run_tool
from veracruz_shells.home import home_folder
from veracruz_utils.frozen import frozen

TARGET: Final = "wasm32-unknown-unknown"
WASI_TARGET: Final = "wasm32-wasip1"
_WASI_RENAMED: Final = 78
"""The first Rust that calls it so; it was wasm32-wasi."""
LEAST_VERSION: Final = (1, 63)
"""The first that builds what the SDK ships: Debian 12's."""
EXAMPLES_VERSION: Final = "1.63.0"
"""What the shipped examples are built by; another compiler builds other bytes of them."""
DEBIANS: Final = "/usr/bin/rustc"
REMEDY: Final = (
    f"install a stable Rust (https://rustup.rs) and `rustup target add {TARGET}`; "
    "on Debian `apt install rustc cargo libstd-rust-dev-wasm32 lld`"
)
_ASK_SECONDS: Final = 120
_VERSION: Final = re.compile(
    r"^(?:rustc|cargo) ((\d+)\.(\d+)\.\d+\S*(?: \([^)\n]*\))?)", re.MULTILINE
)


@frozen
class RustChoice:
    """What an author chooses of the toolchain; None for what is found.

    Attributes:
        rustc: the compiler, as it is called or by its path.
        cargo: likewise; by default the one that goes with the compiler.
        target: what to compile for.
    """

    rustc: str | None = None
    cargo: str | None = None
    target: str = TARGET


FOUND: Final = RustChoice()
"""No choice: what is found."""


@frozen
class Rust:
    """A compiler that was found.

    Attributes:
        path: of its executable, no proxy of rustup's.
        version: as it says, with the commit it was built from.
        minor: 63 of 1.63.0.
        host: the kind of machine that it runs on.
        commit: by which it names the sources of its library.
        sysroot: the folder that it is installed in.
        target_libdir: the folder of the standard library for `TARGET`.
        note: what the author should know of the choice; empty if there is nothing.
    """

    path: Path
    version: str
    minor: int
    host: str
    commit: str
    sysroot: Path
    target_libdir: Path
    note: str = ""

    def called(self, target: str) -> str:
        """What this compiler calls a target."""
        old = target == WASI_TARGET and self.minor < _WASI_RENAMED
        return "wasm32-wasi" if old else target

    def has(self, target: str) -> bool:
        """Whether there is a standard library for a target."""
        return any(self._library(target).glob("libcore-*.rlib"))

    def tool(self, target: str = TARGET) -> Tool:
        """The compiler with its library for a target and its linker, for the record of a build."""
        lib = self.sysroot / "lib"
        linkers = [lib / "rustlib" / self.host / "bin" / "rust-lld", *_which("rust-lld")]
        found = [
            *sorted([*lib.glob("librustc_driver-*.so"), *lib.glob("*/librustc_driver-*.so")])[:1],
            *sorted(self._library(target).glob("libstd-*.rlib"))[:1],
            *[each for each in linkers if each.exists()][:1],
        ]
        return Tool.of("rustc", self.version, self.path, *found)

    def _library(self, target: str) -> Path:
        """The folder of a target's standard library; of one that is built along, `TARGET`'s."""
        if target != WASI_TARGET:
            return self.target_libdir
        return self.target_libdir.parent.with_name(self.called(target)) / self.target_libdir.name


def find_rust(folder: Path, choice: RustChoice, *, examples: bool = False) -> Rust:
    """The compiler to build with.

    Args:
        folder: of the program, for which rustup may have a compiler of its own.
        choice: the author's.
        examples: prefer Debian's, by which the examples are built.

    Raises:
        BuildError: there is none, it is too old, or it lacks the target.
    """
    named = choice.rustc or os.environ.get("VERACRUZ_RUSTC") or os.environ.get("RUSTC")
    if named:
        if not (paths := list(_which(named))):
            raise BuildError(f"the Rust compiler {named} is missing: {REMEDY}")
    elif not (paths := list(dict.fromkeys(_places(examples=examples)))):
        raise BuildError(f"the Rust compiler is missing: {REMEDY}")
    refused = ""
    for path in paths:
        found = _asked(path, folder)
        if reason := _unfit(found, choice.target):
            refused = refused or reason
        elif refused:
            note = f"note: {refused}\nuntil then {found.path} ({found.version}) builds the program"
            return replace(found, note=note)
        else:
            return found
    raise BuildError(refused)


def find_cargo(rust: Rust, choice: RustChoice) -> Path:
    """The cargo that goes with a compiler.

    Raises:
        BuildError: there is none.
    """
    if named := choice.cargo or os.environ.get("VERACRUZ_CARGO"):
        if not (paths := list(_which(named))):
            raise BuildError(f"cargo is missing: {named} does not exist: {REMEDY}")
        return paths[0]
    for path in (rust.path.with_name("cargo"), rust.sysroot / "bin" / "cargo", *_which("cargo")):
        if path.exists():
            return path
    raise BuildError(f"cargo is missing: {REMEDY}")


def version_of(said: str, path: Path) -> tuple[str, int]:
    """The version that a tool says, and the second of its numbers.

    Raises:
        BuildError: it says none.
    """
    if (found := _VERSION.search(said)) is None:
        raise BuildError(f"{path} does not say its version: {said[:80]!r}")
    return found[1], int(found[3]) if found[2] == "1" else 1000


def _places(*, examples: bool) -> Iterator[Path]:
    if examples:
        yield from _which(DEBIANS)
    yield from _which("rustc")
    if said := os.environ.get("CARGO_HOME"):
        yield from _which(str(Path(said, "bin", "rustc")))
    elif home := home_folder():
        yield from _which(str(home / ".cargo" / "bin" / "rustc"))
    yield from _which(DEBIANS)


def _which(name: str) -> Iterator[Path]:
    if (path := shutil.which(name)) is not None:
        yield Path(path).absolute()


def _asked(path: Path, folder: Path) -> Rust:
    """What a compiler says of itself, in the folder of the program."""
    said = _said(path, folder, "-vV")
    version, minor = version_of(said, path)
    facts = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    asked = _said(
        path, folder, "--print", "sysroot", "--print", "target-libdir", "--target", TARGET
    )
    lines = [*asked.splitlines(), "", ""]
    own = Path(lines[0], "bin", "rustc")
    return Rust(
        path=own if own.exists() else path,
        version=version,
        minor=minor,
        host=facts.get("host", ""),
        commit=facts.get("commit-hash", ""),
        sysroot=Path(lines[0]),
        target_libdir=Path(lines[1]),
    )


def _said(path: Path, folder: Path, *arguments: str) -> str:
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C"}
    ran = run_tool(
        [str(path), *arguments], folder, name=str(path), timeout_s=_ASK_SECONDS,
        environment=environment,
    )  # fmt: skip
    if not ran.succeeded:
        raise BuildError(f"{path} does not answer: {ran.words[:200]}")
    return ran.output


def _unfit(rust: Rust, target: str) -> str:
    """Why a compiler does not do, with the remedy; empty if it does."""
    if rust.minor < LEAST_VERSION[1]:
        least = ".".join(map(str, LEAST_VERSION))
        return f"{rust.path} is version {rust.version}, expected {least} or later: {REMEDY}"
    if target in {TARGET, WASI_TARGET} and not rust.has(target):
        name = rust.called(target)
        return f"{rust.path} ({rust.version}) lacks the target {name}: {_target_remedy(rust, name)}"
    return ""


def _target_remedy(rust: Rust, target: str) -> str:
    if rust.sysroot.parent.name == "toolchains":  # as rustup has them
        return f"`rustup target add {target} --toolchain {rust.sysroot.name}`"
    if rust.path == Path(DEBIANS):
        return "`apt install libstd-rust-dev-wasm32`"
    return f"`rustup target add {target}`, or on Debian `apt install libstd-rust-dev-wasm32`"
