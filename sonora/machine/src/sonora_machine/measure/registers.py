"""Registers that can only be extended, and what is extended into them."""

import hashlib
from collections.abc import Iterable
from typing import Final

from veracruz_utils.frozen import frozen

_SIZES: Final = {"sha256": 32, "sha384": 48}


@frozen
class Extending:
    """Something that is extended into a register: which one, what it is, its digest."""

    register: str
    what: str
    digest: bytes


def extended(value: bytes, digest: bytes, *, algorithm: str) -> bytes:
    """The value of a register after a digest was extended into it."""
    return hashlib.new(algorithm, value + digest).digest()


def replayed(extensions: Iterable[Extending], *, algorithm: str) -> dict[str, bytes]:
    """What registers that start at zeros hold in the end; those that something is extended into."""
    found: dict[str, bytes] = {}
    for each in extensions:
        value = found.get(each.register, bytes(_SIZES[algorithm]))
        found[each.register] = extended(value, each.digest, algorithm=algorithm)
    return found
