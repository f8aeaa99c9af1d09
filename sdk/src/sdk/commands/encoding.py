"""The commands `encode` and `decode`, which both of our programs have, and those for CSV."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from sdk.encoding import csv_cells
from sdk.examples import named_types
from veracruz_shells.console import read_file
from veracruz_shells.files import NewFile, write_new_files
from veracruz_utils.encoding import pinecone, tables
from veracruz_utils.encoding.errors import TypeExpressionError

_MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
_MAX_SCHEMA_BYTES: Final = 1024 * 1024
_MOST_REASONS: Final = 20
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_STDIO: Final = Path("-")


class _TypeParameter(click.ParamType[pinecone.TypeKind]):
    name = "type"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> pinecone.TypeKind:
        if isinstance(value, pinecone.TypeKind):
            return value
        try:
            return named_types.resolve(str(value))
        except TypeExpressionError as error:
            self.fail(str(error), param, ctx)


_type_option = click.option(
    "--type",
    "kind",
    type=_TypeParameter(),
    required=True,
    help="The type: an expression such as 'Vec<(f64, f64)>', or one of the names "
    + ", ".join(named_types.SCHEMAS)
    + ".",
)
_header_option = click.option(
    "--header", is_flag=True, help="The first row of the CSV names the columns."
)
force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")
"""Adds `--force`, passed as `force: bool`."""


@click.command("encode")
@_type_option
@click.option("--from", "form", type=click.Choice(["json", "csv"]),
              help="Format of IN.  [default: csv with --header or if its name ends in .csv, else "
              "json]")  # fmt: skip
@_header_option
@force_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
@click.argument("target", metavar="[OUT]", type=_FILE, default=_STDIO)
def encode(
    *,
    kind: pinecone.TypeKind,
    form: str | None,
    header: bool,
    force: bool,
    source: Path,
    target: Path,
) -> None:
    """Encode IN (JSON or CSV) to OUT, in the encoding that programs read.

    Without IN or OUT, or with -, that is standard input or standard output.
    """
    form = form or ("csv" if header or source.suffix == ".csv" else "json")
    _refuse_header_of_json(form, header=header)
    text = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    if form == "csv":
        encoded = tables.encode_table(kind, text, header=header)
    else:
        encoded = pinecone.encode_from_json(kind, text)
    write(target, encoded, force=force)


@click.command("decode")
@_type_option
@click.option("--to", "form", type=click.Choice(["json", "csv"]),
              help="Format to print.  [default: csv with --header, else json]")  # fmt: skip
@_header_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
def decode(*, kind: pinecone.TypeKind, form: str | None, header: bool, source: Path) -> None:
    """Decode IN, such as a program's result, and print it; without IN, read standard input."""
    form = form or ("csv" if header else "json")
    _refuse_header_of_json(form, header=header)
    data = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    if form == "csv":
        click.echo(tables.decode_table(kind, data, header=header), nl=False)
    else:
        click.echo(pinecone.decode_to_json(kind, data))


_schema_option = click.option("--schema", "schema_file", type=_FILE, required=True,
                              help="TOML file with the types of the columns.")  # fmt: skip


@click.command("csv-encode")
@_schema_option
@force_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
@click.argument("target", metavar="[OUT]", type=_FILE, default=_STDIO)
def csv_encode(*, schema_file: Path, force: bool, source: Path, target: Path) -> None:
    """Encode the CSV file IN to OUT as rows of cells, Vec<Vec<Vec<u8>>>, by a schema.

    \b
    columns = ["string", "discard", "f64"]   also f32, i64, i32, u64, u32
    delimiter = 59                           by default 44, a comma
    quote = 39                               by default 34, "
    has-headers = true                       these four by default false
    trim-whitespace = true
    flexible = true                          rows may be shorter, or longer and are cut
    skip-rows-on-decoding-error = true

    Skipped rows are reported on standard error.
    """  # noqa: D301 - click reads that backspace
    schema = _read_schema(schema_file)
    text = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    encoded = csv_cells.encode_csv(schema, text)
    for reason in encoded.skipped[:_MOST_REASONS]:
        click.echo(f"skipped {reason}", err=True)
    if len(encoded.skipped) > _MOST_REASONS:
        click.echo(f"skipped {len(encoded.skipped)} rows in all", err=True)
    write(target, encoded.data, force=force)


@click.command("csv-decode")
@_schema_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
def csv_decode(*, schema_file: Path, source: Path) -> None:
    """Decode IN, rows of cells, and print it as CSV; without IN, read standard input.

    Neither column names nor the columns that the schema discards are in it.
    """
    schema = _read_schema(schema_file)
    data = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    click.echo(csv_cells.decode_csv(schema, data), nl=False)


def _read_schema(path: Path) -> csv_cells.Schema:
    return csv_cells.parse_schema(read_file(path, limit=_MAX_SCHEMA_BYTES, what="schema"))


def write(path: Path, data: bytes, *, force: bool, mode: int = 0o600) -> None:
    """Write a new file, or to standard output if its name is `-`."""
    write_all([(path, data)], force=force, mode=mode)


def write_all(files: Iterable[tuple[Path, bytes]], *, force: bool, mode: int = 0o600) -> None:
    """Write new files, all or none of them, and to standard output what is to go to `-`."""
    contents = list(files)
    made = [NewFile(path, data, mode) for path, data in contents if path != _STDIO]
    write_new_files(*made, force=force)
    for path, data in contents:
        if path == _STDIO:
            sys.stdout.buffer.write(data)


def _refuse_header_of_json(form: str, *, header: bool) -> None:
    if header and form == "json":
        raise click.UsageError("--header is only for CSV: JSON has the names in it")
