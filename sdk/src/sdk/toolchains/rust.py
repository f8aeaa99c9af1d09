"""Builds guests in Rust, reproducibly, with Debian's compiler; no registry of crates is needed.

The output depends on the sources, the flags below and the version of the compiler, and on nothing
else. A program with `std` is one that has `fn main`; one without begins with `#![no_std]` and
`#![no_main]` and takes its memory and its end from `veracruz_rt`.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from sdk.toolchains.made import Made, Tool
from sdk.toolchains.tool import refusal, run_tool

RUST_VERSION: Final = "1.63.0"
"""Debian 12's; another compiler builds other bytes from the same source."""
COMPILER: Final = "/usr/bin/rustc"
REMEDY: Final = (
    "apt install rustc libstd-rust-dev-wasm32 lld (Debian 12), or name a rustc "
    f"{RUST_VERSION} with the target wasm32-unknown-unknown in VERACRUZ_RUSTC"
)
BUILD_SECONDS: Final = 600
_NO_LINKER: Final = "linker `rust-lld` not found"
STACK_BYTES: Final = 1024 * 1024

_TARGET: Final = "wasm32-unknown-unknown"
_FLAGS: Final = (
    "--edition", "2021",
    "--target", _TARGET,
    "--cfg", "rust_before_1_68",
    "-C", "opt-level=3",
    "-C", "panic=abort",
    "-C", "embed-bitcode=yes",
    "-C", "codegen-units=1",
    "-D", "warnings",
)  # fmt: skip
_LINK: Final = ("-C", "lto", "-C", f"link-arg=-zstack-size={STACK_BYTES}")
_RELEASE: Final = ("-C", "strip=symbols")
DEBUG_CFG: Final = "veracruz_debug"
DEBUG_LINK: Final = "link-arg=--export-if-defined=veracruz_message"
_DEBUG: Final = ("-C", "strip=debuginfo", "-C", DEBUG_LINK)
_LIBRARIES: Final = ("libveracruz", "veracruz_rt")


def compiler() -> str:
    """The compiler to build with.

    Raises:
        BuildError: there is none, it is another version, or it lacks the target.
    """
    path = os.environ.get("VERACRUZ_RUSTC", COMPILER)
    if shutil.which(path) is None:
        raise BuildError(f"the Rust compiler is missing: {REMEDY}")
    said = _run([path, "--version"], Path()).split()
    if said[1:2] != [RUST_VERSION]:
        raise BuildError(
            f"{path} is version {' '.join(said[1:2])}, expected {RUST_VERSION}: {REMEDY}"
        )
    libraries = _run(
        [path, "--print", "target-libdir", "--target", "wasm32-unknown-unknown"], Path()
    ).strip()
    if not any(Path(libraries).glob("libcore-*.rlib")):
        raise BuildError(f"{path} lacks the target wasm32-unknown-unknown: {REMEDY}")
    return path


def made_by_rust(code: bytes, *, debug: bool = False) -> Made:
    """What the compiler built, with what repeats it.

    Raises:
        BuildError: as `compiler`.
    """
    path = compiler()
    sysroot = Path(_run([path, "--print", "sysroot"], Path()).strip())
    drivers = sorted(sysroot.rglob("lib/**/librustc_driver-*.so"))
    tool = Tool.of("rustc", RUST_VERSION, Path(shutil.which(path) or path), *drivers[:1])
    flags = (*_FLAGS, *_LINK, *(_DEBUG if debug else _RELEASE))
    return Made(code, "Rust", (tool,), target=_TARGET, flags=flags, debug=debug)


def compile_rust(source: Path, *, libraries: Path, debug: bool = False) -> bytes:
    """The module that a program of one file builds.

    Args:
        source: the file.
        libraries: the folder that has the crates `libveracruz` and `veracruz_rt`.
        debug: the program says what it panics about, and keeps the names of its functions.

    Raises:
        BuildError: the compiler is missing or refuses the source.
    """
    rustc = compiler()
    with tempfile.TemporaryDirectory(prefix="veracruz-build-") as name:
        folder = Path(name)
        known: list[str] = ["--cfg", DEBUG_CFG] if debug else []
        for library in _LIBRARIES:
            crate = libraries.resolve() / library / "src" / "lib.rs"
            _compile(rustc, crate, library, folder, ["--crate-type", "rlib", *known])
            known.append(f"--extern={library}={folder}/lib{library}.rlib")
        link = [*_LINK, *(_DEBUG if debug else _RELEASE)]
        _compile(rustc, source.resolve(), "program", folder, [*link, *known])
        return (folder / "program.wasm").read_bytes()


def _compile(rustc: str, source: Path, name: str, folder: Path, flags: list[str]) -> None:
    remap = f"--remap-path-prefix={source.parent}=/{name}"
    command = [rustc, *_FLAGS, remap, "--crate-name", name, *flags, str(source)]
    try:
        _run(command, folder)
    except BuildError as error:  # which names files as the module does
        raise BuildError(str(error).replace(f"/{name}/", f"{source.parent}/")) from None


def _run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "LC_ALL": "C"}
    ran = run_tool(
        command, folder, name="the compiler", timeout_s=BUILD_SECONDS, environment=environment
    )
    if not ran.succeeded:
        if _NO_LINKER in ran.words:
            raise BuildError(f"the WebAssembly linker is missing: {REMEDY}")
        raise refusal("the compiler", command[-1], ran.words)
    return ran.output
