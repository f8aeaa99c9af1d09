"""The tables of the example program `sql-query`, and its results, from CSV and to it.

A table keeps the text of its CSV, where quotes mean something: `"1"` is text and `1` a number, and
`""` is an empty text where nothing is NULL. So cells are taken here with their quotes.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.grammar import parse_type
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.pinecone.decoder import decode
from veracruz_utils.encoding.pinecone.encoder import encode
from veracruz_utils.encoding.rows.faults import Faults, RowFault, TooManyFaultsError
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.table import choose

_CELL: Final = "enum {Null, Integer(i64), Real(f64), Text(String)}"
ROWS: Final = f"{{columns: Vec<String>, rows: Vec<Vec<{_CELL}>>}}"
"""The type of a result."""

TABLE: Final = (
    f"{{name: String, queries: Option<Vec<String>>, content: enum {{Csv(String), Rows({ROWS})}}}}"
)
"""The type of a table."""

_COMMA_NUMBER: Final = re.compile(r"([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)", re.ASCII)
_PLAIN_TEXT: Final = re.compile(r"[^\s0-9+.\-,\"](?:[^\r\n,\"]*[^\s,\"])?")

_Row: TypeAlias = tuple[int, list[str]]


def is_table(kind: kinds.TypeKind) -> bool:
    """Whether this is the type of an SQL table."""
    return kind == parse_type(TABLE)


def is_result(kind: kinds.TypeKind) -> bool:
    """Whether this is the type of a result of SQL."""
    return kind == parse_type(ROWS)


def encode_sql_table(text: bytes, reading: Reading) -> bytes:
    """The encoded table of a CSV file, the first row of which names the columns.

    Raises:
        TableError: the table has no name, or the file is not of the encoding.
        FaultyRowsError: rows are not CSV, or have not as many cells as the first.
    """
    if not reading.table:
        raise TableError("an SQL table needs a name: say it by --table")
    try:
        characters = text.decode(reading.codec)
    except UnicodeDecodeError as error:
        raise TableError(
            f"byte {error.start} is not {reading.encoding}: say the encoding, such as cp1252"
        ) from None
    faults = Faults()
    out = bytearray()  # of text, Python's buffers take four bytes for each character
    try:
        for row in _fitting(_rows(characters, reading.delimiter, faults), reading, faults):
            out += (",".join(row) + "\n").encode()
    except TooManyFaultsError:
        faults.report(whole=False)
    faults.report(whole=True)
    del characters
    content = out.decode()
    del out
    queries = None if reading.queries is None else list(reading.queries)
    table = {"name": reading.table, "queries": queries, "content": {"Csv": content}}
    return encode(parse_type(TABLE), table)


def _rows(text: str, delimiter: str, faults: Faults) -> Iterator[_Row]:
    """The rows that are not empty, with the line each ends on; their cells with their quotes."""
    apart = re.escape(delimiter)
    pattern = re.compile(rf'("(?:[^"]|"")*+"|[^"\r\n{apart}]*+)({apart}|\r?\n|\Z)')
    at, line = 0, 1
    row: list[str] = []
    while at < len(text) or row:
        found = pattern.match(text, at)
        if found is None:
            faults.add(RowFault(line, "it is not CSV: a quote is not closed, or within a cell"))
            return
        cell, end = found.groups()
        row.append(cell)
        line += cell.count("\n")
        if end != delimiter:
            if row != [""]:
                yield line, row
            line, row = line + 1, []
        at = found.end()


def _fitting(rows: Iterator[_Row], reading: Reading, faults: Faults) -> Iterator[Sequence[str]]:
    header = next(rows, (1, []))[1]
    if not header:
        raise TableError("the CSV is empty: its first row names the columns")
    names = [reading.tidied(_unquoted(name)) for name in header]
    places = range(len(names)) if reading.columns is None else choose(names, reading.columns)
    yield [_tidied(header[place], reading) for place in places]
    for line, cells in rows:
        if len(cells) != len(header):
            faults.add(RowFault(line, f"{len(cells)} columns, the header has {len(header)}"))
        elif not faults:
            yield [_tidied(cells[place], reading) for place in places]


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _tidied(cell: str, reading: Reading) -> str:
    """A cell with its quotes, as a table keeps it."""
    if cell.startswith('"'):
        return _quoted(reading.tidied(_unquoted(cell)))
    cell = reading.tidied(cell)
    if reading.decimal_comma:
        cell = _COMMA_NUMBER.sub(r"\1.\2", cell) if _COMMA_NUMBER.fullmatch(cell) else cell
    return _quoted(cell) if "," in cell else cell


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def sql_csv(kind: kinds.TypeKind, data: bytes) -> str:
    """The CSV of an encoded table or result; text that would read as anything else has quotes.

    Raises:
        PineconeError: the data do not decode.
    """
    value = cast("dict[str, Value]", decode(kind, data))
    if is_table(kind):
        content = cast("dict[str, Value]", value["content"])
        if "Csv" in content:
            return str(content["Csv"])
        value = cast("dict[str, Value]", content["Rows"])
    rows = cast("list[list[Value]]", value["rows"])
    names = [_text(str(name)) for name in cast("list[Value]", value["columns"])]
    return "".join(",".join(row) + "\n" for row in [names, *(map(_cell, row) for row in rows)])


def _cell(cell: Value) -> str:
    if not isinstance(cell, dict):
        return ""  # NULL
    ((variant, value),) = cell.items()
    return _text(str(value)) if variant == "Text" else str(value)


def _text(text: str) -> str:
    return text if _PLAIN_TEXT.fullmatch(text) else _quoted(text)
