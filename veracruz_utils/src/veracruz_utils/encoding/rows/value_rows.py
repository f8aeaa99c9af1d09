"""Rows that come as values, of JSON Lines or of columns of Arrow, to the encoding of a table."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Final, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.pinecone.encoder import encoder_of
from veracruz_utils.encoding.rows.csv_rows import OnRows
from veracruz_utils.encoding.rows.faults import Faults, RowFault
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.spool import RowSpool
from veracruz_utils.encoding.rows.table import Table

ValueRow: TypeAlias = tuple[int, object]
"""The line or the number of a row, and its value."""

_AT_ONCE: Final = 1024


def encode_values(
    table: Table, rows: Iterable[ValueRow], spool: RowSpool, faults: Faults, on_rows: OnRows
) -> None:
    """Encode rows.

    Raises:
        TooManyFaultsError: there are more faults than a report has room for.
    """
    encode = encoder_of(table.row)
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        encoded: list[bytes] = []
        lines: list[int] = []
        for line, value in some:
            try:
                encoded.append(encode(value))
                lines.append(line)
            except PineconeError as error:
                faults.add(RowFault(line, error.reason, name=error.path))
        spool.add(encoded, lines)
        on_rows(spool.count)


def chosen_of(table: Table, reading: Reading) -> Callable[[object], object]:
    """What makes the value of a row of an object, if columns were chosen, and tidies its text."""
    tidy = partial(_tidied, reading) if reading.trim or reading.nfc else None

    def take(value: object) -> object:
        if reading.columns is not None:
            value = _row_of(table, reading.columns, value)
        return tidy(value) if tidy else value

    if reading.columns is not None:
        table.require_as_many(reading.columns)
    return take


def _row_of(table: Table, chosen: Iterable[str], value: object) -> object:
    if not isinstance(value, dict):
        raise TableError(f"expected an object, of which columns are chosen, got {value!r:.40}")
    if missing := [name for name in chosen if name not in value]:
        raise TableError(f"column {missing[0][:40]!r} is missing")
    values = [value[name] for name in chosen]
    if table.names:
        return dict(zip(table.names, values, strict=True))
    return values if isinstance(table.row, kinds.Tuple) else values[0]


def _tidied(reading: Reading, value: object) -> object:
    if isinstance(value, str):
        return reading.tidied(value)
    if isinstance(value, list):
        return [_tidied(reading, each) for each in value]
    if isinstance(value, dict):
        return {name: _tidied(reading, each) for name, each in value.items()}
    return value
