"""Cells of CSV to bytes, a column of many rows at a time.

A column is first taken as a whole, by functions of the library that loop in C; they accept a part
of what `csv_codec` reads and encode it as `pinecone` does. Where they do not accept a column, its
cells are read one by one, and that finds what is wrong with which of them.
"""

import math
import re
import struct
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import reader_of
from veracruz_utils.encoding.errors import PineconeError, TableError
from veracruz_utils.encoding.pinecone.encoder import encode
from veracruz_utils.encoding.rows.faults import Faults, RowFault
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.wire import put_varint
from veracruz_utils.frozen import frozen

Whole: TypeAlias = Callable[[Sequence[str]], Sequence[bytes]]
"""All cells of a column to bytes; raises one of `_UNFIT` for what is to be read one by one."""

_UNFIT: Final = (ValueError, KeyError, OverflowError, TableError, struct.error)
_INTEGER: Final = r"[ \t]*[+-]?[0-9]{1,20}[ \t]*"
_FLOAT: Final = r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?[ \t]*"
_INTEGERS: Final = re.compile(rf"{_INTEGER}(?:\n{_INTEGER})*+", re.ASCII)
_FLOATS: Final = re.compile(rf"{_FLOAT}(?:\n{_FLOAT})*+", re.ASCII)
_BOOLS: Final = {"true": b"\1", "false": b"\0"}
_SHORT: Final = [bytes([size]) for size in range(128)]
_SURROGATES: Final = re.compile("[\udc80-\udcff]")


@frozen
class CellColumn:
    """A column of a file that becomes a part of each row.

    Attributes:
        index: where its cell is in a row, from 0.
        name: what the file calls it; empty if it does not.
        kind: its type.
        reading: how its cells are read.
        whole: what takes all cells at once.
    """

    index: int
    name: str
    kind: kinds.TypeKind
    reading: Reading
    whole: Whole

    def encode(self, cells: Sequence[str], lines: Sequence[int], faults: Faults) -> Sequence[bytes]:
        """The bytes of each cell; some bytes or other for one that is noted as a fault."""
        try:
            tidy = self.reading.tidy_of(self.kind)
            return self.whole(cells if tidy is None else [tidy(cell) for cell in cells])
        except _UNFIT:
            pass
        encoded: list[bytes] = []
        for cell, line in zip(cells, lines, strict=True):
            try:
                encoded.append(self._encoded(cell))
            except (TableError, PineconeError) as error:
                reason = error.reason if isinstance(error, PineconeError) else str(error)
                faults.add(RowFault(line, self._unread(cell) or reason, self.index + 1, self.name))
                encoded.append(b"")
        return encoded

    def _encoded(self, cell: str) -> bytes:
        tidy = self.reading.tidy_of(self.kind)
        return encode(self.kind, reader_of(self.kind)(tidy(cell) if tidy else cell))

    def _unread(self, cell: str) -> str | None:
        """What to say of a cell with a byte that is not of the file's encoding, if there is one."""
        found = _SURROGATES.search(cell)
        if found is None:
            return None
        byte = ord(found.group()) & 0xFF
        return (
            f"byte {byte:#x} is not {self.reading.encoding}: say the encoding, such as "
            "cp1252 or latin-1"
        )


def whole_of(kind: kinds.TypeKind) -> Whole:
    """What takes all cells of a column of this type.

    Raises:
        TableError: CSV has no cells for this type.
    """
    reader_of(kind)  # it says which types have no cells
    match kind:
        case kinds.Integer():
            return _integers(kind)
        case kinds.Float():
            return _floats(kind)
        case kinds.Bool():
            return lambda cells: [_BOOLS[cell] for cell in cells]
        case kinds.Char():
            return _chars
        case kinds.Option():
            return _options(whole_of(kind.content))
        case _:
            assert isinstance(kind, kinds.Text)  # what is left of those with a reader
            return _texts


def _integers(kind: kinds.Integer) -> Whole:
    pack = kind.layout.pack

    def encode_all(cells: Sequence[str]) -> list[bytes]:
        # `int` reads more than we do: digits of every script, and underscores.
        if not _INTEGERS.fullmatch("\n".join(cells)):
            raise ValueError(kind)
        return [pack(number) for number in map(int, cells)]

    return encode_all


def _floats(kind: kinds.Float) -> Whole:
    pack = kind.layout.pack

    def encode_all(cells: Sequence[str]) -> list[bytes]:
        if not _FLOATS.fullmatch("\n".join(cells)):
            raise ValueError(kind)
        numbers = list(map(float, cells))
        if not all(map(math.isfinite, numbers)):
            raise ValueError(kind)
        return [pack(number) for number in numbers]

    return encode_all


def _texts(cells: Sequence[str]) -> list[bytes]:
    encoded = [cell.encode() for cell in cells]
    if max(map(len, encoded)) < len(_SHORT):
        return [_SHORT[len(text)] + text for text in encoded]
    return [_count(len(text)) + text for text in encoded]


def _chars(cells: Sequence[str]) -> list[bytes]:
    if any(len(cell) != 1 for cell in cells):
        raise ValueError
    return [cell.encode("utf-32-le") for cell in cells]


def _options(content: Whole) -> Whole:
    def encode_all(cells: Sequence[str]) -> list[bytes]:
        there = [cell for cell in cells if cell]
        encoded = iter(content(there) if there else ())
        return [b"\1" + next(encoded) if cell else b"\0" for cell in cells]

    return encode_all


def _count(size: int) -> bytes:
    out = bytearray()
    put_varint(out, size)
    return bytes(out)
