"""CSV to rows of cells and back, by a schema in TOML, for programs that take tables of any shape.

    columns = ["string", "discard", "u32"]
    has-headers = true

The encoding is `Vec<Vec<Vec<u8>>>`: rows of cells, a number as its bytes, little-endian, a text as
UTF-8. A discarded column is not in it. The program has to know the columns' types.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from sdk.errors import SchemaError
from veracruz_utils.encoding.csv_codec import (
    COMMAS,
    Column,
    Dialect,
    Row,
    read_rows,
    reader_of,
    write_rows,
    writer_of,
)
from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.pinecone import Value, decode, encode, parse_type
from veracruz_utils.frozen import frozen

DISCARD: Final = "discard"
STRING: Final = "string"
NUMBERS: Final = ("f64", "f32", "i64", "i32", "u64", "u32")
TYPES: Final = (DISCARD, STRING, *NUMBERS)

_CELLS: Final = parse_type("Vec<Vec<Vec<u8>>>")
_NUMBER: Final = {name: parse_type(name) for name in NUMBERS}
_CAPITALISED: Final = {name.capitalize(): name for name in TYPES if name != DISCARD}
_FLAGS: Final = ("has-headers", "trim-whitespace", "flexible", "skip-rows-on-decoding-error")
_BYTES: Final = {"delimiter": ord(COMMAS.delimiter), "quote": ord(COMMAS.quote)}
_MOST_COLUMNS: Final = 10_000


@frozen
class Schema:
    """What the columns of a CSV file are.

    Attributes:
        columns: the type of each, one of `TYPES`.
        dialect: the characters between and around cells.
        has_headers: the first row is names, and not data.
        trim_whitespace: space around a cell is not part of it.
        flexible: a row may be shorter, and is encoded so; or longer, and is cut.
        skip_faulty: a row that does not fit is left out, not an error.
    """

    columns: tuple[str, ...]
    dialect: Dialect = COMMAS
    has_headers: bool = False
    trim_whitespace: bool = False
    flexible: bool = False
    skip_faulty: bool = False

    @property
    def kept(self) -> tuple[str, ...]:
        """The types of the columns that are encoded."""
        return tuple(column for column in self.columns if column != DISCARD)


@frozen
class Encoded:
    """An encoded table; `skipped` says of every row that was left out why."""

    data: bytes
    skipped: tuple[str, ...]


def parse_schema(text: bytes) -> Schema:
    """The schema that a TOML file describes.

    Raises:
        SchemaError: it is not TOML, or not a schema.
    """
    try:
        said = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"the schema is not TOML: {error}") from None
    except RecursionError:
        raise SchemaError("the schema has too many arrays or tables inside one another") from None
    known = ("columns", *_BYTES, *_FLAGS)
    if unknown := sorted(said.keys() - known):
        raise SchemaError(
            f"unknown key {unknown[0][:40]!r} in the schema; the keys are {', '.join(known)}"
        )
    delimiter, quote = (_character(said, key) for key in _BYTES)
    if delimiter == quote:
        raise SchemaError(f"delimiter and quote are both {ord(quote)}")
    flags = (_flag(said, key) for key in _FLAGS)
    return Schema(_columns(said.get("columns")), Dialect(delimiter, quote), *flags)


def _columns(said: object) -> tuple[str, ...]:
    if not isinstance(said, list) or not 0 < len(said) <= _MOST_COLUMNS:
        raise SchemaError(f"columns must be an array of 1 to {_MOST_COLUMNS} types")
    columns: list[str] = []
    for number, column in enumerate(said, 1):
        name = _CAPITALISED.get(column, column) if isinstance(column, str) else None
        if name not in TYPES:
            raise SchemaError(
                f"column {number} is {str(column)[:40]!r}, not one of {', '.join(TYPES)}"
            )
        columns.append(name)
    if all(column == DISCARD for column in columns):
        raise SchemaError("every column is discarded")
    return tuple(columns)


def _character(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key, _BYTES[key])
    is_byte = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 128
    if not is_byte or chr(value) in "\r\n":
        raise SchemaError(f"{key} is {str(value)[:40]!r}, not the number of an ASCII character")
    return chr(value)


def _flag(said: Mapping[str, Any], key: str) -> bool:
    value = said.get(key, False)
    if not isinstance(value, bool):
        raise SchemaError(f"{key} is {str(value)[:40]!r}, neither true nor false")
    return value


def encode_csv(schema: Schema, text: bytes) -> Encoded:
    """The encoding of a CSV file in UTF-8. Empty lines are no rows.

    Raises:
        TableError: it is not CSV, or a row does not fit the schema and must not be skipped.
    """
    rows = read_rows(text, schema.dialect)
    names = next(rows, Row(0, [])).cells if schema.has_headers else []
    columns = list(_file_columns(schema, names))
    encoded: list[Value] = []
    skipped: list[str] = []
    for row in rows:
        try:
            encoded.append(_encoded_row(schema, columns, row))
        except TableError as error:
            if not schema.skip_faulty:
                raise
            skipped.append(str(error))
    return Encoded(encode(_CELLS, encoded), tuple(skipped))


def _file_columns(schema: Schema, names: Sequence[str]) -> Iterator[Column[bytes]]:
    """The columns of a file that are encoded."""
    for index, (kind, name) in enumerate(zip_longest(schema.columns, names)):
        if kind not in {DISCARD, None}:
            yield Column(index, name or "", _cell_encoder(kind, trim=schema.trim_whitespace))


def _cell_encoder(column: str, *, trim: bool) -> Callable[[str], bytes]:
    kind = _NUMBER.get(column)  # none for text
    read = None if kind is None else reader_of(kind)

    def encode_cell(cell: str) -> bytes:
        content = cell.strip() if trim else cell
        return content.encode() if kind is None or read is None else encode(kind, read(content))

    return encode_cell


def _encoded_row(schema: Schema, columns: Sequence[Column[bytes]], row: Row) -> list[Value]:
    found, expected = len(row.cells), len(schema.columns)
    if found != expected and not schema.flexible:
        raise TableError(f"line {row.line}: {found} columns, the schema has {expected}")
    return [list(cell) for cell in row.read(each for each in columns if each.index < found)]


def decode_csv(schema: Schema, data: bytes) -> str:
    """The CSV file of an encoded table: the columns that were kept, without names.

    Raises:
        TableError: a row does not fit the schema.
        PineconeError: the data are not rows of cells.
    """
    rows = decode(_CELLS, data)
    assert isinstance(rows, list)  # what a Vec decodes to
    decoded = (_decoded_row(schema, number, row) for number, row in enumerate(rows, 1))
    return write_rows(decoded, schema.dialect)


def _decoded_row(schema: Schema, number: int, row: Value) -> list[str]:
    assert isinstance(row, list)
    kept = schema.kept
    if len(row) > len(kept) or (len(row) < len(kept) and not schema.flexible):
        raise TableError(f"row {number}: {len(row)} cells, the schema keeps {len(kept)}")
    cells: list[str] = []
    for at, (column, cell) in enumerate(zip(kept, row, strict=False), 1):
        assert isinstance(cell, list)
        try:
            cells.append(
                _decoded_cell(column, bytes(byte for byte in cell if isinstance(byte, int)))
            )
        except (PineconeError, UnicodeDecodeError) as error:
            raise TableError(f"row {number}, cell {at}: not a {column}: {error}") from None
    return cells


def _decoded_cell(column: str, content: bytes) -> str:
    if column == STRING:
        return content.decode()
    kind = _NUMBER[column]
    return writer_of(kind)(decode(kind, content))
