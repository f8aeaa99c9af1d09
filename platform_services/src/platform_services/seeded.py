"""Random numbers that can be had again by whoever knows their seed."""

import hashlib
from typing import Final

from platform_services.errors import PlatformError

SEED_BYTES: Final = 32
BLOCK_BYTES: Final = 4096
_LABEL: Final = b"veracruz-seeded-random-v1"


class SeededRandomSource:
    """The stream of bytes that a seed stands for, from its beginning.

    It is a row of blocks of 4096 bytes. Block i, from 0, is what SHAKE256 gives for
    `veracruz-seeded-random-v1`, the seed, and i in 8 bytes, big-endian. How many bytes are taken at
    a time makes no difference.

    Args:
        seed: 32 bytes. Who knows it knows every byte: it is drawn where nobody can choose it.

    Raises:
        PlatformError: it has another length.
    """

    __slots__ = ("_block", "_left", "_seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise PlatformError(f"a seed has {SEED_BYTES} bytes, this one {len(seed)}")
        self._seed = seed
        self._block = 0
        self._left = b""

    def fill(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            PlatformError: `size` is negative.
        """
        if size < 0:
            raise PlatformError(f"cannot draw {size} random bytes: the size is negative")
        pieces, found = [self._left], len(self._left)
        while found < size:
            pieces.append(self._next_block())
            found += BLOCK_BYTES
        whole = b"".join(pieces)
        self._left = whole[size:]
        return whole[:size]

    def _next_block(self) -> bytes:
        number, self._block = self._block, self._block + 1
        return hashlib.shake_256(_LABEL + self._seed + number.to_bytes(8)).digest(BLOCK_BYTES)
