"""Options that say how a file of own data is read or written, and progress while that goes on.

The programs that encode have the same ones, and by them the same `Reading`.
"""

import csv
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, TypeAlias

import click

from veracruz_shells.console import progress
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.files import FORMS, Form, form_of
from veracruz_utils.encoding.rows.csv_rows import OnRows
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.frozen import frozen

_Command: TypeAlias = Callable[..., object]

_TAB: Final = "\t"
_ALIASES: Final = {"tab": _TAB, "\\t": _TAB}
_OF_CSV: Final = ("header", "delimiter", "decimal_comma", "encoding")
_OF_ROWS: Final = ("columns", "nfc", "trim")
_OF_SQL: Final = ("table", "queries")
_ALL: Final = (*_OF_CSV, *_OF_ROWS, *_OF_SQL)


@frozen
class OwnData:
    """What the command line says of a file; None, False and empty are what it does not say."""

    form: Form | None = None
    header: bool = False
    delimiter: str | None = None
    decimal_comma: bool = False
    encoding: str | None = None
    columns: str | None = None
    nfc: bool = False
    trim: bool = False
    table: str | None = None
    queries: tuple[str, ...] = ()

    @property
    def said(self) -> list[str]:
        """The options that were given."""
        return [f"--{_option(name)}" for name in ("form", *_ALL) if getattr(self, name)]

    def form_for(self, name: str) -> Form | None:
        """What a file is: as was said, or as its name says, or CSV where only that has options."""
        if self.form is not None:
            return self.form
        if any(getattr(self, each) for each in (*_OF_CSV, *_OF_SQL)):
            return "csv"
        return form_of(name)

    def reading(self, form: Form, name: str) -> Reading:
        """How a file of this form and name is read.

        Raises:
            click.UsageError: an option is not for the form, or is not possible.
        """
        allowed = {"csv": _ALL, "json": ()}.get(form, _OF_ROWS)
        for option in _ALL:
            if getattr(self, option) and option not in allowed:
                raise click.UsageError(_misplaced(option, form))
        try:
            return Reading(
                delimiter=self._delimiter(name),
                decimal_comma=self.decimal_comma,
                encoding=self.encoding or "utf-8",
                header=self.header,
                columns=self._columns(),
                nfc=self.nfc,
                trim=self.trim,
                table=self.table or "",
                queries=self.queries or None,
            )
        except TableError as error:
            raise click.UsageError(str(error)) from None

    def _delimiter(self, name: str) -> str:
        if self.delimiter is not None:
            return _ALIASES.get(self.delimiter, self.delimiter)
        if name.lower().endswith(".tsv"):
            return _TAB
        return ";" if self.decimal_comma else ","

    def _columns(self) -> tuple[str, ...] | None:
        if self.columns is None:
            return None
        try:
            names = next(csv.reader([self.columns], strict=True))  # one may have a comma in it
        except csv.Error:
            names = []
        if not names:
            raise click.UsageError(f"--columns {self.columns[:80]!r} is no list of names")
        return tuple(names)


def _option(name: str) -> str:
    return {"form": "from", "queries": "query"}.get(name, name.replace("_", "-"))


def _misplaced(name: str, form: Form) -> str:
    if name == "header":
        return "--header is only for CSV: other forms have the names in them"
    return f"--{_option(name)} is not for {form}"


_DELIMITER: Final = click.option(
    "--delimiter",
    metavar="CHAR",
    help="The character between cells of CSV; `tab` is one.  [default: a comma; a semicolon with "
    "--decimal-comma; a tab for names in .tsv]",
)
_DECIMAL_COMMA: Final = click.option(
    "--decimal-comma", is_flag=True, help="Numbers of CSV have a comma where others have a point."
)
_ENCODING: Final = click.option(
    "--encoding", metavar="NAME", help="The encoding of CSV, such as cp1252.  [default: utf-8]"
)


def reading_options(command: _Command) -> _Command:
    """Adds `--from`, `--header`, `--columns` and others; passed as `own: OwnData`."""

    @click.option("--from", "form", type=click.Choice(FORMS), metavar="FORM",
                  help=f"What the file is: {', '.join(FORMS)}.  [default: what its name ends in; "
                  "else csv with options of CSV, and json]")  # fmt: skip
    @click.option("--header", is_flag=True, help="The first row of the CSV names the columns.")
    @click.option("--columns", metavar="NAME,...",
                  help="Take these columns, by their names in the file, in the order of the "
                  "type.")  # fmt: skip
    @_DELIMITER
    @_DECIMAL_COMMA
    @_ENCODING
    @click.option("--nfc", is_flag=True,
                  help="Bring text into Unicode's form NFC, where equal letters are equal "
                  "bytes.")  # fmt: skip
    @click.option("--trim", is_flag=True, help="Take white space off the ends of cells.")
    @click.option("--table", metavar="NAME",
                  help="The name of an SQL table.  [default: the file's, without its "
                  "ending]")  # fmt: skip
    @click.option("--query", "queries", metavar="SQL", multiple=True,
                  help="A query that may see the SQL table; repeat it for more.  "
                  "[default: any]")  # fmt: skip
    @functools.wraps(command)
    def run(
        *,
        form: Form | None,
        header: bool,
        columns: str | None,
        delimiter: str | None,
        decimal_comma: bool,
        encoding: str | None,
        nfc: bool,
        trim: bool,
        table: str | None,
        queries: tuple[str, ...],
        **others: object,
    ) -> object:
        own = OwnData(
            form, header, delimiter, decimal_comma, encoding, columns, nfc, trim, table, queries
        )
        return command(own=own, **others)

    return run


def writing_options(command: _Command) -> _Command:
    """Adds `--to` and what CSV is to be like; passed as `own: OwnData`."""

    @click.option("--to", "form", type=click.Choice(FORMS), metavar="FORM",
                  help=f"What to write: {', '.join(FORMS)}.  [default: what OUT ends in; else csv "
                  "with options of CSV, and json]")  # fmt: skip
    @click.option("--header", is_flag=True, help="Name the columns in the first row of the CSV.")
    @_DELIMITER
    @_DECIMAL_COMMA
    @_ENCODING
    @functools.wraps(command)
    def run(
        *,
        form: Form | None,
        header: bool,
        delimiter: str | None,
        decimal_comma: bool,
        encoding: str | None,
        **others: object,
    ) -> object:
        return command(own=OwnData(form, header, delimiter, decimal_comma, encoding), **others)

    return run


@contextmanager
def encoding_progress(source: BinaryIO) -> Iterator[OnRows]:
    """What to call with each portion that was read."""
    if not source.seekable():
        with progress("encoding"):
            yield lambda _: None
        return
    start = source.tell()
    size = source.seek(0, os.SEEK_END) - start
    source.seek(start)
    with progress("encoding", length=size) as advance:

        def on_rows(_: int) -> None:
            advance(source.tell() - start - advance.done)

        yield on_rows
