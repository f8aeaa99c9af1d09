"""Which types are tables, and how the columns of a file become the fields of their rows."""

from collections.abc import Sequence
from typing import Final

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import TableError

_MOST_CHARS: Final = 200


class Table:
    """A Vec or set of rows: structs, tuples, or single columns.

    Attributes:
        kind: its type.
        row: that of a row.
        names: what a struct's fields are called; empty for other rows.
        kinds: the types of the fields.
    """

    def __init__(self, kind: kinds.TypeKind) -> None:
        """Look at a type.

        Raises:
            TableError: it is no table.
        """
        if not isinstance(kind, kinds.Sequence):
            raise TableError(f"a table is a Vec or HashSet of rows, not {kind}")
        self.kind = kind
        self.row = kind.element
        self.names: Sequence[str] = ()
        self.kinds: Sequence[kinds.TypeKind] = (self.row,)
        if isinstance(self.row, kinds.Struct):
            self.names = [name for name, _ in self.row.fields]
            self.kinds = [field for _, field in self.row.fields]
        elif isinstance(self.row, kinds.Tuple):
            self.kinds = self.row.parts

    def places(self, header: Sequence[str] | None, chosen: Sequence[str] | None) -> Sequence[int]:
        """Where in a file the columns of the fields are, from 0.

        Args:
            header: the names of the file's columns, if it has them.
            chosen: those to take, in the order of the fields; None for all.

        Raises:
            TableError: the header is not of this type, or has not what was chosen.
        """
        if header is None:
            return range(len(self.kinds))
        if chosen is not None:
            self.require_as_many(chosen)
            return choose(header, chosen)
        if not self.names:
            return range(len(self.kinds))
        if sorted(header) != sorted(self.names):
            raise TableError(
                f"the header is {', '.join(header)[:_MOST_CHARS]!r}, expected the columns "
                f"{', '.join(self.names)!r}; --columns chooses some, or those with other names"
            )
        return [header.index(name) for name in self.names]

    def require_as_many(self, chosen: Sequence[str]) -> None:
        """Accept columns that were chosen, one for each field.

        Raises:
            TableError: there are more of them, or fewer.
        """
        if len(chosen) != len(self.kinds):
            raise TableError(
                f"{len(chosen)} columns are chosen, {self.row} has {len(self.kinds)}: choose one "
                "for each, in their order"
            )


def choose(header: Sequence[str], chosen: Sequence[str]) -> Sequence[int]:
    """Where in a header the chosen names are, from 0.

    Raises:
        TableError: one of them is not there, or twice.
    """
    for name in chosen:
        if (count := header.count(name)) != 1:
            raise TableError(
                f"column {name[:40]!r} is {'there twice' if count else 'missing'}; the header is "
                f"{', '.join(header)[:_MOST_CHARS]!r}"
            )
    return [header.index(name) for name in chosen]
