"""CSV to values and back, for types that are tables: a Vec or HashSet of rows.

A row is a struct or a tuple whose columns are numbers, bools, chars or text, or such a column by
itself. An `Option` column is an empty cell for None.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import singledispatch
from typing import Final, TypeAlias

from sdk.encoding.pinecone import Value, decode, encode, kinds
from sdk.errors import PineconeError, RepeatedError, TableError

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_BOOLS: Final = {"true": True, "false": False}
_NAMED_FLOATS: Final = ("NaN", "Infinity", "-Infinity")

_FromCell: TypeAlias = Callable[[str], Value]


def encode_table(kind: kinds.Kind, text: bytes, *, header: bool) -> bytes:
    """The encoding of a CSV file.

    Args:
        kind: a Vec or HashSet of rows.
        text: UTF-8, fields separated by commas.
        header: whether the first row names the columns; a struct's columns may then be in any
            order, a tuple's names are ignored.

    Raises:
        TableError: the text is not CSV or does not fit the type.
    """
    table = _Table(kind)
    rows = _rows(text)
    order = table.order(next(rows, (0, []))[1]) if header else range(len(table.columns))
    lines: list[int] = []
    values: list[Value] = []
    for line, cells in rows:
        lines.append(line)
        values.append(table.row(line, cells, order))
    try:
        return encode(kind, values)
    except RepeatedError as error:
        line, first = lines[_row_of(error)], lines[error.first]
        raise TableError(f"line {line} repeats line {first}, and {kind} is a set") from None
    except PineconeError as error:
        where = ": ".join([f"line {lines[_row_of(error)]}", *map(str, error.steps[1:])])
        raise TableError(f"{where}: {error.reason}") from None


def _row_of(error: PineconeError) -> int:
    row = error.steps[0]
    assert isinstance(row, int)  # every value of a table is in a row of it
    return row


def decode_table(kind: kinds.Kind, data: bytes, *, header: bool) -> str:
    """The CSV file of an encoded table; `header` writes the names of a struct's fields first.

    Raises:
        TableError: the type is not a table, has no names, or a value has no distinct cell.
        PineconeError: the data do not decode.
    """
    table = _Table(kind)
    rows = decode(kind, data)
    assert isinstance(rows, list)  # what a Sequence decodes to
    lines = [table.names()] if header else []
    lines += [table.cells(row) for row in rows]
    return _csv_text(lines)


def _csv_text(lines: list[list[str]]) -> str:
    out = io.StringIO(newline="")
    plain = csv.writer(out, lineterminator="\n")
    quoting = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for cells in lines:  # a bare carriage return would read as the end of a line
        (quoting if any("\r" in cell for cell in cells) else plain).writerow(cells)
    return out.getvalue()


class _Table:
    """How the rows of one type map to cells."""

    def __init__(self, kind: kinds.Kind) -> None:
        if not isinstance(kind, kinds.Sequence):
            raise TableError(f"CSV needs a Vec or HashSet of rows, not {kind}")
        self._row = kind.element
        self.columns: list[tuple[str | None, kinds.Kind]]
        if isinstance(self._row, kinds.Struct):
            self.columns = list(self._row.fields)
        elif isinstance(self._row, kinds.Tuple):
            self.columns = [(None, part) for part in self._row.parts]
        else:
            self.columns = [(None, self._row)]
        self._readers = [reader_of(column) for _, column in self.columns]

    def names(self) -> list[str]:
        """The names of the columns."""
        named = [name for name, _ in self.columns if name is not None]
        if not named:
            raise TableError(f"a header needs names, and the columns of {self._row} have none")
        return named

    def order(self, header: Sequence[str]) -> Sequence[int]:
        """Where in a row each column is."""
        if not isinstance(self._row, kinds.Struct):
            return range(len(self.columns))
        if sorted(header) != sorted(self.names()):
            raise TableError(
                f"the header is {', '.join(header)[:200]!r}, the columns are "
                f"{', '.join(self.names())!r}"
            )
        return [header.index(name) for name in self.names()]

    def row(self, number: int, cells: Sequence[str], order: Sequence[int]) -> Value:
        """The value of one row; `number` is its line, for messages."""
        if len(cells) != len(self.columns):
            raise TableError(
                f"line {number}: {len(cells)} columns, {self._row} has {len(self.columns)}"
            )
        try:
            values = [read(cells[at]) for read, at in zip(self._readers, order, strict=True)]
        except TableError as error:
            raise TableError(f"line {number}: {error}") from None
        return self._shaped(values)

    def _shaped(self, values: list[Value]) -> Value:
        if isinstance(self._row, kinds.Struct):
            return dict(zip(self.names(), values, strict=True))
        return tuple(values) if isinstance(self._row, kinds.Tuple) else values[0]

    def cells(self, row: Value) -> list[str]:
        """The cells of one row."""
        if isinstance(row, dict):
            values: Iterable[Value] = row.values()
        else:
            values = row if isinstance(row, tuple) else [row]
        pairs = zip(self.columns, values, strict=True)
        return [cell_of(column, value) for (_, column), value in pairs]


def text_of(text: bytes) -> str:
    """The characters of a CSV file.

    Raises:
        TableError: it is not UTF-8.
    """
    try:
        return text.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        raise TableError(f"the CSV is not UTF-8 at byte {error.start}") from None


def _rows(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with the lines they end on."""
    reader = csv.reader(io.StringIO(text_of(text), newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise TableError(f"line {reader.line_num}: {error}") from None


@singledispatch
def reader_of(kind: kinds.Kind) -> _FromCell:
    """What reads a cell of a column of this type; it raises TableError for one that does not fit.

    Raises:
        TableError: there are no such columns.
    """
    raise TableError(f"a column cannot be {kind}")


@reader_of.register
def _(kind: kinds.Integer) -> _FromCell:
    def read(cell: str) -> int:
        text = cell.strip()
        if not _WHOLE_NUMBER.fullmatch(text):
            raise TableError(f"{cell[:40]!r} is not a whole number ({kind})")
        return int(text)

    return read


@reader_of.register
def _(kind: kinds.Float) -> _FromCell:
    def read(cell: str) -> Value:
        text = cell.strip()  # of more than `float` takes off
        if text in _NAMED_FLOATS:
            return text
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise TableError(f"{cell[:40]!r} is not a number ({kind})")
        return float(text)

    return read


@reader_of.register
def _(_: kinds.Bool) -> _FromCell:
    def read(cell: str) -> bool:
        if cell not in _BOOLS:
            raise TableError(f"{cell[:40]!r} is neither true nor false")
        return _BOOLS[cell]

    return read


@reader_of.register
def _(_: kinds.Text | kinds.Char) -> _FromCell:
    return str


@reader_of.register
def _(kind: kinds.Option) -> _FromCell:
    read_content = reader_of(kind.content)
    return lambda cell: read_content(cell) if cell else None


def cell_of(kind: kinds.Kind, value: Value) -> str:
    """The cell of a value in a column of this type."""
    if value is None:
        return ""
    if isinstance(kind, kinds.Option) and value == "":
        raise TableError("an empty text and no text are the same cell; use JSON")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_cell(value)
    return str(value)


def _float_cell(value: float) -> str:
    text = repr(value)
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, text)
