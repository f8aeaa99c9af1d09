"""One bit of authentic evidence changed: it is to be refused, wherever the bit is.

Only evidence that is text has bits that change nothing: a hexadecimal digit's case, a space for a
tab. Then it has to prove exactly what it proved.
"""

from psa_attestation import AttestationError
from support.evidence_seeds import Seed
from tabasco.verify.base import EvidenceError, Proven


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def assert_refused(seed: Seed, bit: int, original: Proven) -> bool:
    """Whether the flip of this bit is refused; otherwise it has to be another spelling."""
    try:
        proven = seed.verify(flipped(seed.data, bit))
    except (EvidenceError, AttestationError):
        return True
    assert seed.text, f"{seed.name}: bit {bit} can be changed"
    assert proven == original, f"{seed.name}: bit {bit} changes what is proven"
    return False
