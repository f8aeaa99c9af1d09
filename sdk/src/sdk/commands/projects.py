"""The commands `new`, `build` and `test`, for a program of one's own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

import tlaxcala
from execution_engine.code_cache import CodeCache
from sdk import projects
from sdk.errors import ProjectError, UsageError
from sdk.examples import named_types
from sdk.projects.case_run import RUN_SECONDS, CaseSeen, run_case
from sdk.projects.cases import ProjectCase, read_cases
from sdk.projects.compiled_cache import open_cache
from sdk.projects.languages import asked_otherwise
from sdk.projects.recording import record as write_down
from sdk.toolchains.python_core import core_in
from sdk.toolchains.rust_found import TARGET, RustChoice
from sdk.toolchains.rust_target import TARGETS
from veracruz_shells.console import (
    emit,
    json_option,
    note,
    progress,
    read_file,
)
from veracruz_shells.files import NewFile, write_new_files
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_Command = Callable[..., None]
_FOLDER: Final = click.Path(file_okay=False, exists=True, path_type=Path)
_MOST_MODULE_BYTES: Final = 256 * 1024 * 1024


class _LanguageChoice(click.Choice[str]):
    """One of our languages; another name for one is told which it is."""

    def __init__(self) -> None:
        super().__init__(list(projects.BUILDERS), case_sensitive=False)

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        usual = super().get_invalid_choice_message(value, ctx)
        instead = asked_otherwise(str(value))
        return f"{usual[:-1]}: {instead}." if instead else usual


@click.command("new")
@click.option("--language", type=_LanguageChoice(), default="c",
              show_default=True, help="Language of the program.")  # fmt: skip
@click.option("--std", is_flag=True,
              help="With --language rust: a Cargo package, for std and crates.")  # fmt: skip
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@json_option
def new(*, language: str, std: bool, folder: Path, as_json: bool) -> None:
    """Create the folder NAME with a small program, a test case, and veracruz.toml."""
    made = projects.new_project(folder, language=language, std=std)
    emit({"folder": made.folder, "language": language}, str(made.folder), as_json=as_json)


def rust_options(command: _Command) -> _Command:
    """The options by which a Rust is chosen."""
    for name, what in (("cargo", "cargo"), ("rustc", "compiler")):
        add = click.option(
            f"--{name}", metavar="NAME", help=f"Rust: the {what}, as it is called or its path."
        )
        command = add(command)
    return command


@click.command("build")
@click.option("--debug", is_flag=True,
              help="Have the program report its panics and what it prints, and keep the names of "
              "its functions, for the freestanding engine and policies with debug.")  # fmt: skip
@rust_options
@click.option("--target", type=click.Choice(TARGETS), default=TARGET, show_default=True,
              help="Rust: what to compile for. The second is the original's, and its standard "
              "library is built along.")  # fmt: skip
@click.option("--core", "core_file", type=click.Path(path_type=Path, dir_okay=False),
              metavar="PROGRAM.wasm",
              help="Python: build on the core that this program begins with, to the same bytes as "
              "whoever built on it.")  # fmt: skip
@click.argument("folder", type=_FOLDER, default=Path())
@json_option
def build(
    *,
    debug: bool,
    rustc: str | None,
    cargo: str | None,
    target: str,
    core_file: Path | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Build the program in FOLDER as FOLDER/NAME.wasm, and print its digest.

    FOLDER/NAME.build.json is the record of the build: the sources' digests, the compiler and its
    flags. `veracruz-sdk check-build` compares a module with it.
    """
    project = projects.open_project(folder)
    if sys.stderr.isatty():
        note(f"veracruz-sdk: building {project.name}; the first build in a language takes longest")
    core = None
    if core_file is not None:
        core = core_in(read_file(core_file, limit=_MOST_MODULE_BYTES, what="program"))
    made = project.build(debug=debug, choice=RustChoice(rustc, cargo, target), core=core)
    if made.warnings:
        note(made.warnings)
    record = project.record_of(made)
    write_new_files(
        NewFile(project.module, made.code, mode=0o644),
        NewFile(project.record, record.to_json(), mode=0o644),
        force=True,
    )
    emit(
        {
            "module": project.module,
            "digest": record.module,
            "size": len(made.code),
            "record": project.record,
        },
        f"{record.module}  {project.module}",
        as_json=as_json,
    )


@click.command("test")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), show_default=True,
              default=RUN_SECONDS, help="Time limit of a round, in seconds.")  # fmt: skip
@click.option("--record", is_flag=True,
              help="Write what the program did into the cases that do not say what it should "
              "do.")  # fmt: skip
@click.option("--type", "expression", metavar="TYPE",
              help="With --record: the type of results, where a case names none.")  # fmt: skip
@click.option("--force", is_flag=True,
              help="With --record: also in place of what a case says else.")  # fmt: skip
@click.argument("folder", type=_FOLDER, default=Path())
@json_option
@click.pass_context
def test(
    context: click.Context,
    *,
    seconds: float,
    record: bool,
    expression: str | None,
    force: bool,
    folder: Path,
    as_json: bool,
) -> None:
    """Certify the program that was built in FOLDER, and run the cases in FOLDER/tests.

    Every case runs under both strategies, which must agree. Exit status 1: the program is not
    certified, or a case failed. With --record look at what was recorded: it is what the program
    does, which need not be right. Compiled code is kept in the cache folder of your user.
    """
    if not record and (force or expression is not None):
        raise UsageError("--force and --type are for --record")
    if expression is not None:
        named_types.resolve(expression)
    project = projects.open_project(folder)
    if not project.module.is_file():
        raise ProjectError(f"{project.module} does not exist: run `veracruz-sdk build {folder}`")
    if project.is_stale:
        note(
            f"veracruz-sdk: warning: {project.module} is older than its source: "
            f"run `veracruz-sdk build {folder}` to test what the source says"
        )
    module = read_file(project.module, limit=_MOST_MODULE_BYTES, what="module")
    report = tlaxcala.check(module)
    findings = [f"{one.code} {one.title}: {one.message}" for one in report.findings]
    cases = read_cases(folder / "tests")
    tried: list[_Tried] = []
    if report.certified:
        cache = _cache()
        with progress("running", length=len(cases)) as step:
            for case in cases:
                seen = run_case(module, case, cache=cache, seconds=seconds)
                tried.append(_tried(case, seen, record=record, expression=expression, force=force))
                step(1)
    passed = report.certified and not any(each.faults for each in tried)
    value: dict[str, object] = {"passed": passed, "findings": findings}
    value["cases"] = {each.name: each.faults for each in tried}
    if record:
        value["recorded"] = {each.name: each.recorded for each in tried}
    lines = [f"{'certified' if report.certified else 'refused':<10}{project.module.name}"]
    for one, finding in zip(report.findings, findings, strict=True):
        lines += [f"          {finding}", f"            {one.remedy}"]
    for each in tried:
        lines += [f"{each.verdict:<10}{each.name}"]
        lines += [f"          {line}" for line in each.faults or each.recorded]
    emit(value, "\n".join(lines), as_json=as_json)
    context.exit(0 if passed else 1)


@frozen
class _Tried:
    """A case that was run: what is wrong, and what was recorded of it, in lines."""

    name: str
    faults: list[str]
    recorded: list[str]

    @property
    def verdict(self) -> str:
        if self.faults:
            return "failed"
        return "recorded" if self.recorded else "passed"


def _tried(
    case: ProjectCase, seen: CaseSeen, *, record: bool, expression: str | None, force: bool
) -> _Tried:
    faults = list(seen.faults)
    if not record or not seen.rounds:  # or the strategies do not agree
        return _Tried(case.name, faults, [])
    try:
        recorded = write_down(case, seen.rounds, expression=expression, force=force)
    except VeracruzError as error:
        return _Tried(case.name, [*faults, str(error)], [])
    return _Tried(case.name, [], recorded)


def _cache() -> CodeCache:
    cache, problem = open_cache()
    if problem is not None:
        note(f"veracruz-sdk: warning: compiled code is not kept: {problem}")
    return cache
