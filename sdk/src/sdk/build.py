"""Builds guests in C, reproducibly, with the `ziglang` wheel; and the example programs from source.

The example programs in Rust are built by `rust_guest`.

The output depends on the sources, the flags below and the version of the wheel, and on nothing
else: no path, no time, no cache. So everybody can check that a shipped module is what its source
says (`veracruz-sdk build-examples --check`).
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from sdk import programs
from sdk.errors import BuildError, StaleModuleError
from sdk.rust_guest import compile_rust
from veracruz_utils.digest import Digest

STACK_BYTES: Final = 64 * 1024
BUILD_SECONDS: Final = 600  # the first build fills the compiler's cache
ZIG_VERSION: Final = "0.17.1"

# WebAssembly 1.0 without extensions, which every engine of Veracruz ever ran. The linker puts the
# stack below the data, so that an overflow traps instead of writing over it.
FLAGS: Final = (
    "-target", "wasm32-freestanding",
    "-mcpu=mvp",
    "-std=c17",
    "-O2",
    "-nostdlib",
    "-Wall", "-Wextra", "-Wconversion", "-Werror",
    "-Wl,--no-entry",
    f"-Wl,-z,stack-size={STACK_BYTES}",
    "-Wl,--strip-all",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Built:
    """One example program: its name and the digest of its module."""

    name: str
    digest: Digest


def compile_c(sources: Sequence[Path], *, include: Path) -> bytes:
    """The module that C sources build; `include` is the folder of veracruz.h.

    The compiler keeps its cache in ZIG_GLOBAL_CACHE_DIR, or below the home directory.

    Raises:
        BuildError: the compiler is missing or refuses the sources.
    """
    _require_compiler()
    with tempfile.TemporaryDirectory(prefix="veracruz-build-") as folder:
        output = Path(folder, "program.wasm")
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-I", str(include.resolve())]
        command += [str(source.resolve()) for source in sources]
        try:
            done = subprocess.run(  # noqa: S603 - our own command line, no shell
                [*command, "-o", str(output)],
                capture_output=True,
                check=False,
                cwd=folder,
                text=True,
                timeout=BUILD_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise BuildError(f"the compiler did not finish in {BUILD_SECONDS} s") from None
        if done.returncode != 0:
            raise BuildError(f"the compiler refuses {sources[-1]}:\n{done.stderr.strip()[:8000]}")
        return output.read_bytes()


def build_example(name: str) -> bytes:
    """The module that the source of the example program `name` builds."""
    library, example = source_folder("c"), source_folder("examples") / name
    if language_of(name) == "rust":
        return compile_rust(example / "main.rs", libraries=library.parent)
    return compile_c([library / "veracruz.c", example / "main.c"], include=library / "include")


def language_of(name: str) -> str:
    """The language of an example program: `c` or `rust`."""
    return "rust" if (source_folder("examples") / name / "main.rs").is_file() else "c"


def source_folder(name: str) -> Path:
    """The folder `c` (the guest library) or `examples`: as installed, or of the source tree.

    Raises:
        BuildError: it is in neither place.
    """
    here = Path(__file__).resolve()
    for parent in (here.parent / "_sources", here.parents[2]):
        if parent.joinpath("c", "veracruz.c").is_file():
            return parent / name
    raise BuildError("the sources of the guest library are not installed: reinstall veracruz-sdk")


def check_examples(folder: Path | None = None, *, language: str | None = None) -> tuple[Built, ...]:
    """Builds every example program and compares it with the module in `folder`.

    Args:
        folder: by default where the package ships the modules.
        language: only those in this language.

    Raises:
        StaleModuleError: a module differs or is not there.
    """
    folder = folder or _shipped_folder()
    return tuple(_checked(name, folder / f"{name}.wasm") for name in _named(language))


def write_examples(folder: Path | None = None, *, language: str | None = None) -> tuple[Built, ...]:
    """Builds every example program into `folder`, by default where the package ships them.

    Args:
        folder: where to.
        language: only those in this language.
    """
    folder = folder or _shipped_folder()
    built = {name: build_example(name) for name in _named(language)}
    try:
        for name, module in built.items():
            (folder / f"{name}.wasm").write_bytes(module)
    except OSError as error:
        raise BuildError(f"cannot write {error.filename}: {error.strerror}") from None
    return tuple(Built(name, Digest.of(module)) for name, module in built.items())


def _named(language: str | None) -> list[str]:
    return [name for name in programs.NAMES if language in {None, language_of(name)}]


def _shipped_folder() -> Path:
    return Path(programs.__file__).parent


def _checked(name: str, shipped: Path) -> Built:
    built = Digest.of(build_example(name))
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


def _require_compiler() -> None:
    remedy = f"pip install ziglang=={ZIG_VERSION}, or install veracruz-sdk[zig]"
    try:
        found = version("ziglang")
    except PackageNotFoundError:
        raise BuildError(f"the C compiler is missing: {remedy}") from None
    if found != ZIG_VERSION:
        raise BuildError(f"ziglang is {found}, modules are built with {ZIG_VERSION}: {remedy}")
