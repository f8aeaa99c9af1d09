"""CSV in memory to an encoded table and back, for types that are a Vec or set of rows.

A row is a struct or a tuple whose columns are numbers, bools, chars or text, or such a column by
itself. An `Option` column is an empty cell for None. `files` does the same with files.
"""

import io

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.pinecone.decoder import decode_rows
from veracruz_utils.encoding.rows.csv_writing import write_csv
from veracruz_utils.encoding.rows.encoding import encode_rows
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.table import Table


def encode_table(
    kind: kinds.TypeKind, text: bytes, *, header: bool = False, reading: Reading | None = None
) -> bytes:
    """The encoding of a CSV file.

    Args:
        kind: a Vec or HashSet of rows.
        text: of the file.
        header: whether the first row names the columns; a struct's columns may then be in any
            order, a tuple's names are ignored.
        reading: how it is read, in place of `header` and defaults.

    Raises:
        TableError: the text is not CSV or does not fit the type.
    """
    out = io.BytesIO()
    reading = reading or Reading(header=header)
    encode_rows(kind, io.BytesIO(text), out, "csv", reading=reading, on_rows=lambda _: None)
    return out.read()


def decode_table(kind: kinds.TypeKind, data: bytes, *, header: bool) -> str:
    """The CSV file of an encoded table; `header` writes the names of a struct's fields first.

    Raises:
        TableError: the type is not a table, has no names, or a value has no distinct cell.
        PineconeError: the data do not decode.
    """
    table = Table(kind)
    out = io.BytesIO()
    write_csv(table, decode_rows(table.kind, data), out, Reading(header=header))
    return out.getvalue().decode()
