"""CSV to values and back, for types that are tables: a Vec or HashSet of rows.

A row is a struct or a tuple whose columns are numbers, bools, chars or text, or such a column by
itself. An `Option` column is an empty cell for None.
"""

from collections.abc import Iterable, Sequence

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import Column, Row, cell_of, read_rows, reader_of, write_rows
from veracruz_utils.encoding.errors import PineconeError, RepeatedError, TableError
from veracruz_utils.encoding.pinecone import Value, decode, encode


def encode_table(kind: kinds.TypeKind, text: bytes, *, header: bool) -> bytes:
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
    rows = read_rows(text)
    columns = table.columns(next(rows, Row(0, [])).cells if header else None)
    lines: list[int] = []
    values: list[Value] = []
    for row in rows:
        lines.append(row.line)
        values.append(table.value(row, columns))
    try:
        return encode(kind, values)
    except RepeatedError as error:
        line, first = lines[_row_of(error)], lines[error.first]
        raise TableError(f"line {line} repeats line {first}, and {kind} is a set") from None
    except PineconeError as error:
        column = columns[table.place_of(error.steps[1] if error.steps[1:] else 0)]
        raise TableError(f"{column.place(lines[_row_of(error)])}: {error.reason}") from None


def _row_of(error: PineconeError) -> int:
    row = error.steps[0]
    assert isinstance(row, int)  # every value of a table is in a row of it
    return row


def decode_table(kind: kinds.TypeKind, data: bytes, *, header: bool) -> str:
    """The CSV file of an encoded table; `header` writes the names of a struct's fields first.

    Raises:
        TableError: the type is not a table, has no names, or a value has no distinct cell.
        PineconeError: the data do not decode.
    """
    table = _Table(kind)
    rows = decode(kind, data)
    assert isinstance(rows, list)  # what a Sequence decodes to
    names = [table.names()] if header else []
    return write_rows([*names, *map(table.cells, rows)])


class _Table:
    """How the rows of one type map to cells."""

    def __init__(self, kind: kinds.TypeKind) -> None:
        if not isinstance(kind, kinds.Sequence):
            raise TableError(f"CSV needs a Vec or HashSet of rows, not {kind}")
        self._row = kind.element
        self._fields: list[tuple[str, kinds.TypeKind]]
        if isinstance(self._row, kinds.Struct):
            self._fields = list(self._row.fields)
        elif isinstance(self._row, kinds.Tuple):
            self._fields = [("", part) for part in self._row.parts]
        else:
            self._fields = [("", self._row)]
        self._readers = [reader_of(field) for _, field in self._fields]

    def names(self) -> list[str]:
        """The names of the columns."""
        named = [name for name, _ in self._fields if name]
        if not named:
            raise TableError(f"cannot write a header: the columns of {self._row} have no names")
        return named

    def columns(self, header: Sequence[str] | None) -> list[Column[Value]]:
        """The columns in the order of the type; where each is in a file says its header."""
        order: Sequence[int] = range(len(self._fields))
        if header is not None and isinstance(self._row, kinds.Struct):
            if sorted(header) != sorted(self.names()):
                raise TableError(
                    f"the header is {', '.join(header)[:200]!r}, expected the columns "
                    f"{', '.join(self.names())!r}"
                )
            order = [header.index(name) for name in self.names()]
        return [
            Column(index, name, read)
            for index, (name, _), read in zip(order, self._fields, self._readers, strict=True)
        ]

    def value(self, row: Row, columns: Sequence[Column[Value]]) -> Value:
        """The value of one row."""
        if len(row.cells) != len(columns):
            raise TableError(
                f"line {row.line}: {len(row.cells)} columns, {self._row} has {len(columns)}"
            )
        values = row.read(columns)
        if isinstance(self._row, kinds.Struct):
            return dict(zip(self.names(), values, strict=True))
        return tuple(values) if isinstance(self._row, kinds.Tuple) else values[0]

    def place_of(self, step: int | str) -> int:
        """Which column an index or name within a row is."""
        return step if isinstance(step, int) else self.names().index(step)

    def cells(self, row: Value) -> list[str]:
        """The cells of one row."""
        if isinstance(row, dict):
            values: Iterable[Value] = row.values()
        else:
            values = row if isinstance(row, tuple) else [row]
        pairs = zip(self._fields, values, strict=True)
        return [cell_of(field, value) for (_, field), value in pairs]
