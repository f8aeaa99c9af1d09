"""One bit of authentic evidence, or of what it is verified with, changed: it is to be refused.

Only text has bits that change nothing, such as a hexadecimal digit's case, and certificates may be
given that are not needed. Then it has to prove exactly what it proved.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

from psa_attestation.errors import AttestationError
from support.evidence_seeds import Seed
from tabasco.verify.errors import EvidenceError
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.proven import Proven


@dataclass(frozen=True)
class Target:
    """Bytes that a verification depends on, and that verification with others in their place."""

    name: str
    data: bytes
    verify: Callable[[bytes], Proven]
    strict: bool


def targets(seed: Seed) -> Iterator[Target]:
    """The evidence, and each part of what it is verified with."""
    yield Target(seed.name, seed.data, seed.verify, strict=not seed.text)
    collateral = seed.means.collateral
    for field in fields(Collateral) if collateral is not None else ():

        def with_part(data: bytes, name: str = field.name) -> Proven:
            return seed.verify(collateral=replace(collateral, **{name: data}))

        data = getattr(collateral, field.name)
        yield Target(f"{seed.name}: {field.name}", data, with_part, strict=True)
    for name in ("certificate", "authorities"):
        if (data := getattr(seed.means, name)) is not None:

            def with_means(data: bytes, name: str = name) -> Proven:
                return seed.verify(**{name: data})

            yield Target(f"{seed.name}: {name}", data, with_means, strict=False)


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def assert_refused(target: Target, bit: int, original: Proven) -> bool:
    """Whether the flip of this bit is refused; otherwise it has to change nothing."""
    try:
        proven = target.verify(flipped(target.data, bit))
    except (EvidenceError, AttestationError):
        return True
    assert not target.strict, f"{target.name}: bit {bit} can be changed"
    assert proven == original, f"{target.name}: bit {bit} changes what is proven"
    return False
