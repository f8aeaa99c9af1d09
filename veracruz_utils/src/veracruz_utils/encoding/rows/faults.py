"""What is wrong in a file of rows: collected, so that one report names all of it."""

from collections.abc import Sequence
from typing import Final

from veracruz_utils.encoding.errors import TableError
from veracruz_utils.frozen import frozen

MOST_FAULTS: Final = 100
"""A report has no more than these; the rest of the file is not read."""

_MOST_NAME_CHARS: Final = 40


@frozen
class RowFault:
    """One thing that is wrong.

    Attributes:
        line: of the file, from 1; or its row, if it has no lines.
        reason: what was found and what was expected.
        column: of the file, from 1; None for a whole row.
        name: the column's name, or where in the row's value; empty if there is none.
    """

    line: int
    reason: str
    column: int | None = None
    name: str = ""

    def __str__(self) -> str:
        column = "" if self.column is None else f", column {self.column}"
        return f"line {self.line}{column}{self._named}: {self.reason}"

    def in_file(self, file: str) -> str:
        """The same as compilers tell it: `people.csv:2:3 (age): ...`."""
        column = "" if self.column is None else f":{self.column}"
        return f"{file}:{self.line}{column}{self._named}: {self.reason}"

    @property
    def _named(self) -> str:
        return f" ({self.name[:_MOST_NAME_CHARS]})" if self.name else ""


class FaultyRowsError(TableError):
    """A file has rows that do not fit; `faults` are all that were found, in its order."""

    def __init__(self, faults: Sequence[RowFault], *, whole: bool = True) -> None:
        super().__init__("rows do not fit")
        self.faults = tuple(faults)
        self._whole = whole

    def __str__(self) -> str:
        return self._listed([str(each) for each in self.faults])

    def in_file(self, file: str) -> str:
        """The report about a file: a line for each fault, with file, line and column."""
        return self._listed([each.in_file(file) for each in self.faults])

    def _listed(self, told: list[str]) -> str:
        if len(told) == 1:
            return told[0]
        rest = "" if self._whole else "; what follows was not read"
        return "\n  ".join([f"{len(told)} errors{rest}:", *told])


class TooManyFaultsError(Exception):
    """Reading ends: a report has no room for more."""


class Faults:
    """The faults of one file, while it is read."""

    def __init__(self) -> None:
        self._found: list[RowFault] = []

    def __len__(self) -> int:
        return len(self._found)

    def lines(self, *, since: int) -> set[int]:
        """The lines of all but so many of the first."""
        return {each.line for each in self._found[since:]}

    def add(self, fault: RowFault) -> None:
        """Note one more.

        Raises:
            TooManyFaultsError: it was the last that a report has room for.
        """
        self._found.append(fault)
        if len(self._found) == MOST_FAULTS:
            raise TooManyFaultsError

    def report(self, *, whole: bool) -> None:
        """Refuse the file, if there are any.

        Raises:
            FaultyRowsError: there are.
        """
        if self._found:
            # Columns are read one after another: a person goes through a file line by line.
            raise FaultyRowsError(
                sorted(self._found, key=lambda each: (each.line, each.column or 0)), whole=whole
            )
