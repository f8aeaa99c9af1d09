"""Which Rust there is to test with, and compilers that are scripts."""

import functools
from pathlib import Path

from sdk.errors import BuildError
from sdk.toolchains.rust_found import EXAMPLES_VERSION, FOUND, Rust, find_cargo, find_rust


@functools.cache
def found_rust() -> Rust | None:
    """The compiler that builds programs here, with its cargo; None if there is none."""
    try:
        rust = find_rust(Path(), FOUND)
        find_cargo(rust, FOUND)
    except BuildError:
        return None
    return rust


@functools.cache
def has_the_examples_rust() -> bool:
    """Whether the compiler that the examples are built by is here."""
    try:
        return find_rust(Path(), FOUND, examples=True).version == EXAMPLES_VERSION
    except BuildError:
        return False


def script_of_rustc(
    folder: Path, version: str = EXAMPLES_VERSION, *, target: bool = True, rustup: bool = False
) -> Path:
    """A compiler that says its version and where its library is, and compiles nothing."""
    sysroot = folder / "toolchains" / "stable" if rustup else folder / "sysroot"
    library = sysroot / "lib"
    library.mkdir(parents=True)
    if target:
        library.joinpath("libcore-0.rlib").write_bytes(b"")
    path = folder / "rustc"
    path.write_text(
        f"#!/bin/sh\n[ $1 = -vV ] && printf 'rustc {version}\\nhost: some-host\\n' && exit\n"
        f"printf '{sysroot}\\n{library}\\n'\n"
    )
    path.chmod(0o755)
    return path
