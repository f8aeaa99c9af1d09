"""A result as somebody reads it: rows and columns where its type has them, or text, or bytes."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final

from durango._words import decimal
from veracruz_utils.encoding import kinds, sql_tables
from veracruz_utils.encoding.csv_codec import writer_of
from veracruz_utils.encoding.errors import EncodingError, TableError
from veracruz_utils.encoding.files import Form, decode_file
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.pinecone import decode
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.table import Table
from veracruz_utils.frozen import frozen

MAX_ROWS: Final = 100
_MAX_CELL_CHARS: Final = 200
_MAX_TEXT_BYTES: Final = 8 * 1024
_MAX_SHOWN_BYTES: Final = 16 * 1024 * 1024


@frozen
class Shown:
    """What is shown of some bytes.

    Attributes:
        head: names of the columns; empty for text.
        rows: the first rows.
        count: how many rows there are.
        text: in place of rows, where there are none.
        typed: whether the type of a policy says what the bytes are.
    """

    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    count: int = 0
    text: str = ""
    typed: bool = False


def shown(data: bytes, kind: kinds.TypeKind | None, *, most: int = MAX_ROWS) -> Shown:
    """What to show of a result, or of an input.

    Args:
        data: the bytes.
        kind: their type; None if the policy says none.
        most: rows that are shown.
    """
    if kind is None or len(data) > _MAX_SHOWN_BYTES:
        return _untyped(data)
    try:
        if sql_tables.is_table(kind) or sql_tables.is_result(kind):
            return _of_csv(sql_tables.sql_csv(kind, data), most)
        return _of_value(kind, decode(kind, data), most)
    except EncodingError:
        return _untyped(data)


def written(data: bytes, kind: kinds.TypeKind, form: Form) -> bytes:
    """The value as a file for other programs.

    Raises:
        EncodingError: the form cannot hold it.
    """
    out = io.BytesIO()
    named = isinstance(kind, kinds.Sequence) and bool(Table(kind).names)
    decode_file(kind, data, out, form, reading=Reading(header=form == "csv" and named))
    return out.getvalue()


def is_rows(kind: kinds.TypeKind | None) -> bool:
    """Whether a value of the type can be written as CSV."""
    if kind is None:
        return False
    if sql_tables.is_table(kind) or sql_tables.is_result(kind):
        return True
    if not isinstance(kind, kinds.Sequence):
        return False
    try:
        for each in Table(kind).kinds:
            writer_of(each)
    except TableError:
        return False
    return not _is_bytes(kind)


def _of_value(kind: kinds.TypeKind, value: Value, most: int) -> Shown:
    if isinstance(kind, kinds.Sequence) and isinstance(value, list):
        rows = tuple(_row(each) for each in islice(value, most))
        return Shown(_names(kind.element), rows, len(value), typed=True)
    if isinstance(value, Mapping):
        pairs = [(str(name), _cell(each)) for name, each in islice(value.items(), most)]
        return Shown((), tuple(pairs), len(value), typed=True)
    return Shown((), ((_cell(value),),), 1, typed=True)


def _of_csv(text: str, most: int) -> Shown:
    try:
        lines = list(csv.reader(io.StringIO(text)))
    except csv.Error:  # such as a cell that is longer than that module reads
        return replace(_untyped(text.encode()), typed=True)
    head, *rows = lines or [[]]
    cut = tuple(tuple(map(_cell, row)) for row in rows[:most])
    return Shown(tuple(map(_cell, head)), cut, len(rows), typed=True)


def _names(kind: kinds.TypeKind) -> tuple[str, ...]:
    return tuple(name for name, _ in kind.fields) if isinstance(kind, kinds.Struct) else ()


def _row(value: Value) -> tuple[str, ...]:
    return tuple(_cells(value))


def _cells(value: Value) -> Iterator[str]:
    values: Iterable[Value]
    if isinstance(value, Mapping):
        values = value.values()
    elif isinstance(value, list | tuple):
        values = value
    else:
        values = (value,)
    yield from map(_cell, values)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return decimal(f"{value:.12g}")
    text = str(value)
    return text if len(text) <= _MAX_CELL_CHARS else f"{text[: _MAX_CELL_CHARS - 1]}…"


def _is_bytes(kind: kinds.TypeKind) -> bool:
    return getattr(kind, "name", "") == "u8"


def _untyped(data: bytes) -> Shown:
    head = data[:_MAX_TEXT_BYTES]
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        text = head[: error.start].decode() if error.start > len(head) - 4 else ""
    if text and all(char.isprintable() or char in "\t\r\n" for char in text):
        return Shown(text=text)
    return Shown(text=head[:256].hex(" ", 4))
