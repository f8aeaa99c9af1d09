"""Leaves little behind of what was done while the core was built.

What is in memory then is part of the core, freed or not. So what is free in large pieces is filled
with zeros, of which nothing is stored.
"""

import gc

_PIECES = ((1 << 20, 2), (1 << 18, 4), (1 << 16, 32), (1 << 14, 64), (1 << 12, 256), (1 << 10, 512))


def sweep():
    """Fill what is free."""
    gc.collect()
    held = [bytearray(size) for size, count in _PIECES for _ in range(count)]
    held.clear()
    gc.collect()
