"""The commands `encode` and `decode`, which both of our programs have."""

import sys
from pathlib import Path
from typing import Final

import click

from sdk import pinecone, schemas, tables
from sdk.errors import TypeExpressionError
from veracruz_utils.console import read_file, write_new_file

_MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
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
    help="The type, as an expression such as 'Vec<(f64, f64)>', or by a name: "
    + ", ".join(schemas.SCHEMAS)
    + ".",
)
_header_option = click.option("--header", is_flag=True, help="The CSV begins with column names.")
force_option = click.option("--force", is_flag=True, help="Overwrite files that are there.")
"""Adds `--force`, passed as `force: bool`."""


@click.command("encode")
@_type_option
@click.option("--from", "form", type=click.Choice(["json", "csv"]),
              help="The form of IN; by default what its name ends on, else JSON.")  # fmt: skip
@_header_option
@force_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
@click.argument("target", metavar="[OUT]", type=_FILE, default=_STDIO)
def encode(
    *, kind: pinecone.Kind, form: str | None, header: bool, force: bool, source: Path, target: Path
) -> None:
    """Encode IN, JSON or CSV, to OUT, as programs read it.

    Without a name, and for -, that is standard input and standard output.
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
              help="The form to print; by default CSV with --header, else JSON.")  # fmt: skip
@_header_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
def decode(*, kind: pinecone.Kind, form: str | None, header: bool, source: Path) -> None:
    """Decode IN, such as a program's result, and print it; without a name, standard input."""
    form = form or ("csv" if header else "json")
    _refuse_header_of_json(form, header=header)
    data = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    if form == "csv":
        click.echo(tables.decode_table(kind, data, header=header), nl=False)
    else:
        click.echo(pinecone.decode_to_json(kind, data))


def write(path: Path, data: bytes, *, force: bool, mode: int = 0o600) -> None:
    """Write a new file, or to standard output if its name is `-`."""
    if path == _STDIO:
        sys.stdout.buffer.write(data)
    else:
        write_new_file(path, data, mode=mode, force=force)


def _refuse_header_of_json(form: str, *, header: bool) -> None:
    if header and form == "json":
        raise click.UsageError("--header is for CSV; JSON has its names in it")
