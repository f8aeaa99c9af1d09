"""Builds guests in Rust of one file, reproducibly; no registry of crates is needed.

The output depends on the sources, the flags below and the compiler (`rust_found`), and on nothing
else. A program with `std` is one that has `fn main`; one without begins with `#![no_std]` and
`#![no_main]` and takes its memory and its end from `veracruz_rt`.
"""

import os
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from sdk.toolchains.made import Made
from sdk.toolchains.rust_found import FOUND, REMEDY, TARGET, Rust, RustChoice, find_rust
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import refusal, run_tool

BUILD_SECONDS: Final = 600
_NO_LINKER: Final = "linker `rust-lld` not found"
STACK_BYTES: Final = 1024 * 1024

_FLAGS: Final = (
    "--edition", "2021",
    "--target", TARGET,
    "-C", "opt-level=3",
    "-C", "panic=abort",
    "-C", "embed-bitcode=yes",
    "-C", "codegen-units=1",
)  # fmt: skip
_LINK: Final = ("-C", "lto", "-C", f"link-arg=-zstack-size={STACK_BYTES}")
_RELEASE: Final = ("-C", "strip=symbols")
DEBUG_CFG: Final = "veracruz_debug"
CHECKED_CFGS: Final = 80
"""From Rust 1.80 on a condition that nobody has announced is warned of."""
KNOWN_CFGS: Final = f"cfg({DEBUG_CFG}, rust_before_1_68)"
DEBUG_LINK: Final = "link-arg=--export-if-defined=veracruz_message"
_DEBUG: Final = ("-C", "strip=debuginfo", "-C", DEBUG_LINK)
_LIBRARIES: Final = ("libveracruz", "veracruz_rt")
_LAST_WITHOUT_ALLOC_ERROR: Final = 67
"""Until Rust 1.67 a program without `std` says what happens when memory runs out."""


def compile_rust(
    source: Path,
    *,
    libraries: Path,
    debug: bool = False,
    choice: RustChoice = FOUND,
    examples: bool = False,
) -> Made:
    """The module that a program of one file builds, for `wasm32-unknown-unknown`.

    Args:
        source: the file.
        libraries: the folder that has the crates `libveracruz` and `veracruz_rt`.
        debug: the program says what it panics about, and keeps the names of its functions.
        choice: the author's, of the compiler.
        examples: prefer the compiler of the shipped examples.

    Raises:
        BuildError: the compiler is missing or refuses the source.
    """
    source = source.resolve()
    rust = find_rust(source.parent, choice, examples=examples)
    flags = [*_FLAGS]
    if rust.minor <= _LAST_WITHOUT_ALLOC_ERROR:
        flags += ["--cfg", "rust_before_1_68"]
    if rust.minor >= CHECKED_CFGS:
        flags.append(f"--check-cfg={KNOWN_CFGS}")
    link = [*_LINK, *(_DEBUG if debug else _RELEASE)]
    with build_folder() as folder:
        known: list[str] = ["--cfg", DEBUG_CFG] if debug else []
        for library in _LIBRARIES:
            crate = libraries.resolve() / library / "src" / "lib.rs"
            of_library = [*flags, "--crate-type", "rlib", "--cap-lints", "allow", *known]
            _compile(rust, crate, library, folder, of_library)
            known.append(f"--extern={library}={folder}/lib{library}.rlib")
        warnings = _compile(rust, source, "program", folder, [*flags, *link, *known])
        code = (folder / "program.wasm").read_bytes()
    said = "\n".join(filter(None, (rust.note, warnings)))
    return Made(code, "Rust", (rust.tool(),), TARGET, (*flags, *link), debug=debug, warnings=said)


def remap_of_library(rust: Rust) -> str:
    """The flag by which paths of the standard library are the same with and without its source."""
    return f"--remap-path-prefix={rust.sysroot}/lib/rustlib/src/rust=/rustc/{rust.commit}"


def _compile(rust: Rust, source: Path, name: str, folder: Path, flags: list[str]) -> str:
    """Compiles a crate; what the compiler warns of."""
    remap = [f"--remap-path-prefix={source.parent}=/{name}", remap_of_library(rust)]
    command = [str(rust.path), *flags, *remap, "--crate-name", name, str(source)]
    environment = {**os.environ, "LC_ALL": "C"}
    if rust.minor <= _LAST_WITHOUT_ALLOC_ERROR:
        environment["RUSTC_BOOTSTRAP"] = "1"
    ran = run_tool(
        command, folder, name="the compiler", timeout_s=BUILD_SECONDS, environment=environment
    )
    # Files are named as the module names them.
    words = ran.words.replace(f"/{name}/", f"{source.parent}/")
    if ran.succeeded:
        return words
    if _NO_LINKER in words:
        raise BuildError(f"the WebAssembly linker is missing: {REMEDY}")
    raise refusal("the compiler", source, words)
