"""The commands `encode` and `decode`, which both of our programs have, and those for CSV."""

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import click

from sdk.encoding import csv_cells
from sdk.examples import named_types
from veracruz_shells.console import note, progress, read_file
from veracruz_shells.files import NewFile, new_file, open_file, to_standard_output, write_new_files
from veracruz_shells.own_data import OwnData, encoding_progress, reading_options, writing_options
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.errors import EncodingError, TypeExpressionError
from veracruz_utils.encoding.files import Form, decode_file, encode_file
from veracruz_utils.encoding.rows.faults import FaultyRowsError
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.sql_tables import is_table
from veracruz_utils.errors import VeracruzError

_MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
_MAX_SCHEMA_BYTES: Final = 1024 * 1024
_MOST_REASONS: Final = 20
_PIECE_BYTES: Final = 1024 * 1024
_NAME: Final = "sdk.commands.encoding.name"
"""Where a command's context has the type as it was written."""
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_STDIO: Final = Path("-")


class _TypeParameter(click.ParamType[pinecone.TypeKind]):
    name = "type"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> pinecone.TypeKind:
        if isinstance(value, pinecone.TypeKind):
            return value
        if ctx is not None:
            ctx.meta[_NAME] = str(value)
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
force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")
"""Adds `--force`, passed as `force: bool`."""


@click.command("encode")
@_type_option
@reading_options
@force_option
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
@click.argument("target", metavar="[OUT]", type=_FILE, default=_STDIO)
def encode(
    *, kind: pinecone.TypeKind, own: OwnData, force: bool, source: Path, target: Path
) -> None:
    """Encode IN to OUT, in the encoding that programs read.

    IN is CSV, JSON, JSON Lines (.jsonl), Parquet or Arrow; the last two take veracruz-sdk[arrow].
    Without IN or OUT, or with -, that is standard input or standard output. What is wrong in rows
    is reported all at once, by file, line and column, and then nothing is written.
    """
    form = own.form_for(source.name) or "json"
    reading = own.reading(form, source.name)
    if is_table(kind) and not reading.table and source != _STDIO:
        reading = replace(reading, table=source.stem)
    name = "standard input" if source == _STDIO else str(source)
    with open_file(source, what="input") as file, _target(target, force=force) as (spool, place):
        try:
            with encoding_progress(file) as on_rows:
                encode_file(kind, file, spool, form, reading=reading, on_rows=on_rows)
        except FaultyRowsError as error:
            raise VeracruzError(f"{error.in_file(name)}\nnothing was written") from error
        except EncodingError as error:
            raise VeracruzError(f"{name}: {error}") from error
        place()


@contextmanager
def _target(path: Path, *, force: bool) -> Iterator[tuple[BinaryIO, Callable[[], None]]]:
    """A file to write and to read again, and what puts the rest of it in its place."""
    if path == _STDIO:
        memory = io.BytesIO()
        yield memory, lambda: _print(memory.getbuffer()[memory.tell() :])
        return
    # The spool has no name, and is where its content will be: nothing of a secret is left over.
    with (
        new_file(path, mode=0o600, force=force) as out,
        tempfile.TemporaryFile(dir=path.parent) as spool,
    ):
        yield spool, lambda: shutil.copyfileobj(spool, out, _PIECE_BYTES)


def _print(data: bytes | memoryview) -> None:
    with to_standard_output():
        sys.stdout.buffer.write(data)


@click.command("decode")
@_type_option
@writing_options
@force_option
@click.option(
    "--plot", "picture", type=_FILE, metavar="FILE.svg|png|pdf",
    help="Draw it to this file too, if the type is a name whose results have a picture. Takes "
    "veracruz-sdk[plot].",
)  # fmt: skip
@click.option(
    "--plot-data", "beside", type=_FILE, metavar="FILE",
    help="Draw this beside it, encoded: the points of a line, the rows of components, the edges of "
    "a histogram.",
)  # fmt: skip
@click.argument("source", metavar="[IN]", type=_FILE, default=_STDIO)
@click.argument("target", metavar="[OUT]", type=_FILE, default=_STDIO)
@click.pass_context
def decode(
    context: click.Context,
    *,
    kind: pinecone.TypeKind,
    own: OwnData,
    force: bool,
    picture: Path | None,
    beside: Path | None,
    source: Path,
    target: Path,
) -> None:
    """Decode IN, such as a program's result, to OUT: CSV, JSON, JSON Lines, Parquet or Arrow.

    Without IN or OUT, or with -, that is standard input or standard output.
    """
    form = own.form_for(target.name) or "json"
    reading = own.reading(form, target.name)
    if beside is not None and picture is None:
        raise click.UsageError("--plot-data is drawn beside a result: name a picture by --plot.")
    data = read_file(source, limit=_MAX_FILE_BYTES, what="input")
    drawn = _drawn(context.meta[_NAME], data, picture, beside)
    with ExitStack() as stack:
        if picture is not None:
            stack.enter_context(new_file(picture, mode=0o600, force=force)).write(drawn)
        _decode(kind, data, form, reading, target, force=force)


def _drawn(name: str, data: bytes, picture: Path | None, beside: Path | None) -> bytes:
    """The picture's bytes; none without one."""
    if picture is None:
        return b""
    from sdk.pictures import FORMATS, PictureError, draw  # noqa: PLC0415 - for few who decode

    form = picture.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        names = ", ".join(f".{each}" for each in FORMATS)
        raise PictureError(f"{picture}: pictures are files that end in {names}")
    more = read_file(beside, limit=_MAX_FILE_BYTES, what="data") if beside is not None else None
    return draw(name, data, more).to_bytes(form)


def _decode(
    kind: pinecone.TypeKind, data: bytes, form: Form, reading: Reading, target: Path, *, force: bool
) -> None:
    if target != _STDIO:
        with new_file(target, mode=0o600, force=force) as out, progress("decoding"):
            decode_file(kind, data, out, form, reading=reading)
        return
    # Whole or not at all here as well: data may turn out to be wrong at their end.
    memory = io.BytesIO()
    with progress("decoding"):
        decode_file(kind, data, memory, form, reading=reading)
    _print(memory.getbuffer())


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
        note(f"skipped {reason}")
    if len(encoded.skipped) > _MOST_REASONS:
        note(f"skipped {len(encoded.skipped)} rows in all")
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
            _print(data)
