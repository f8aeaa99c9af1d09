"""OpenSSL's random numbers in a process that was forked.

OpenSSL knows a fork by the process id alone. Processes that are each the first of a pid namespace
have the same one, and would go on with one and the same sequence: with the same keys.
"""

import os
import warnings
from typing import Final

with warnings.catch_warnings():
    # Deprecated as a source of random numbers, which it is not for us.
    warnings.simplefilter("ignore", DeprecationWarning)
    from OpenSSL import rand

_SEED_BYTES: Final = 48
"""What a generator of OpenSSL (CTR_DRBG with AES-256, NIST SP 800-90A) is seeded with."""


def reseed() -> None:
    """Begin a sequence of this process's own; nobody with a copy of the old state can follow it."""
    rand.add(os.urandom(_SEED_BYTES), _SEED_BYTES)
