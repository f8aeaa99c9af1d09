"""How a file of own data is to be read: what its owner says of it, and no more."""

import codecs
import unicodedata
from collections.abc import Callable
from typing import Final

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import Dialect
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.frozen import frozen

_UTF_8: Final = "utf-8"
_BREAKS: Final = '\r\n"'


@frozen
class Reading:
    """How to read a file; the defaults are what most programs mean by CSV.

    Attributes:
        delimiter: the character between cells of CSV.
        decimal_comma: numbers have a comma where others have a point.
        encoding: of the text, as Python calls it; a mark in front of UTF-8 is no part of it.
        header: the first row of CSV names the columns.
        columns: the columns to take, by name and in the order of the type; None for all.
        nfc: text is brought into Unicode's form NFC, so that equal letters are equal bytes.
        trim: white space around a cell or a text is no part of it.
        table: the name of an SQL table.
        queries: those that may see it; None for all.
    """

    delimiter: str = ","
    decimal_comma: bool = False
    encoding: str = _UTF_8
    header: bool = False
    columns: tuple[str, ...] | None = None
    nfc: bool = False
    trim: bool = False
    table: str = ""
    queries: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            TableError: the delimiter is not one character, or there is no such encoding.
        """
        if len(self.delimiter) != 1 or self.delimiter in _BREAKS:
            raise TableError(f"a delimiter is one character, not {self.delimiter[:40]!r}")
        if self.decimal_comma and self.delimiter == ",":
            raise TableError(
                "numbers with a decimal comma and a comma between cells cannot be told apart: "
                "say the delimiter, such as ';'"
            )
        try:
            "".encode(self.encoding)
            b"".decode(self.encoding)
        except (LookupError, ValueError):
            raise TableError(
                f"{self.encoding[:40]!r} is no encoding of text; utf-8, utf-16, latin-1 and "
                "cp1252 are some"
            ) from None

    @property
    def dialect(self) -> Dialect:
        """The characters between and around cells."""
        return Dialect(self.delimiter)

    @property
    def has_header(self) -> bool:
        """Whether the first row of CSV is names: it is where columns are chosen by them."""
        return self.header or self.columns is not None

    @property
    def codec(self) -> str:
        """The codec to read with."""
        name = codecs.lookup(self.encoding).name
        return "utf-8-sig" if name == _UTF_8 else name

    def tidied(self, text: str) -> str:
        """A text as it is taken."""
        text = text.strip() if self.trim else text
        return unicodedata.normalize("NFC", text) if self.nfc else text

    def tidy_of(self, kind: kinds.TypeKind) -> Callable[[str], str] | None:
        """What is done to a cell of a column before it is read; None if nothing is."""
        content = kind.content if isinstance(kind, kinds.Option) else kind
        if isinstance(content, kinds.Float) and self.decimal_comma:
            return self._with_point
        return self.tidied if self.trim or self.nfc else None

    def _with_point(self, cell: str) -> str:
        cell = self.tidied(cell)
        if "." in cell:
            raise TableError(f"{cell[:40]!r} has a point, expected a number with a decimal comma")
        return cell.replace(",", ".")


PLAIN: Final = Reading()
"""A file as most programs write it."""
