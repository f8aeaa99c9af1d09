"""A program of one's own: a folder with its source, `veracruz.toml`, and cases to test it on.

`veracruz.toml` says how the program is called and in what language it is written:

    name = "sum"
    language = "c"

A program in Rust is the file main.rs, or what a Cargo.toml says, then with `std` and crates.
"""

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Protocol

from sdk import adaptation
from sdk.errors import ProjectError
from sdk.examples import EXAMPLES, Example
from sdk.examples.build import language_of
from sdk.projects.languages import asked_otherwise
from sdk.toolchains.assemblyscript import add_library, compile_assemblyscript
from sdk.toolchains.cargo import (
    add_libraries,
    compile_cargo,
    compile_file,
    use_libraries_within,
)
from sdk.toolchains.go import compile_go
from sdk.toolchains.made import Made, with_producers
from sdk.toolchains.python import compile_python, made_by_python
from sdk.toolchains.record import SUFFIX, BuildRecord
from sdk.toolchains.rust import compile_rust
from sdk.toolchains.rust_found import FOUND, TARGET, WASI_TARGET, RustChoice
from sdk.toolchains.sources import source_folder
from sdk.toolchains.zig import (
    compile_c,
    compile_c_for_wasi,
    compile_c_with_libc,
    compile_cpp,
    compile_zig,
    made_by_zig,
)
from veracruz_shells.console import write_new_file
from veracruz_utils.encoding import pinecone
from veracruz_utils.frozen import frozen

PROJECT_FILE: Final = "veracruz.toml"
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_NAME_RULE: Final = "use lower-case letters, digits, - and _"
_MOST_BYTES: Final = 64 * 1024
_CASE_SIZE: Final = 10
_SOURCES: Final = frozenset(
    {".c", ".h", ".cpp", ".hpp", ".zig", ".rs", ".py", ".lock", ".ts", ".go", ".mod", ".sum"}
)
# Where cargo, npm and Python put what they made or fetched.
_NOT_SOURCES: Final = frozenset({"target", "node_modules", "__pycache__"})


def _sources(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise ProjectError(f"{folder} has no source: expected a file that matches {pattern}")
    return found


def _build_c(folder: Path, *, debug: bool) -> Made:
    library = source_folder("c")
    sources = [library / "veracruz.c", *_sources(folder, "*.c")]
    code = compile_c(sources, include=library / "include", debug=debug)
    return made_by_zig(code, "c", debug=debug)


def _build_c_with_libc(folder: Path, *, debug: bool) -> Made:
    sources = _sources(folder, "*.c")
    code = compile_c_with_libc(sources, library=source_folder("c"), debug=debug)
    return made_by_zig(code, "c-libc", debug=debug)


def _build_cpp(folder: Path, *, debug: bool) -> Made:
    code = compile_cpp(_sources(folder, "*.cpp"), library=source_folder("c"), debug=debug)
    return made_by_zig(code, "c++", debug=debug)


def _build_zig(folder: Path, *, debug: bool) -> Made:
    code = compile_zig(folder / "main.zig", library=source_folder("zig"), debug=debug)
    return made_by_zig(code, "zig", debug=debug)


def _build_rust(folder: Path, *, debug: bool, choice: RustChoice = FOUND) -> Made:
    if folder.joinpath("Cargo.toml").is_file():
        return compile_cargo(folder, debug=debug, choice=choice)
    build = compile_rust if choice.target == TARGET else compile_file
    libraries = source_folder("c").parent
    return build(folder / "main.rs", libraries=libraries, debug=debug, choice=choice)


def _build_python(folder: Path, *, debug: bool) -> Made:
    # Whatever it is built for, it says what it prints.
    code = compile_python(folder / "main.py")
    return made_by_python(code, debug=debug)


def _build_c_for_wasi(folder: Path, *, debug: bool) -> Made:
    code = compile_c_for_wasi(_sources(folder, "*.c"), debug=debug)
    return _adapted(made_by_zig(code, "c-wasi", debug=debug))


def _build_go(folder: Path, *, debug: bool) -> Made:
    return _adapted(compile_go(folder, debug=debug))


def _build_rust_for_wasi(folder: Path, *, debug: bool) -> Made:
    return _adapted(compile_cargo(folder, debug=debug, choice=RustChoice(target=WASI_TARGET)))


def _adapted(made: Made) -> Made:
    """A program that speaks WASI, linked with the adapter."""
    return replace(made, code=adaptation.adapt(made.code))


class _ModuleBuilder(Protocol):
    def __call__(self, folder: Path, *, debug: bool) -> Made: ...


BUILDERS: Final[dict[str, _ModuleBuilder]] = {
    "c": _build_c,
    "c-libc": _build_c_with_libc,
    "c++": _build_cpp,
    "zig": _build_zig,
    "rust": _build_rust,
    "assemblyscript": compile_assemblyscript,
    "go": _build_go,
    "c-wasi": _build_c_for_wasi,
    "rust-wasi": _build_rust_for_wasi,
    "python": _build_python,
}
"""For each language, what makes a module of a folder.

Each has a folder of `templates`, too, and Rust with `std` another.
"""
_LIBRARIES: Final = {
    "c": ("c",),
    "c-libc": ("c",),
    "c++": ("c",),
    "zig": ("zig",),
    "rust": ("libveracruz", "veracruz_rt"),
    "assemblyscript": (),  # it is in the program's folder
    "go": ("wasi",),
    "c-wasi": ("wasi",),
    "rust-wasi": ("wasi",),
    "python": ("python",),
}
"""For each language, the folders of the SDK's sources that its programs are built with."""


@frozen
class Project:
    """A program's folder.

    Attributes:
        folder: where it is.
        name: its module is NAME.wasm.
        language: one of `BUILDERS`.
    """

    folder: Path
    name: str
    language: str

    @property
    def module(self) -> Path:
        """Where its module is built."""
        return self.folder / f"{self.name}.wasm"

    @property
    def record(self) -> Path:
        """Where the record of its build is."""
        return self.folder / f"{self.name}{SUFFIX}"

    @property
    def is_stale(self) -> bool:
        """Whether something in the folder was written after its module, or its source is gone."""
        built = self.module.stat().st_mtime_ns
        sources = [each for each in self.folder.rglob("*") if each.suffix in _SOURCES]
        within = [each for each in sources if _is_within(each.relative_to(self.folder))]
        return not within or any(each.stat().st_mtime_ns > built for each in within)

    def build(
        self, *, debug: bool = False, choice: RustChoice = FOUND, core: bytes | None = None
    ) -> Made:
        """The module that its source builds, which names its compiler.

        Args:
            debug: it reports panics and what it prints, and keeps its functions' names.
            choice: of the toolchain, for a program in Rust.
            core: what a program in Python is built on; without one, this user's.

        Raises:
            ProjectError: there is a choice, and the program is not in Rust; or a core, and it is
                not in Python.
            BuildError: the toolchain is missing, or refuses the source.
        """
        if core is not None and self.language != "python":
            raise ProjectError(f"a core is for programs in python; this is {self.language}")
        if self.language == "rust":
            return with_producers(_build_rust(self.folder, debug=debug, choice=choice))
        if choice != FOUND:
            raise ProjectError(f"rustc, cargo and target are for rust; this is {self.language}")
        if self.language == "python":
            # Its core names the compiler; nothing may come behind the author's part.
            return made_by_python(compile_python(self.folder / "main.py", core=core), debug=debug)
        return with_producers(BUILDERS[self.language](self.folder, debug=debug))

    def record_of(self, made: Made) -> BuildRecord:
        """The record of what was built of the folder as it is now."""
        libraries = [source_folder(each) for each in _LIBRARIES[self.language]]
        return BuildRecord.of(made, language=self.language, folder=self.folder, libraries=libraries)


def open_project(folder: Path) -> Project:
    """The project in a folder.

    Raises:
        ProjectError: there is none, or its file is malformed.
    """
    path = folder / PROJECT_FILE
    try:
        with path.open("rb") as file:
            said = tomllib.loads(file.read(_MOST_BYTES).decode())
    except FileNotFoundError:
        raise ProjectError(
            f"{folder} has no {PROJECT_FILE}: make a project with `veracruz-sdk new NAME`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: {error}") from None
    if unknown := sorted(said.keys() - {"name", "language"}):
        raise ProjectError(f"{path}: unknown key {unknown[0]!r}; the keys are name, language")
    name, language = said.get("name"), said.get("language")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ProjectError(f"{path}: name is {name!r}; {_NAME_RULE}")
    if language not in BUILDERS:
        known = f"language is {language!r}, not one of {', '.join(BUILDERS)}"
        instead = asked_otherwise(language) if isinstance(language, str) else ""
        raise ProjectError(f"{path}: {known}" + (f": {instead}" if instead else ""))
    return Project(folder, name, language)


def new_project(folder: Path, *, language: str, std: bool = False) -> Project:
    """A project that builds and passes its tests, to begin from.

    Args:
        folder: where to; it is made.
        language: one of `BUILDERS`.
        std: make a Cargo package in Rust with `std`, which may use crates.

    Raises:
        ProjectError: the folder exists, or its name cannot be a program's.
    """
    name = folder.name
    if std and language != "rust":
        raise ProjectError(f"std is for programs in rust, not in {language}")
    if not _NAME.fullmatch(name):
        raise ProjectError(f"{name!r} cannot be the name of a program; {_NAME_RULE}")
    with _made(folder):
        head = f'name = "{name}"\nlanguage = "{language}"\n'
        write_new_file(folder / PROJECT_FILE, head.encode(), mode=0o644, force=False)
        _copy(files("sdk.projects").joinpath("templates", "rust-std" if std else language), folder)
        if std:
            add_libraries(folder, libraries=source_folder("c").parent)
        if language == "assemblyscript":
            add_library(folder, source=source_folder("assemblyscript"))
    return open_project(folder)


def project_of_example(folder: Path, example: str) -> Project:
    """A project that begins from an example program's source.

    Args:
        folder: where to; it is made.
        example: one of `programs.NAMES`.

    Raises:
        ProjectError: the folder exists, or no project can be made of the example.
    """
    how = language_of(example)
    if how == "c-libc":
        own = source_folder("examples") / example
        raise ProjectError(
            f"{example} cannot be copied as a project, because its build fetches further sources; "
            f"its own source is in {own}"
        )
    language = "rust" if how == "cargo" else how
    with _made(folder):
        head = f'name = "{example}"\nlanguage = "{language}"\n'
        write_new_file(folder / PROJECT_FILE, head.encode(), mode=0o644, force=False)
        _copy(source_folder("examples") / example, folder)
        if how == "cargo":
            add_libraries(folder, libraries=source_folder("c").parent)
            use_libraries_within(folder)
        if EXAMPLES[example].check is None:
            folder.joinpath("tests").mkdir()
            text = _case_of(EXAMPLES[example])
            write_new_file(folder / "tests/sample.toml", text.encode(), mode=0o644, force=False)
    return open_project(folder)


def _case_of(example: Example) -> str:
    """A case of an example's own data, with the result that Python computes independently."""
    case = example.generate(1, _CASE_SIZE)
    lines = [f"# Data of seed 1 and size {_CASE_SIZE}, as `veracruz-sdk generate` makes them."]
    lines.append(f"tolerance = {example.tolerance!r}")
    lines += ["inputs = [", *(f'  {{ hex = "{each.hex()}" }},' for each in case.inputs), "]"]
    results = example.expected(case) if example.expected else [None] * len(case.rounds)
    for streams, result in zip(case.rounds, results, strict=True):
        items = ", ".join(f'{{ hex = "{each.hex()}" }}' for each in streams)
        lines += ["", "[[rounds]]", f"streams = [{items}]"]
        if example.result is not None and result is not None:
            encoded = pinecone.encode(pinecone.parse_type(example.result), result)
            kind = json.dumps(example.result)  # which TOML writes alike
            lines.append(f'result = {{ type = {kind}, hex = "{encoded.hex()}" }}')
    return "\n".join([*lines, ""])


def _is_within(path: Path) -> bool:
    return not _NOT_SOURCES.intersection(path.parts)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that is made, and filled meanwhile; or else nothing of it is left."""
    try:
        folder.mkdir()
    except FileExistsError:
        raise ProjectError(f"{folder} exists already") from None
    except OSError as error:
        raise ProjectError(f"cannot create {folder}: {error.strerror}") from None
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            reason = error.strerror or "some of it cannot be copied"
            raise ProjectError(f"cannot create {folder}: {reason}") from error
        raise


def _copy(source: Traversable, target: Path) -> None:
    for entry in source.iterdir():
        if entry.name in _NOT_SOURCES:
            continue
        if entry.is_dir():
            target.joinpath(entry.name).mkdir()
            _copy(entry, target / entry.name)
        else:
            write_new_file(target / entry.name, entry.read_bytes(), mode=0o644, force=False)
