"""The commands `new`, `build` and `test`, for a program of one's own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

import tlaxcala
from execution_engine.code_cache import CodeCache
from execution_engine.errors import EngineError
from sdk import projects
from sdk.errors import ProjectError
from sdk.projects.cases import RUN_SECONDS, ProjectCase, read_cases, run_case
from veracruz_shells.console import (
    emit,
    json_option,
    note,
    progress,
    read_file,
    write_new_file,
)
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy

_FOLDER: Final = click.Path(file_okay=False, exists=True, path_type=Path)
_MOST_MODULE_BYTES: Final = 256 * 1024 * 1024


@click.command("new")
@click.option("--language", type=click.Choice(list(projects.BUILDERS)), default="c",
              show_default=True, help="Language of the program.")  # fmt: skip
@click.option("--std", is_flag=True,
              help="With --language rust: a Cargo package, for std and crates.")  # fmt: skip
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@json_option
def new(*, language: str, std: bool, folder: Path, as_json: bool) -> None:
    """Create the folder NAME with a small program, a test case, and veracruz.toml."""
    made = projects.new_project(folder, language=language, std=std)
    emit({"folder": made.folder, "language": language}, str(made.folder), as_json=as_json)


@click.command("build")
@click.option("--debug", is_flag=True,
              help="Have the program report its panics and what it prints, and keep the names of "
              "its functions, for the freestanding engine and policies with debug.")  # fmt: skip
@click.argument("folder", type=_FOLDER, default=Path())
@json_option
def build(*, debug: bool, folder: Path, as_json: bool) -> None:
    """Build the program in FOLDER as FOLDER/NAME.wasm, and print its digest."""
    project = projects.open_project(folder)
    if sys.stderr.isatty():
        note(f"veracruz-sdk: building {project.name}; the first build in a language takes longest")
    module = project.build(debug=debug)
    write_new_file(project.module, module, mode=0o644, force=True)
    digest = Digest.of(module)
    emit(
        {"module": project.module, "digest": digest, "size": len(module)},
        f"{digest}  {project.module}",
        as_json=as_json,
    )


@click.command("test")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), show_default=True,
              default=RUN_SECONDS, help="Time limit of a round, in seconds.")  # fmt: skip
@click.argument("folder", type=_FOLDER, default=Path())
@json_option
@click.pass_context
def test(context: click.Context, *, seconds: float, folder: Path, as_json: bool) -> None:
    """Certify the program that was built in FOLDER, and run the cases in FOLDER/tests.

    Every case runs under both strategies, which must agree. Exit status 1: the program is not
    certified, or a case failed.
    """
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
    cache = CodeCache.in_memory()
    faults = {}
    if report.certified:
        with progress("running", length=len(cases) * len(Strategy)) as step:
            for case in cases:
                faults[case.name] = _faults(module, case, cache, seconds, step)
    lines = [f"{'certified' if report.certified else 'refused':<10}{project.module.name}"]
    lines += [f"          {finding}" for finding in findings]
    for name, found in faults.items():
        lines += [f"{'failed' if found else 'passed':<10}{name}"]
        lines += [f"          {line}" for line in found]
    passed = report.certified and not any(faults.values())
    value = {"passed": passed, "findings": findings, "cases": faults}
    emit(value, "\n".join(lines), as_json=as_json)
    context.exit(0 if passed else 1)


def _faults(
    module: bytes,
    case: ProjectCase,
    cache: CodeCache,
    seconds: float,
    step: Callable[[int], None],
) -> list[str]:
    found: list[str] = []
    did: list[object] = []
    for strategy in Strategy:
        try:
            faults, seen = run_case(module, case, strategy=strategy, cache=cache, seconds=seconds)
        except EngineError as error:
            return [f"{strategy.name}: {error}"]
        found += [f"{strategy.name}: {fault}" for fault in faults]
        did.append(seen)
        step(1)
    if not found and did[0] != did[1]:
        found.append(
            "the two strategies gave different results: does the result depend on random numbers?"
        )
    return found
