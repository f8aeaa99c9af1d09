"""CSV: a file to rows of cells and back, and a cell to the value of its column's type and back.

This is the one reader and writer of CSV. `tables` and `csv_cells` say what the rows of a file are
encoded as. Errors name the line, and the column by its number and, where it has one, its name.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import singledispatch
from typing import Any, Final, Generic, TypeVar

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.pinecone import Value
from veracruz_utils.frozen import frozen

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_BOOLS: Final = {"true": True, "false": False}
_NAMED_FLOATS: Final = ("NaN", "Infinity", "-Infinity")
_FLOATS: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_MOST_NAME_CHARS: Final = 40

_T = TypeVar("_T")


@frozen
class Dialect:
    """The character between cells, and the one around cells that need one."""

    delimiter: str = ","
    quote: str = '"'


COMMAS: Final = Dialect()
"""What most programs mean by CSV."""


@frozen
class Row:
    """The cells of a row that is not empty; `line` is the line of the file that it ends on."""

    line: int
    cells: Sequence[str]

    def read(self, columns: "Iterable[Column[_T]]") -> list[_T]:
        """The value of each column.

        Raises:
            TableError: a cell does not fit its column.
        """
        return [self._value(column) for column in columns]

    def _value(self, column: "Column[_T]") -> _T:
        try:
            return column.read(self.cells[column.index])
        except (TableError, PineconeError) as error:
            raise TableError(f"{column.place(self.line)}: {error}") from None


@frozen
class Column(Generic[_T]):
    """A column of a file.

    Attributes:
        index: where its cell is in a row, from 0.
        name: its name; empty if it has none.
        read: makes a value of a cell, or raises TableError or PineconeError.
    """

    index: int
    name: str
    read: Callable[[str], _T]

    def place(self, line: int) -> str:
        """How messages call the cell of a line in this column."""
        name = f" ({self.name[:_MOST_NAME_CHARS]})" if self.name else ""
        return f"line {line}, column {self.index + 1}{name}"


def read_rows(text: bytes, dialect: Dialect = COMMAS) -> Iterator[Row]:
    """The rows of a CSV file in UTF-8. Empty lines are no rows.

    Raises:
        TableError: it is not CSV, or not UTF-8.
    """
    stream = io.StringIO(_characters(text), newline="")
    reader = csv.reader(stream, strict=True, delimiter=dialect.delimiter, quotechar=dialect.quote)
    try:
        for cells in reader:
            if cells:
                yield Row(reader.line_num, cells)
    except csv.Error as error:
        raise TableError(f"line {reader.line_num}: {error}") from None


def _characters(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        raise TableError(f"the CSV is not UTF-8 at byte {error.start}") from None


def write_rows(rows: Iterable[Sequence[str | int]], dialect: Dialect = COMMAS) -> str:
    """The CSV file of rows of cells."""
    out = io.StringIO(newline="")
    plain, quoting = (
        csv.writer(
            out,
            lineterminator="\n",
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            quoting=how,
        )
        for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    table = list(rows)
    plain.writerows(table)
    if "\r" not in out.getvalue():
        return out.getvalue()
    out.seek(0)
    out.truncate()
    for cells in table:
        # A bare carriage return would read as the end of a line, an empty line as no row.
        needs_quotes = any("\r" in str(cell) for cell in cells)
        (quoting if needs_quotes else plain).writerow(cells)
    return out.getvalue()


@singledispatch
def reader_of(kind: kinds.TypeKind) -> Callable[[str], Value]:
    """What reads a cell of a column of this type; it raises TableError for one that does not fit.

    Raises:
        TableError: CSV has no cells for this type.
    """
    raise TableError(f"a CSV column cannot hold {kind}")


@reader_of.register
def _(kind: kinds.Integer) -> Callable[[str], Value]:
    def read(cell: str) -> int:
        text = cell.strip()
        if not _WHOLE_NUMBER.fullmatch(text):
            raise TableError(f"{cell[:40]!r} is not a whole number ({kind})")
        return int(text)

    return read


@reader_of.register
def _(kind: kinds.Float) -> Callable[[str], Value]:
    def read(cell: str) -> Value:
        text = cell.strip()  # of more than `float` takes off
        if text in _NAMED_FLOATS:
            return text
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise TableError(f"{cell[:40]!r} is not a number ({kind})")
        return float(text)

    return read


@reader_of.register
def _(_: kinds.Bool) -> Callable[[str], Value]:
    def read(cell: str) -> bool:
        if cell not in _BOOLS:
            raise TableError(f"{cell[:40]!r} is neither true nor false")
        return _BOOLS[cell]

    return read


@reader_of.register
def _(_: kinds.Text | kinds.Char) -> Callable[[str], Value]:
    return str


@reader_of.register
def _(kind: kinds.Option) -> Callable[[str], Value]:
    read_content = reader_of(kind.content)
    return lambda cell: read_content(cell) if cell else None


@singledispatch
def writer_of(kind: kinds.TypeKind) -> Callable[[Any], str]:
    """What makes the cell of a value of this type; it raises TableError for one that has none.

    Raises:
        TableError: CSV has no cells for this type.
    """
    raise TableError(f"a CSV column cannot hold {kind}")


@writer_of.register
def _(_: kinds.Integer | kinds.Text | kinds.Char) -> Callable[[Any], str]:
    return str


@writer_of.register
def _(_: kinds.Float) -> Callable[[Any], str]:
    def write(value: float | str) -> str:
        text = value if isinstance(value, str) else repr(value)
        return _FLOATS.get(text, text)

    return write


@writer_of.register
def _(_: kinds.Bool) -> Callable[[Any], str]:
    return lambda value: "true" if value else "false"


@writer_of.register
def _(kind: kinds.Option) -> Callable[[Any], str]:
    write_content = writer_of(kind.content)

    def write(value: Value) -> str:
        if value == "":
            raise TableError("CSV cannot tell an empty text from no text; use JSON")
        return "" if value is None else write_content(value)

    return write
