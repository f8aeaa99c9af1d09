"""The commands about example programs: what there is, data and policies for them, their modules."""

from pathlib import Path
from typing import Final

import click

from sdk import projects
from sdk.commands import encoding
from sdk.errors import ProjectError, SdkError, UsageError
from sdk.examples import EXAMPLES, build, data_files, named_types, people, programs
from sdk.examples import policy_template as template
from sdk.projects.own_policy import own_policy
from veracruz_shells.console import emit, json_option, note, subgroup, write_new_file
from veracruz_utils.digest import Digest

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("types")
@json_option
def types(*, as_json: bool) -> None:
    """List the named types, which --type takes."""
    named = named_types.SCHEMAS.values()
    width = max(len(one.name) for one in named) + 2
    text = "\n".join(
        f"{one.name:<{width}}{one.expression}\n{'':<{width}}{one.summary}" for one in named
    )
    emit({one.name: one.expression for one in named}, text, as_json=as_json)


@subgroup("generate")
def generate() -> None:
    """Make sample data; the same seed gives the same data everywhere."""


@generate.command("people")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True,
              help="Seed: another one gives other people.")  # fmt: skip
@click.option("--size", type=click.IntRange(0, people.MAX_PEOPLE), default=4000,
              show_default=True, help="Number of people in each file.")  # fmt: skip
@click.option("--overlap", type=click.IntRange(min=0), default=1200, show_default=True,
              help="Number of people who are in both files.")  # fmt: skip
@encoding.force_option
@click.argument("first", metavar="A.csv", type=_FILE)
@click.argument("second", metavar="B.csv", type=_FILE)
def generate_people(
    *, seed: int, size: int, overlap: int, force: bool, first: Path, second: Path
) -> None:
    """Write two CSV files of invented people."""
    lists = people.generate_people(seed=seed, size=size, overlap=overlap)
    contents = [people.people_csv(each).encode() for each in lists]
    encoding.write_all(zip((first, second), contents, strict=True), force=force, mode=0o644)


def _generator_of(name: str) -> click.Command:
    """The command that makes data for one example."""
    example = EXAMPLES[name]

    @click.command(name, help=f"Write data for {name}: {example.summary}.")
    @click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True,
                  help="Seed: another one gives other data.")  # fmt: skip
    @click.option("--size", type=click.IntRange(1, data_files.MAX_SIZE),
                  default=example.default_size, show_default=True,
                  help="Size: a number of rows, characters or rounds.")  # fmt: skip
    @click.option("--output", "folder", default=Path(), show_default=".",
                  type=click.Path(file_okay=False, path_type=Path),
                  help="Folder to write to; it is made if it is not there.")  # fmt: skip
    @encoding.force_option
    def command(*, seed: int, size: int, folder: Path, force: bool) -> None:
        made = data_files.data_files(example, example.generate(seed, size))
        contents = [(folder / file, content) for file, content in made]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SdkError(f"cannot make the folder {folder}: {error.strerror}") from None
        encoding.write_all(contents, force=force, mode=0o644)
        for path, _ in contents:
            click.echo(str(path))

    return command


for _name in EXAMPLES:
    generate.add_command(_generator_of(_name))


@click.command("examples")
@click.argument("name", metavar="[NAME]", type=click.Choice(list(EXAMPLES)), required=False)
@json_option
def list_all(*, name: str | None, as_json: bool) -> None:
    """List the example programs; with NAME, describe that one."""
    if name is not None:
        about = data_files.description(EXAMPLES[name])
        emit(about, data_files.described(about), as_json=as_json)
        return
    text = "\n".join(f"{one.name:<40}{one.summary}" for one in EXAMPLES.values())
    emit({one.name: one.summary for one in EXAMPLES.values()}, text, as_json=as_json)


@click.command("policy-template")
@click.option("--case", metavar="NAME",
              help="Case of your own program.  [default: the first with a result]")  # fmt: skip
@click.argument("name", metavar="NAME|FOLDER")
def policy_template(*, name: str, case: str | None) -> None:
    """Print a policy for the example NAME, or for the program in FOLDER, in TOML.

    `durango policy build` takes it. Of a program of your own a case says what it takes and gives:
    the types of inputs, streams and results, who gives each (`from`), what it is called (`name`).
    The policy names its module as seen from here. Certificates are named as `durango identity new`
    names them, and all services are on this machine: change what differs. A folder that is called
    like an example is ./NAME.
    """
    if name in EXAMPLES:
        if case is not None:
            raise UsageError("--case is for a program of your own, and an example has none")
        click.echo(template.policy_template(EXAMPLES[name]), nl=False)
        return
    folder = Path(name)
    if not folder.is_dir():
        raise UsageError(
            f"{name} is neither a folder nor an example; the examples are {', '.join(EXAMPLES)}"
        )
    project = projects.open_project(folder)
    click.echo(own_policy(project, case=case), nl=False)
    if not project.module.is_file():
        note(f"veracruz-sdk: {project.module} is not built yet: run `veracruz-sdk build {folder}`")


@click.command("list-examples")
@json_option
def list_examples(*, as_json: bool) -> None:
    """List the example programs with their digests, as a policy names them."""
    digests = {name: Digest.of(programs.load(name)) for name in programs.NAMES}
    text = "\n".join(f"{digest}  {name}" for name, digest in digests.items())
    emit(digests, text, as_json=as_json)


@click.command("copy-example")
@encoding.force_option
@click.option("--source", is_flag=True,
              help="Copy its source instead, as a project to change, build and test.")  # fmt: skip
@click.argument("name", metavar="NAME", type=click.Choice(sorted({*programs.NAMES, *EXAMPLES})))
@click.argument("folder", type=_FOLDER, default=Path())
def copy_example(*, name: str, folder: Path, force: bool, source: bool) -> None:
    """Copy the module of an example program to FOLDER, as NAME.wasm.

    Modules of programs in Python are not shipped, because every build gives other bytes: copy the
    source with --source and build it.
    """
    if source:
        click.echo(str(projects.project_of_example(folder / name, name).folder))
        return
    if name not in programs.NAMES:
        raise ProjectError(
            f"the module of {name} is not shipped: copy its source with --source and build it"
        )
    target = folder / f"{name}.wasm"
    write_new_file(target, programs.load(name), mode=0o644, force=force)
    click.echo(str(target))


@click.command("build-examples")
@click.option("--check", is_flag=True, help="Write nothing; compare with the existing modules.")
@click.option("--folder", type=_FOLDER, help="Folder of the modules.  [default: the shipped ones]")
@click.option("--language", type=click.Choice(["c", "c-libc", "rust", "cargo"]),
              help="Build only examples in this language; cargo is Rust with crates.")  # fmt: skip
@json_option
def build_examples(
    *, check: bool, folder: Path | None, language: str | None, as_json: bool
) -> None:
    """Build the example programs from their sources.

    The same sources give the same bytes everywhere by the same compiler: with --check everybody can
    see that the shipped modules are built from their sources. An example that needs sources from a
    package registry is skipped with a message if the registry cannot be reached.
    """
    act = build.check_examples if check else build.write_examples
    built = act(folder, language=language)
    digests = {one.name: one.digest for one in built if isinstance(one, build.Built)}
    for one in built:
        if isinstance(one, build.Skipped):
            click.echo(f"skipped {one.name}: {one.reason}", err=True)
    text = "\n".join(f"{digest}  {name}" for name, digest in digests.items())
    emit(digests, text, as_json=as_json)
