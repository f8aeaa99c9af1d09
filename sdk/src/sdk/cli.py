"""The `veracruz-sdk` command."""

import sys
from pathlib import Path
from typing import Final

import click

from sdk import build, generate, pinecone, programs, schemas, tables
from sdk.errors import TypeExpressionError
from veracruz_utils.console import command_group, emit, json_option, read_file, write_new_file
from veracruz_utils.digest import Digest

_MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, exists=True, path_type=Path)
_STDIO: Final = Path("-")


class _TypeParameter(click.ParamType[pinecone.Kind]):
    name = "type"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> pinecone.Kind:
        if isinstance(value, pinecone.Kind):
            return value
        try:
            return schemas.resolve(str(value))
        except TypeExpressionError as error:
            self.fail(str(error), param, ctx)


_type_option = click.option(
    "--type",
    "kind",
    type=_TypeParameter(),
    required=True,
    help="The type, by its name (see `types`) or as an expression: 'Vec<(f64, f64)>'.",
)
_header_option = click.option("--header", is_flag=True, help="The CSV begins with column names.")
_force_option = click.option("--force", is_flag=True, help="Overwrite files that are there.")


@command_group(
    "veracruz-sdk",
    distribution="veracruz-sdk",
    help="Encode data for programs, generate samples, build the example programs.",
)
def main() -> None:
    """The command; its help is above."""


@main.command("encode")
@_type_option
@click.option("--from", "form", type=click.Choice(["json", "csv"]),
              help="The form of IN; by default what its name ends on, else JSON.")  # fmt: skip
@_header_option
@_force_option
@click.argument("source", metavar="IN", type=_FILE)
@click.argument("target", metavar="OUT", type=_FILE)
def encode(
    *, kind: pinecone.Kind, form: str | None, header: bool, force: bool, source: Path, target: Path
) -> None:
    """Encode IN, JSON or CSV, to OUT, as programs read it; - is standard input or output."""
    form = form or ("csv" if header or source.suffix == ".csv" else "json")
    _refuse_header_of_json(form, header=header)
    text = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    if form == "csv":
        encoded = tables.encode_table(kind, text, header=header)
    else:
        encoded = pinecone.encode_from_json(kind, text)
    _write(target, encoded, force=force)


@main.command("decode")
@_type_option
@click.option("--to", "form", type=click.Choice(["json", "csv"]),
              help="The form to print; by default CSV with --header, else JSON.")  # fmt: skip
@_header_option
@click.argument("source", metavar="IN", type=_FILE)
def decode(*, kind: pinecone.Kind, form: str | None, header: bool, source: Path) -> None:
    """Decode IN, such as a program's result, and print it; - is standard input."""
    form = form or ("csv" if header else "json")
    _refuse_header_of_json(form, header=header)
    data = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    if form == "csv":
        click.echo(tables.decode_table(kind, data, header=header), nl=False)
    else:
        click.echo(pinecone.decode_to_json(kind, data))


@main.command("types")
@json_option
def types(*, as_json: bool) -> None:
    """List the types that have names."""
    named = schemas.SCHEMAS.values()
    text = "\n".join(f"{one.name:<12}{one.expression}\n{'':<12}{one.summary}" for one in named)
    emit({one.name: one.expression for one in named}, text, as_json=as_json)


@main.group("generate")
def generate_group() -> None:
    """Make sample data: the same from the same seed, everywhere."""


@generate_group.command("people")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--size", type=click.IntRange(0, generate.MAX_PEOPLE), default=4000,
              show_default=True, help="People per file.")  # fmt: skip
@click.option("--overlap", type=click.IntRange(min=0), default=1200, show_default=True,
              help="How many of them are in both files.")  # fmt: skip
@_force_option
@click.argument("first", metavar="A.csv", type=_FILE)
@click.argument("second", metavar="B.csv", type=_FILE)
def generate_people(
    *, seed: int, size: int, overlap: int, force: bool, first: Path, second: Path
) -> None:
    """Write two CSV files of people, none of whom exists."""
    files = generate.generate_people(seed=seed, size=size, overlap=overlap)
    for path, people in zip((first, second), files, strict=True):
        _write(path, generate.people_csv(people).encode(), force=force, mode=0o644)


@main.command("list-examples")
@json_option
def list_examples(*, as_json: bool) -> None:
    """List the example programs with their digests, as a policy names them."""
    digests = {name: Digest.of(programs.load(name)) for name in programs.NAMES}
    text = "\n".join(f"{digest}  {name}" for name, digest in digests.items())
    emit(digests, text, as_json=as_json)


@main.command("copy-example")
@_force_option
@click.argument("name", type=click.Choice(programs.NAMES))
@click.argument("folder", type=_FOLDER, default=Path())
def copy_example(*, name: str, folder: Path, force: bool) -> None:
    """Copy the module of an example program to FOLDER, as NAME.wasm."""
    target = folder / f"{name}.wasm"
    write_new_file(target, programs.load(name), mode=0o644, force=force)
    click.echo(str(target))


@main.command("build-examples")
@click.option("--check", is_flag=True, help="Write nothing; compare with the modules there.")
@click.option("--folder", type=_FOLDER, help="Where the modules are; by default as shipped.")
@json_option
def build_examples(*, check: bool, folder: Path | None, as_json: bool) -> None:
    """Build the example programs from their sources.

    The same sources give the same bytes everywhere: with --check everybody can see that the shipped
    modules are what their sources say.
    """
    built = build.check_examples(folder) if check else build.write_examples(folder)
    text = "\n".join(f"{one.digest}  {one.name}" for one in built)
    emit({one.name: one.digest for one in built}, text, as_json=as_json)


def _refuse_header_of_json(form: str, *, header: bool) -> None:
    if header and form == "json":
        raise click.UsageError("--header is for CSV; JSON has its names in it")


def _write(path: Path, data: bytes, *, force: bool, mode: int = 0o600) -> None:
    if path == _STDIO:
        sys.stdout.buffer.write(data)
    else:
        write_new_file(path, data, mode=mode, force=force)
