"""Builds the example programs from source, and compares them with the modules that are shipped.

The same sources give the same bytes everywhere, so everybody can check that a shipped module is
what its source says (`veracruz-sdk build-examples --check`). Programs in C are compiled by
`toolchains.zig`, those in Rust by `toolchains.rust` or, with crates, by `toolchains.cargo`.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sdk.errors import BuildError, SourceUnavailableError, StaleModuleError
from sdk.examples import programs
from sdk.toolchains.cargo import compile_example
from sdk.toolchains.fetched import MANIFEST, fetch_sources
from sdk.toolchains.rust import compile_rust
from sdk.toolchains.sources import source_folder
from sdk.toolchains.zig import compile_c, compile_c_with_libc
from veracruz_shells.files import write_new_file
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_T = TypeVar("_T")


@frozen
class Built:
    """One example program.

    Attributes:
        name: as its module is called.
        digest: the digest of what its source builds.
    """

    name: str
    digest: Digest


@frozen
class Skipped:
    """One example program that was not built, because its further sources cannot be fetched."""

    name: str
    reason: str


def build_example(name: str) -> bytes:
    """The module that the source of the example program `name` builds."""
    library, example = source_folder("c"), source_folder("examples") / name
    match language_of(name):
        case "cargo":
            return compile_example(example, libraries=library.parent)
        case "rust":
            return compile_rust(example / "main.rs", libraries=library.parent)
        case "c-libc":
            return _build_with_others(example, library)
        case _:
            sources = [library / "veracruz.c", example / "main.c"]
            return compile_c(sources, include=library / "include")


def _build_with_others(example: Path, library: Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="veracruz-sources-") as folder:
        others = fetch_sources(example / MANIFEST, Path(folder))
        return compile_c_with_libc(
            sorted(example.glob("*.c")),
            library=library,
            others=others.files,
            defines=others.defines,
        )


def language_of(name: str) -> str:
    """How an example program is built: `c`, `rust`, `python`, or with sources that are fetched.

    These are `c-libc`, and `cargo` for Rust with crates.
    """
    folder = source_folder("examples") / name
    if folder.joinpath("src", "main.rs").is_file():
        return "cargo"
    if folder.joinpath(MANIFEST).is_file():
        return "c-libc"
    for language, source in (("rust", "main.rs"), ("python", "main.py")):
        if folder.joinpath(source).is_file():
            return language
    return "c"


def check_examples(
    folder: Path | None = None, *, language: str | None = None
) -> tuple[Built | Skipped, ...]:
    """Builds every example program and compares it with the module in `folder`.

    Args:
        folder: by default where the package ships the modules.
        language: only those in this language.

    Raises:
        StaleModuleError: a module differs or is not there.
    """
    folder = folder or _shipped_folder()
    return tuple(_at_once(lambda name: _compare(name, folder / f"{name}.wasm"), _named(language)))


def write_examples(
    folder: Path | None = None, *, language: str | None = None
) -> tuple[Built | Skipped, ...]:
    """Builds every example program into `folder`, by default where the package ships them.

    Args:
        folder: where to. What cannot be built, as its sources cannot be fetched, is left alone.
        language: only those in this language.
    """
    folder = folder or _shipped_folder()
    names = _named(language)
    built = dict(zip(names, _at_once(_built, names), strict=True))
    try:
        for name, module in built.items():
            if isinstance(module, bytes):
                write_new_file(folder / f"{name}.wasm", module, mode=0o644, force=True)
    except VeracruzError as error:
        raise BuildError(str(error)) from error
    return tuple(
        Built(name, Digest.of(module)) if isinstance(module, bytes) else module
        for name, module in built.items()
    )


def _at_once(work: Callable[[str], _T], names: Sequence[str]) -> list[_T]:
    """The results of `work` for each name, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, names))


def _named(language: str | None) -> list[str]:
    return [name for name in programs.NAMES if language in {None, language_of(name)}]


def _shipped_folder() -> Path:
    return Path(programs.__file__).parent


def _built(name: str) -> bytes | Skipped:
    try:
        return build_example(name)
    except SourceUnavailableError as error:
        return Skipped(name, str(error))


def _compare(name: str, shipped: Path) -> Built | Skipped:
    module = _built(name)
    if isinstance(module, Skipped):
        return module
    built = Digest.of(module)
    try:
        found = Digest.of(shipped.read_bytes())
    except OSError as error:
        raise StaleModuleError(f"cannot read {shipped}: {error.strerror}") from None
    if found != built:
        raise StaleModuleError(
            f"{name}: the module in {shipped.parent} is {found.short}, its source builds "
            f"{built.short}; run `veracruz-sdk build-examples`"
        )
    return Built(name, built)
