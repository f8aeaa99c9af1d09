"""Rows of a table to a CSV file."""

import codecs
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import BinaryIO, Final

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import cell_of, reader_of, write_rows
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
    for kind in table.kinds:
        reader_of(kind)  # it says which types have no cells
    if reading.header and not table.names:
        raise TableError(f"cannot write a header: the columns of {table.row} have no names")
    encoder = codecs.getincrementalencoder(reading.encoding)()
    if reading.header:
        out.write(encoder.encode(write_rows([table.names], reading.dialect)))
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        text = write_rows((_cells(table, row, reading) for row in some), reading.dialect)
        try:
            out.write(encoder.encode(text))
        except UnicodeEncodeError as error:
            raise TableError(
                f"{error.object[error.start]!r} is not in {reading.encoding}: choose utf-8"
            ) from None


def _cells(table: Table, row: Value, reading: Reading) -> Sequence[str]:
    if isinstance(row, dict):
        values: Iterable[Value] = row.values()
    else:
        values = row if isinstance(row, tuple) else [row]
    pairs = zip(table.kinds, values, strict=True)
    return [_cell(kind, value, comma=reading.decimal_comma) for kind, value in pairs]


def _cell(kind: kinds.TypeKind, value: Value, *, comma: bool) -> str:
    cell = cell_of(kind, value)
    return cell.replace(".", ",") if comma and isinstance(value, float) else cell
