"""A file of rows, in whichever form, to the encoding of a Vec or set."""

from collections.abc import Iterable
from typing import BinaryIO, Literal, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.rows.arrow import arrow_rows
from veracruz_utils.encoding.rows.csv_rows import OnRows, encode_csv
from veracruz_utils.encoding.rows.faults import Faults, TooManyFaultsError
from veracruz_utils.encoding.rows.json_lines import json_rows
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.spool import RowSpool
from veracruz_utils.encoding.rows.table import Table
from veracruz_utils.encoding.rows.value_rows import ValueRow, encode_values

RowForm: TypeAlias = Literal["csv", "jsonl", "parquet", "arrow"]


def encode_rows(
    kind: kinds.TypeKind,
    source: BinaryIO,
    out: BinaryIO,
    form: RowForm,
    *,
    reading: Reading,
    on_rows: OnRows,
) -> None:
    """Encode a file.

    Args:
        kind: a Vec or set of rows.
        source: the file.
        out: an empty file that can be read again; it is left where the encoding begins.
        form: what the file is.
        reading: how it is read.
        on_rows: is told now and then how many rows there are so far.

    Raises:
        TableError: the type is no table, or the file not of it as a whole.
        FaultyRowsError: rows do not fit; with all that is wrong in them, up to a limit.
    """
    table, faults = Table(kind), Faults()
    spool = RowSpool(table.kind, out)
    try:
        if form == "csv":
            encode_csv(table, source, spool, reading=reading, faults=faults, on_rows=on_rows)
        else:
            rows = _values(table, source, form, reading, faults)
            encode_values(table, rows, spool, faults, on_rows)
        spool.find_repeats(faults)
    except TooManyFaultsError:
        faults.report(whole=False)
    faults.report(whole=True)
    spool.finish()


def _values(
    table: Table,
    source: BinaryIO,
    form: Literal["jsonl", "parquet", "arrow"],
    reading: Reading,
    faults: Faults,
) -> Iterable[ValueRow]:
    if form == "jsonl":
        return json_rows(table, source, reading, faults)
    return arrow_rows(table, source, reading, form)
