"""The command `check-build`: is a module what its record says, and does a build repeat it?"""

from pathlib import Path
from typing import Final

import click

from sdk import projects
from sdk.commands.projects import rust_options
from sdk.toolchains.python_core import core_in
from sdk.toolchains.record import BuildRecord, differences, read_record
from sdk.toolchains.rust_found import TARGET, RustChoice
from veracruz_shells.console import emit, json_option, read_file
from veracruz_utils.digest import Digest

_FOLDER: Final = click.Path(file_okay=False, exists=True, path_type=Path)
_FILE: Final = click.Path(dir_okay=False, exists=True, path_type=Path)
_MOST_MODULE_BYTES: Final = 256 * 1024 * 1024


@click.command("check-build")
@click.option("--module", type=_FILE, help="The module.  [default: FOLDER/NAME.wasm]")
@click.option("--record", type=_FILE, help="The record.  [default: FOLDER/NAME.build.json]")
@rust_options
@click.argument("folder", type=_FOLDER, default=Path())
@json_option
@click.pass_context
def check_build(
    context: click.Context,
    *,
    module: Path | None,
    record: Path | None,
    rustc: str | None,
    cargo: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Check that a module is what its record says: build FOLDER anew, and compare.

    Nothing is written. A program in Python is built on the core that the module begins with, which
    is not looked into. Exit status 1: the module is not the record's, or the build gives another
    one; then it is said what differs, another compiler above all.
    """
    project = projects.open_project(folder)
    kept = read_record(record or project.record)
    code = read_file(module or project.module, limit=_MOST_MODULE_BYTES, what="module")
    faults = []
    if (found := Digest.of(code)) != kept.module:
        faults.append(f"the module is {found.short}, the record says {kept.module.short}")
    rust = project.language == "rust"
    choice = RustChoice(rustc, cargo, kept.target if rust else TARGET)
    # No build of a core repeats another: a program is built on the one that it begins with.
    core = core_in(code) if project.language == "python" else None
    built = project.record_of(project.build(debug=kept.debug, choice=choice, core=core))
    differ = differences(kept, built)
    if built.module != kept.module:
        faults.append(_why(kept, built, differ))
    said = {
        "passed": not faults,
        "module": found,
        "recorded": kept.module,
        "built": built.module,
        "faults": faults,
        "differences": differ,
    }
    lines = [*faults, *differ] or [f"{found}  {module or project.module}"]
    if not faults and differ:
        lines.append("the build gives the same module all the same")
    emit(said, "\n".join(lines), as_json=as_json)
    context.exit(1 if faults else 0)


def _why(kept: BuildRecord, built: BuildRecord, differ: list[str]) -> str:
    said = f"the build gives {built.module.short}, the record says {kept.module.short}"
    if differ:
        return f"{said}, and differs in what it is built from or by"
    return f"{said}, by the same compiler from the same sources: it is not what this folder builds"
