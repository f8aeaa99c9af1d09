"""Evidence, certificates and collateral changed at random, in one place or a few."""

from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random

from support.evidence_seeds import Seed
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.means import Means

# What a byte often is: ends of ranges, starts of CBOR items and DER values, signs of JSON and PEM.
_TELLING = bytes.fromhex("000102 7f8081828384 9fa0a1bf d2d8f6f7fbff 30222c2d5b7b")
_MEANS = ("certificate", "authorities", "crl", "nonce", "event_log")


def changed_bytes(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` with one to four changes."""
    found = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(found) + 1)
        end = min(len(found), at + random.choice((1, 1, 2, 4, 8, 48, 512)))
        match random.randrange(7):
            case 0 if at < len(found):
                found[at] ^= 1 << random.randrange(8)
            case 1 if at < len(found):
                found[at] = random.choice(_TELLING)
            case 2:
                del found[at:end]
            case 3:
                found[at:at] = found[at:end] * random.choice((1, 2, 64))
            case 4:
                found[at:at] = random.randbytes(end - at)
            case 5:
                other = random.choice(others)
                start = random.randrange(len(other) + 1)
                found[at:end] = other[start : start + end - at]
            case _ if random.random() < 0.2:
                del found[at:]
    return bytes(found)


def changed_means(random: Random, means: Means, others: Sequence[bytes]) -> Means | None:
    """`means` with one of its parts changed, if there is one to change."""
    if means.collateral is not None:
        name = random.choice([field.name for field in fields(Collateral)])
        part = changed_bytes(random, getattr(means.collateral, name), others)
        return replace(means, collateral=replace(means.collateral, **{name: part}))
    given = [name for name in _MEANS if getattr(means, name)]
    if not given:
        return None
    name = random.choice(given)
    return replace(means, **{name: changed_bytes(random, getattr(means, name), others)})


def changed(random: Random, seed: Seed, others: Sequence[bytes]) -> Seed:
    """`seed` with other evidence, or sometimes with other means."""
    means = changed_means(random, seed.means, others) if random.random() < 0.25 else None
    if means is not None:
        return replace(seed, means=means)
    return replace(seed, data=changed_bytes(random, seed.data, others))
