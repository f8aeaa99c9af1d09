"""Rows of a table to a CSV file."""

import codecs
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, BinaryIO, Final

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import write_rows, writer_of
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.table import Table

_AT_ONCE: Final = 4096


def write_csv(table: Table, rows: Iterable[Value], out: BinaryIO, reading: Reading) -> None:
    """Write rows to a file that reads back as them, with names in front if it is to have a header.

    Raises:
        TableError: the type has no cells or no names, or a value has no cell that is its own.
    """
    made = [_writer(kind, comma=reading.decimal_comma) for kind in table.kinds]
    # `csv` writes whole numbers and texts as `str` does.
    writers = [(index, write) for index, write in enumerate(made) if write is not str]
    if reading.header and not table.names:
        raise TableError(f"cannot write a header: the columns of {table.row} have no names")
    encoder = codecs.getincrementalencoder(reading.encoding)()
    if reading.header:
        out.write(encoder.encode(write_rows([table.names], reading.dialect)))
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        text = write_rows((_cells(writers, row) for row in some), reading.dialect)
        try:
            out.write(encoder.encode(text))
        except UnicodeEncodeError as error:
            raise TableError(
                f"{error.object[error.start]!r} is not in {reading.encoding}: choose utf-8"
            ) from None


def _cells(writers: Sequence[tuple[int, Callable[[Any], str]]], row: Value) -> Sequence[Any]:
    """The cells of a row, whole numbers and texts as they are."""
    match row:
        case dict():
            cells: list[Any] = [*row.values()]
        case tuple():
            cells = [*row]
        case _:
            cells = [row]
    for index, write in writers:
        cells[index] = write(cells[index])
    return cells


def _writer(kind: kinds.TypeKind, *, comma: bool) -> Callable[[Any], str]:
    write = writer_of(kind)
    of = kind.content if isinstance(kind, kinds.Option) else kind
    if comma and isinstance(of, kinds.Float):
        return lambda value: write(value).replace(".", ",")
    return write
