"""A CSV file to the encoding of a table, in memory that does not grow with it."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO, Final, NamedTuple, TextIO, TypeAlias

from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.rows.cells import CellColumn, whole_of
from veracruz_utils.encoding.rows.faults import Faults, RowFault
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.spool import RowSpool
from veracruz_utils.encoding.rows.table import Table

OnRows: TypeAlias = Callable[[int], object]
"""Is told how many rows there are so far."""

_AT_ONCE: Final = 1024
_MOST_CELL_CHARS: Final = 16 * 1024 * 1024
_NOT_TEXT: Final = re.compile("[\udc80-\udcff]")


def encode_csv(
    table: Table,
    source: BinaryIO,
    spool: RowSpool,
    *,
    reading: Reading,
    faults: Faults,
    on_rows: OnRows,
) -> None:
    """Encode the rows of a CSV file. Empty lines are no rows.

    Raises:
        TableError: the type is no table of cells, or the header not that of the table.
        TooManyFaultsError: there are more than a report has room for.
    """
    before = csv.field_size_limit(_MOST_CELL_CHARS)
    text = io.TextIOWrapper(source, reading.codec, errors="surrogateescape", newline="")
    try:
        header = None
        batches = _read(text, reading, faults)
        if reading.has_header:
            names = next(batches, _Batch([], []))
            header = [reading.tidied(name) for name in names.rows.pop(0)] if names.rows else []
            names.lines[:1] = []
            _require_text(header, reading)
            batches = chain([names], batches)
        columns = _columns(table, header, reading)
        width = len(columns) if header is None or reading.columns is None else len(header)
        for batch in batches:
            _add(_of_width(batch, width, table, faults), columns, spool, faults)
            on_rows(spool.count)
    finally:
        text.detach()  # the file is not ours to close
        csv.field_size_limit(before)


def _require_text(header: Sequence[str], reading: Reading) -> None:
    for name in header:
        if found := _NOT_TEXT.search(name):
            raise TableError(
                f"the header has the byte {ord(found[0]) - 0xDC00:#04x}, which is not "
                f"{reading.encoding}: say the encoding, such as cp1252, latin-1 or utf-16"
            )


class _Batch(NamedTuple):
    """Some rows: the line that each ends on, and their cells."""

    lines: list[int]
    rows: list[list[str]]


def _read(text: TextIO, reading: Reading, faults: Faults) -> Iterator[_Batch]:
    """The rows of the file, up to where it is no CSV any more."""
    reader = csv.reader(text, strict=True, delimiter=reading.delimiter)
    going = True
    while going:
        before = reader.line_num
        batch = _Batch([], [])
        try:
            for cells in islice(reader, _AT_ONCE):
                if cells:
                    batch.rows.append(cells)
                    batch.lines.append(reader.line_num)
            going = reader.line_num > before
        except csv.Error as error:
            faults.add(RowFault(reader.line_num, str(error)))
            going = False
        except UnicodeError:  # of an encoding that does not tell byte by byte
            faults.add(RowFault(reader.line_num + 1, f"what follows is not {reading.encoding}"))
            going = False
        if batch.rows:
            yield batch


def _columns(table: Table, header: Sequence[str] | None, reading: Reading) -> list[CellColumn]:
    places = table.places(header, reading.columns)
    names = dict(enumerate(table.names if header is None else header))
    return [
        CellColumn(place, names.get(place, ""), kind, reading, whole_of(kind))
        for place, kind in zip(places, table.kinds, strict=True)
    ]


def _of_width(batch: _Batch, width: int, table: Table, faults: Faults) -> _Batch:
    """The rows that have all cells."""
    if all(len(cells) == width for cells in batch.rows):
        return batch
    expected = "the header" if width != len(table.kinds) else str(table.row)
    fitting = _Batch([], [])
    for line, cells in zip(*batch, strict=True):
        if len(cells) == width:
            fitting.lines.append(line)
            fitting.rows.append(cells)
        else:
            faults.add(RowFault(line, f"{len(cells)} columns, {expected} has {width}"))
    return fitting


def _add(batch: _Batch, columns: Sequence[CellColumn], spool: RowSpool, faults: Faults) -> None:
    if not batch.rows:
        return
    cells = list(zip(*batch.rows, strict=True))
    before = len(faults)
    parts = [column.encode(cells[column.index], batch.lines, faults) for column in columns]
    encoded = list(map(b"".join, zip(*parts, strict=True)))
    lines = batch.lines
    if len(faults) > before:
        bad = faults.lines(since=before)
        encoded = [row for row, line in zip(encoded, lines, strict=True) if line not in bad]
        lines = [line for line in lines if line not in bad]
    spool.add(encoded, lines)
