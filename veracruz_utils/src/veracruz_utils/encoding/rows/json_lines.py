"""JSON Lines: a row of a table on each line, as JSON has it."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.rows.faults import Faults, RowFault
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.table import Table
from veracruz_utils.encoding.rows.value_rows import ValueRow, chosen_of
from veracruz_utils.strict_json import JsonError, read_json

_MOST_LINE_BYTES: Final = 16 * 1024 * 1024
_MAX_DEPTH: Final = 200
_MOST_SIMPLE_BYTES: Final = 64 * 1024
_INTRICATE: Final = re.compile(rb"\[|\\|[0-9]{17}|[0-9][eE]")


def json_rows(
    table: Table, source: BinaryIO, reading: Reading, faults: Faults
) -> Iterator[ValueRow]:
    """The rows of a file of JSON Lines in UTF-8. Empty lines are no rows.

    Raises:
        TooManyFaultsError: there are more faults than a report has room for.
    """
    take = chosen_of(table, reading)
    for number, line in enumerate(iter(lambda: source.readline(_MOST_LINE_BYTES + 1), b""), 1):
        text = line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").strip()
        if not text:
            continue
        try:
            yield number, take(value_of_line(text))
        except JsonError as error:
            cause = error.__cause__
            column = cause.colno if isinstance(cause, json.JSONDecodeError) else None
            faults.add(RowFault(number, f"the text {error}", column))
            if len(line) > _MOST_LINE_BYTES:  # the rest of it is no line
                return
        except TableError as error:
            faults.add(RowFault(number, str(error)))


def value_of_line(text: bytes) -> object:
    """The value of a line, as `read_json` reads it.

    Most lines are objects without others in them and with as many colons as names: then no name is
    there twice, and the fast reader will do. Whatever else there is, the strict one judges.

    Raises:
        JsonError: it is not JSON.
    """
    if len(text) <= _MOST_SIMPLE_BYTES and not _INTRICATE.search(text):
        try:
            value: object = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            value = None
        if type(value) is dict and len(value) == text.count(b":"):
            return value
    return read_json(text, max_bytes=_MOST_LINE_BYTES, max_depth=_MAX_DEPTH)
