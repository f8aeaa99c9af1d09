"""The inputs that `main` is given."""

from collections.abc import Sequence

import libveracruz


class Inputs(Sequence):
    """Inputs as bytes, in the order of the policy; each is read when it is first asked for."""

    def __init__(self, indexes=None, read=None):
        self._indexes = range(libveracruz.input_count()) if indexes is None else indexes
        self._read = {} if read is None else read

    def __len__(self):
        return len(self._indexes)

    def __getitem__(self, place):
        found = self._indexes[place]  # as of a list: from the end, out of range, a slice
        if isinstance(found, range):
            return Inputs(found, self._read)
        if found not in self._read:
            self._read[found] = libveracruz.read_input(found)
        return self._read[found]

    def __eq__(self, other):
        return list(self) == list(other) if isinstance(other, (list, Inputs)) else NotImplemented

    def __add__(self, other):
        return list(self) + list(other)

    def __radd__(self, other):
        return list(other) + list(self)

    def __repr__(self):
        return repr(list(self))

    __hash__ = None
