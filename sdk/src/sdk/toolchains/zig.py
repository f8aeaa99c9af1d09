"""Builds guests in C, C++ and Zig, reproducibly, with the `ziglang` wheel.

The output depends on the sources, the flags below and the version of the wheel, and on nothing
else: no path, no time, no cache.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Final

from execution_engine.reader import WasmReader
from execution_engine.wasm.reading import read_name
from sdk.errors import BuildError
from sdk.toolchains.made import Made, Tool
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import refusal, run_tool

STACK_BYTES: Final = 64 * 1024
LIBC_STACK_BYTES: Final = 1024 * 1024
BUILD_SECONDS: Final = 600  # the first build fills the compiler's cache
ZIG_VERSION: Final = "0.17.1"

# WebAssembly 1.0 without extensions, which every engine of Veracruz ever ran. The linker puts the
# stack below the data, so that an overflow traps instead of writing over it.
_MACHINE: Final = "-mcpu=mvp"
_WARNINGS: Final = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
FLAGS: Final = (
    "-target", "wasm32-freestanding",
    _MACHINE,
    "-std=c17",
    "-O2",
    "-nostdlib",
    *_WARNINGS,
    "-Wl,--no-entry",
    f"-Wl,-z,stack-size={STACK_BYTES}",
)  # fmt: skip
_RELEASE: Final = ("-Wl,--strip-all",)
# What the program says is found, and the names of its functions stay.
_DEBUG: Final = ("-Wl,--export=veracruz_message",)
_HEADER_BYTES: Final = 8
_DEBUG_DEFINE: Final = "-DVERACRUZ_DEBUG"

# A reactor has `_initialize` for what runs before `main`, and asks WASI for no arguments.
_LIBC: Final = ("-target", "wasm32-wasi", _MACHINE, "-mexec-model=reactor")
# A command has `_start`, and leaves by `proc_exit`.
_COMMAND: Final = ("-target", "wasm32-wasi", _MACHINE)
_ASSERTIONS: Final = "-UNDEBUG"  # the wheel's compiler leaves them out where it optimises
_C_LIBC: Final = ("-std=gnu17", "-O2", _ASSERTIONS, *_WARNINGS)
_CPP: Final = ("-std=c++20", "-O2", _ASSERTIONS, "-fno-exceptions", "-fno-rtti", *_WARNINGS)
_OTHERS: Final = ("-Os", "-w")  # sources that are not ours
_LINK: Final = (f"-Wl,-z,stack-size={LIBC_STACK_BYTES}",)

# The adapter of WASI has no memory of its own: nothing that the compiler would keep in tables.
_ADAPTER: Final = (
    "-target", "wasm32-freestanding",
    "-mcpu=mvp+bulk_memory+mutable_globals",
    "-std=c17",
    "-O2",
    "-nostdlib",
    "-mllvm", "-switch-to-lookup=false",
    *_WARNINGS,
    "-Wl,--no-entry",
    "-Wl,--import-memory",
    "-Wl,-z,stack-size=0",
    "-Wl,--export=veracruz_exit",
    "-Wl,--export=veracruz_message",
)  # fmt: skip

_ZIG: Final = (
    "-target", "wasm32-freestanding",
    _MACHINE,
    "-O", "ReleaseSafe",  # inputs are somebody else's: an index out of range traps
    "-fno-entry",
    "-rdynamic",
    "--stack", str(LIBC_STACK_BYTES),
)  # fmt: skip


_STANDARDS: Final = {
    "c": "C17",
    "c-libc": "C17",
    "c-wasi": "C17",
    "c++": "C_plus_plus_20",
    "zig": "Zig",
}


def made_by_zig(code: bytes, language: str, *, debug: bool = False) -> Made:
    """What one of the functions below built, with what repeats it.

    Args:
        code: the module.
        language: `c`, `c-libc`, `c-wasi`, `c++` or `zig`.
        debug: it reports what it prints, and keeps its functions' names.

    Raises:
        BuildError: the compiler is not installed.
    """
    require_compiler()
    compiler = Path(str(files("ziglang"))) / "zig"
    if language == "zig":
        flags = (*_ZIG, *(() if debug else ("-fstrip",)))
    elif language == "c":
        flags = (*FLAGS, *((*_DEBUG, _DEBUG_DEFINE) if debug else _RELEASE))
    elif language == "c-wasi":
        flags = (*_COMMAND, *_C_LIBC, *_LINK, *(() if debug else _RELEASE))
    else:
        own = _CPP if language == "c++" else _C_LIBC
        flags = (*_LIBC, *own, *_LINK, *((*_DEBUG, _DEBUG_DEFINE) if debug else _RELEASE))
    return Made(
        code,
        _STANDARDS[language],
        (Tool.of("zig", ZIG_VERSION, compiler),),
        target=flags[1],
        flags=flags[2:],
        debug=debug,
    )


def compile_c(sources: Sequence[Path], *, include: Path, debug: bool = False) -> bytes:
    """The module that C sources build without a libc; `include` is the folder of veracruz.h.

    With `debug` it reports its messages to the author, and keeps its functions' names.

    The compiler keeps its cache in ZIG_GLOBAL_CACHE_DIR, or below the home directory.

    Raises:
        BuildError: the compiler is missing or refuses the sources.
    """
    require_compiler()
    with build_folder() as folder:
        flags = (*FLAGS, *_DEBUG, _DEBUG_DEFINE) if debug else (*FLAGS, *_RELEASE)
        arguments = ["cc", *flags, "-I", str(include.resolve()), *_paths(sources)]
        return _link(folder, arguments, sources)


def compile_adapter(folder: Path) -> bytes:
    """The module that `sdk.adaptation` links with programs, of the C sources in a folder.

    Raises:
        BuildError: the compiler is missing or refuses the sources.
    """
    require_compiler()
    sources = sorted(folder.glob("*.c"))
    with build_folder() as scratch:
        return _link(scratch, ["cc", *_ADAPTER, *_paths(sources)], sources)


def compile_c_with_libc(
    sources: Sequence[Path],
    *,
    library: Path,
    others: Sequence[Path] = (),
    defines: Sequence[str] = (),
    debug: bool = False,
) -> bytes:
    """The module that C sources build with the libc of the wheel.

    Args:
        sources: the program's own; headers are found next to them.
        library: the folder of the guest library, the SDK's `c`.
        others: sources and headers of somebody else, built for size and without warnings.
        defines: macros for these, each a NAME.
        debug: it says to its author what it prints, and keeps its functions' names.

    Raises:
        BuildError: the compiler is missing or refuses the sources.
    """
    return _with_libc(
        ("cc", *_C_LIBC), sources, library=library, others=others, defines=defines, debug=debug
    )


def compile_c_for_wasi(sources: Sequence[Path], *, debug: bool = False) -> bytes:
    """The module for WASI that C sources with a `main` of their own build.

    With `debug` it keeps its functions' names.

    Raises:
        BuildError: the compiler is missing or refuses the sources.
    """
    require_compiler()
    strip = () if debug else _RELEASE
    with build_folder() as folder:
        arguments = ["cc", *_COMMAND, *_C_LIBC, *_LINK, *strip, *_paths(sources), "-lm"]
        return _link(folder, arguments, sources)


def compile_cpp(sources: Sequence[Path], *, library: Path, debug: bool = False) -> bytes:
    """The module that C++ sources build: C++20 with its library, without exceptions and RTTI.

    With `debug` it says to its author what it prints, and keeps its functions' names.

    Raises:
        BuildError: the compiler is missing or refuses the sources.
    """
    return _with_libc(("c++", *_CPP), sources, library=library, debug=debug)


def compile_zig(source: Path, *, library: Path, debug: bool = False) -> bytes:
    """The module that a Zig program builds; `library` is the folder of veracruz.zig.

    With `debug` it keeps the names of its functions.

    Raises:
        BuildError: the compiler is missing or refuses the source.
    """
    require_compiler()
    with build_folder() as folder:
        output = folder / "program.wasm"
        modules = [
            "--dep", "veracruz",
            f"-Mroot={source.resolve()}",
            f"-Mveracruz={library.resolve() / 'veracruz.zig'}",
        ]  # fmt: skip
        strip = [] if debug else ["-fstrip"]
        _run(folder, ["build-exe", *_ZIG, *strip, *modules, f"-femit-bin={output}"], source)
        return _without_dwarf(output.read_bytes())


def _with_libc(
    language: Sequence[str],
    sources: Sequence[Path],
    *,
    library: Path,
    others: Sequence[Path] = (),
    defines: Sequence[str] = (),
    debug: bool = False,
) -> bytes:
    """Each kind of source is compiled with flags of its own, and all are linked.

    Objects and folders have the same names everywhere, as the compiler is in a folder of its own.
    """
    require_compiler()
    define, link = ([_DEBUG_DEFINE], _DEBUG) if debug else ([], _RELEASE)
    folders = dict.fromkeys([library / "include", *(each.parent for each in (*sources, *others))])
    include = [part for each in folders for part in ("-I", str(each.resolve()))]
    with build_folder() as folder:
        groups = [
            (language, list(sources)),
            (("cc", *_C_LIBC), [library / "veracruz.c", library / "wasi.c"]),
            (
                ("cc", *_OTHERS, *(f"-D{each}" for each in defines)),
                [each for each in others if each.suffix == ".c"],
            ),
        ]
        objects = [
            _object(folder, number, [*flags[:1], *_LIBC, *flags[1:], *define, *include], source)
            for number, (flags, source) in enumerate(
                (flags, source) for flags, members in groups for source in members
            )
        ]
        return _link(folder, [language[0], *_LIBC, *_LINK, *link, *objects], sources)


def _object(folder: Path, number: int, arguments: Sequence[str], source: Path) -> str:
    target = f"{number}.o"
    _run(folder, [*arguments, "-c", str(source.resolve()), "-o", target], source)
    return target


def _link(folder: Path, arguments: Sequence[str], sources: Sequence[Path]) -> bytes:
    output = folder / "program.wasm"
    _run(folder, [*arguments, "-o", str(output)], sources[-1])
    return _without_dwarf(output.read_bytes())


def _without_dwarf(module: bytes) -> bytes:
    """A module without what debuggers read, which has paths in it; names of functions stay."""
    parts, whole = [module[:_HEADER_BYTES]], WasmReader(module, _HEADER_BYTES, len(module))
    while whole.at < whole.end:
        begin, section = whole.at, whole.byte()
        start = whole.skip(whole.u32())
        custom = section == 0 and read_name(WasmReader(module, start, whole.at))
        if not custom or not custom.startswith(".debug_"):
            parts.append(module[begin : whole.at])
    return b"".join(parts)


def _paths(sources: Sequence[Path]) -> list[str]:
    return [str(source.resolve()) for source in sources]


def _run(folder: Path, arguments: Sequence[str], source: Path) -> None:
    command = [sys.executable, "-m", "ziglang", *arguments]
    ran = run_tool(command, folder, name="the compiler", timeout_s=BUILD_SECONDS)
    if not ran.succeeded:
        raise refusal("the compiler", source, ran.words)


def require_compiler() -> None:
    """Check that the compiler is installed in the expected version.

    Raises:
        BuildError: it is missing, or another one.
    """
    remedy = f"pip install ziglang=={ZIG_VERSION}, or install veracruz-sdk[zig]"
    try:
        found = version("ziglang")
    except PackageNotFoundError:
        raise BuildError(f"the C compiler is missing: {remedy}") from None
    if found != ZIG_VERSION:
        raise BuildError(f"ziglang is version {found}, expected {ZIG_VERSION}: {remedy}")
