"""Open files: an isolate has those that it was given, and no others."""

import os
from collections.abc import Collection
from typing import Final

_STANDARD: Final = {0, 1, 2}
# The kernel's bound on any process's descriptors (fs.nr_open), unless it was raised.
_MOST: Final = 2**20


def close_all_but(keep: Collection[int]) -> None:
    """Close everything but these and the standard three."""
    start = len(_STANDARD)
    for descriptor in sorted({*keep} - _STANDARD):
        if start < descriptor:  # Python takes an empty range from 0 for everything
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _MOST)


def give_up_standard_streams() -> None:
    """Make standard input and output /dev/null."""
    # Closed alone, they would be the numbers of the next files, and prints would go into them.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(null, standard)
    os.close(null)
