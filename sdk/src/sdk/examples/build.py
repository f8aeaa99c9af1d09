"""Builds the example programs from source, and compares them with the modules that are shipped.

The same sources and the same compiler give the same bytes everywhere, so everybody can check that a
shipped module is what its source says (`veracruz-sdk build-examples --check`). `compilers.json`
beside the modules says which compiler that is. Programs in C are compiled by `toolchains.zig`,
those in Rust by `toolchains.rust` or, with crates, by `toolchains.cargo`.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from sdk.errors import BuildError, SourceUnavailableError, StaleModuleError
from sdk.examples import programs
from sdk.toolchains.cargo import compile_example
from sdk.toolchains.fetched import MANIFEST, fetch_sources
from sdk.toolchains.made import Made, Tool, with_producers
from sdk.toolchains.record import MOST_BYTES, json_of, tool_differences, tools_of
from sdk.toolchains.rust import compile_rust
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.sources import source_folder
from sdk.toolchains.zig import compile_c, compile_c_with_libc, made_by_zig
from veracruz_shells.files import read_file, write_new_file
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import read_json

_T = TypeVar("_T")
COMPILERS: Final = "compilers.json"
"""Beside the modules: what built each."""


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


def build_example(name: str) -> Made:
    """The module that the source of the example program `name` builds, which names its compiler."""
    return with_producers(_compiled(name))


def _compiled(name: str) -> Made:
    library, example = source_folder("c"), source_folder("examples") / name
    match language_of(name):
        case "cargo":
            return compile_example(example, libraries=library.parent)
        case "rust":
            return compile_rust(example / "main.rs", libraries=library.parent, examples=True)
        case "c-libc":
            return made_by_zig(_build_with_others(example, library), "c-libc")
        case _:
            sources = [library / "veracruz.c", example / "main.c"]
            return made_by_zig(compile_c(sources, include=library / "include"), "c")


def _build_with_others(example: Path, library: Path) -> bytes:
    with build_folder() as folder:
        others = fetch_sources(example / MANIFEST, folder)
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
    compilers = _compilers(folder)
    try:
        for name, made in built.items():
            if isinstance(made, Made):
                write_new_file(folder / f"{name}.wasm", made.code, mode=0o644, force=True)
                compilers[name] = made.tools
        if compilers:
            kept = json_of(dict(sorted(compilers.items())))
            write_new_file(folder / COMPILERS, kept, mode=0o644, force=True)
    except VeracruzError as error:
        raise BuildError(str(error)) from error
    return tuple(
        Built(name, Digest.of(made.code)) if isinstance(made, Made) else made
        for name, made in built.items()
    )


def _at_once(work: Callable[[str], _T], names: Sequence[str]) -> list[_T]:
    """The results of `work` for each name, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, names))


def _named(language: str | None) -> list[str]:
    return [name for name in programs.NAMES if language in {None, language_of(name)}]


def _shipped_folder() -> Path:
    return Path(programs.__file__).parent


def _compilers(folder: Path) -> dict[str, tuple[Tool, ...]]:
    """What built the modules in a folder, as far as that is kept."""
    path = folder / COMPILERS
    if not path.exists():
        return {}
    raw = read_file(path, limit=MOST_BYTES, what="record of the compilers")
    said = read_json(raw, max_bytes=MOST_BYTES)
    if not isinstance(said, dict):
        raise BuildError(f"{path} is not an object")
    return {name: tools_of(tools) for name, tools in said.items()}


def _built(name: str) -> Made | Skipped:
    try:
        return build_example(name)
    except SourceUnavailableError as error:
        return Skipped(name, str(error))


def _compare(name: str, shipped: Path) -> Built | Skipped:
    made = _built(name)
    if isinstance(made, Skipped):
        return made
    built = Digest.of(made.code)
    try:
        found = Digest.of(shipped.read_bytes())
    except OSError as error:
        raise StaleModuleError(f"cannot read {shipped}: {error.strerror}") from None
    if found != built:
        differ = f"the module in {shipped.parent} is {found.short}, its source builds {built.short}"
        raise StaleModuleError(
            f"{name}: {_why(made, _compilers(shipped.parent).get(name))}; {differ}"
        )
    return Built(name, built)


def _why(made: Made, recorded: tuple[Tool, ...] | None) -> str:
    if recorded is None:
        return "no compiler is recorded"
    if differ := tool_differences(recorded, made.tools):
        return f"{differ[0]}, which says nothing about the module"
    return f"by the same compiler ({made.tools[0]}) its source does not build the module"
