"""The encoding of a Vec or set, row by row into a file that can be read again.

How many rows there are comes first in the encoding and is known last: room for it is left in front.
Of each row of a set a hash is kept, and where it is; where two are the same, the rows themselves
are compared.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import BinaryIO, Final

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.rows.faults import Faults, RowFault
from veracruz_utils.encoding.wire import put_varint

_ROOM: Final = 10
"""The most that a count takes."""

_AT_ONCE: Final = 2**19
"""Hashes that are compared at once."""


class RowSpool:
    """Rows on their way to being one value."""

    def __init__(self, kind: kinds.Sequence, file: BinaryIO) -> None:
        """Begin it.

        Args:
            kind: the type of the value.
            file: empty; it is written, and read again.
        """
        self._kind = kind
        self._file = file
        self._count = 0
        self._hashes = array("q")
        self._lines = array("Q")
        self._ends = array("Q", [_ROOM])
        file.write(bytes(_ROOM))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._count

    def add(self, rows: Sequence[bytes], lines: Sequence[int]) -> None:
        """Put encoded rows behind the others; `lines` is where they are in their own file."""
        self._file.write(b"".join(rows))
        self._count += len(rows)
        if self._kind.distinct:
            self._hashes.extend(map(hash, rows))
            self._lines.extend(lines)
            ends = accumulate(map(len, rows), initial=self._ends.pop())
            self._ends.extend(ends)

    def finish(self) -> None:
        """Put the count in front; the file is left where the encoding begins."""
        count = bytearray()
        put_varint(count, self._count)
        self._file.seek(_ROOM - len(count))
        self._file.write(count)
        self._file.seek(_ROOM - len(count))

    def find_repeats(self, faults: Faults) -> None:
        """Note each row of a set that is there before."""
        first: dict[bytes, int] = {}
        suspects = self._repeated_hashes()
        if not suspects:
            return
        for index, found in enumerate(self._hashes):
            if found not in suspects:
                continue
            line = self._lines[index]
            earlier = first.setdefault(self._row(index), line)
            if earlier != line:
                faults.add(RowFault(line, f"repeats line {earlier}, and {self._kind} is a set"))

    def _repeated_hashes(self) -> set[int]:
        repeated: set[int] = set()
        for some in self._portions():
            seen = set(some)
            if len(seen) < len(some):
                seen.clear()
                for each in some:
                    (repeated if each in seen else seen).add(each)
        return repeated

    def _portions(self) -> Iterator[Sequence[int]]:
        """All hashes in portions, equal ones in the same."""
        count = len(self._hashes) // _AT_ONCE + 1
        if count == 1:
            yield self._hashes
            return
        for portion in range(count):
            yield array("q", (each for each in self._hashes if each % count == portion))

    def _row(self, index: int) -> bytes:
        start, end = self._ends[index : index + 2]
        self._file.seek(start)
        return self._file.read(end - start)
