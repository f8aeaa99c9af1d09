"""Files of own data to the encoding that programs read, and back, in every form that we know."""

import io
import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import BinaryIO, Final, Literal, TypeAlias, get_args

from veracruz_utils.encoding import kinds, sql_tables
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.pinecone import decode_to_json, encode_from_json
from veracruz_utils.encoding.pinecone.decoder import decode_rows
from veracruz_utils.encoding.pinecone.json_text import finite
from veracruz_utils.encoding.rows.arrow import write_arrow
from veracruz_utils.encoding.rows.csv_rows import OnRows
from veracruz_utils.encoding.rows.csv_writing import write_csv
from veracruz_utils.encoding.rows.encoding import encode_rows
from veracruz_utils.encoding.rows.reading import PLAIN, Reading
from veracruz_utils.encoding.rows.table import Table

Form: TypeAlias = Literal["json", "csv", "jsonl", "parquet", "arrow"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)

MAX_WHOLE_BYTES: Final = 1024 * 1024 * 1024
"""The most of a file that is taken as a whole: JSON, and SQL tables."""

_SPREADSHEETS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MAGIC_BYTES: Final = 4
_SUFFIXES: Final[dict[str, Form]] = {
    ".json": "json", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip


def form_of(path: PurePath | str) -> Form | None:
    """What a file's name says that it is; None if it says nothing."""
    return _SUFFIXES.get(PurePath(path).suffix.lower())


def encode_file(
    kind: kinds.TypeKind,
    source: BinaryIO,
    out: BinaryIO,
    form: Form,
    *,
    reading: Reading = PLAIN,
    on_rows: OnRows = lambda _: None,
) -> None:
    """Encode a file.

    Args:
        kind: its type; all forms but JSON, and CSV for SQL tables, are of rows.
        source: the file.
        out: an empty file that can be read again; it is left where the encoding begins.
        form: what the file is.
        reading: how it is read.
        on_rows: is told now and then how many rows there are so far.

    Raises:
        EncodingError: the file does not fit the type; of rows it is a FaultyRowsError with all that
            is wrong in them, up to a limit.
    """
    if form in {"json", "csv", "jsonl"} and source.seekable():
        head = source.read(_MAGIC_BYTES)
        source.seek(-len(head), io.SEEK_CUR)
        refuse_spreadsheet(head)
    if form == "json":
        _write_whole(out, encode_from_json(kind, _whole(source)))
    elif form == "csv" and sql_tables.is_table(kind):
        _write_whole(out, sql_tables.encode_sql_table(_whole(source), reading))
    else:
        if form in {"parquet", "arrow"} and not source.seekable():
            source = io.BytesIO(_whole(source))  # its table of contents is at its end
        encode_rows(kind, source, out, form, reading=reading, on_rows=on_rows)


def refuse_spreadsheet(head: bytes) -> None:
    """Refuse what begins as the files of spreadsheet programs do, and as archives.

    Raises:
        TableError: it does.
    """
    if head.startswith(_SPREADSHEETS):
        raise TableError("it is a spreadsheet, or an archive: save it as CSV, and give that")


def _whole(source: BinaryIO) -> bytes:
    text = source.read(MAX_WHOLE_BYTES + 1)
    if len(text) > MAX_WHOLE_BYTES:
        raise TableError(f"it has more than {MAX_WHOLE_BYTES} bytes: split it, or use JSON Lines")
    return text


def _write_whole(out: BinaryIO, data: bytes) -> None:
    out.write(data)
    out.seek(0)


def decode_file(
    kind: kinds.TypeKind, data: bytes, out: BinaryIO, form: Form, *, reading: Reading = PLAIN
) -> None:
    """Write what is encoded to a file.

    Raises:
        EncodingError: the data are not of the type, or the form cannot hold it; what was written is
            to be thrown away.
    """
    if form == "json":
        out.write(f"{decode_to_json(kind, data)}\n".encode())
        return
    if form == "csv" and (sql_tables.is_table(kind) or sql_tables.is_result(kind)):
        out.write(sql_tables.sql_csv(kind, data).encode())
        return
    table = Table(kind)
    rows = decode_rows(table.kind, data)
    if form == "csv":
        write_csv(table, rows, out, reading)
    elif form == "jsonl":
        _write_json_lines(rows, out)
    else:
        write_arrow(table, rows, out, form)


def _write_json_lines(rows: Iterable[Value], out: BinaryIO) -> None:
    for row in rows:
        line = json.dumps(finite(row), ensure_ascii=False, allow_nan=False)
        out.write(f"{line}\n".encode())
