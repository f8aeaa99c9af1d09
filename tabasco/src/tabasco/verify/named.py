"""What a revocation can name: everything in evidence that somebody may come to believe no more.

Every verifier hands out the keys, certificates and ids that its evidence rests on as `Named`;
measurements are named by themselves (`Proven.revocable`). Which of them are revoked is asked in one
place, `tabasco.appraisal.revocation`.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from veracruz_utils.frozen import frozen

_REMEMBERED: Final = 128


class Subject(StrEnum):
    """What a revocation is about.

    A key is named by the SHA-256 of its DER SubjectPublicKeyInfo, a certificate by that of its DER.
    An instance is what enrolled or what a platform calls itself: an instance id of PSA or CCA, the
    chip id of SEV-SNP, the PPID of SGX and TDX, the UEID of an NVIDIA device.
    """

    MEASUREMENT = "measurement"
    KEY = "key"
    CERTIFICATE = "certificate"
    INSTANCE = "instance"


@frozen
class Named:
    """One value that a revocation can name, and what it is called in the evidence."""

    subject: Subject
    name: str
    value: bytes


def measurements_of(measurements: Iterable[tuple[str, bytes]]) -> Iterator[Named]:
    """Measurements by their names; what is all zeros was not measured, and names nothing."""
    return (Named(Subject.MEASUREMENT, name, value) for name, value in measurements if any(value))


def key(name: str, public_key: PublicKeyTypes) -> Named:
    """A public key."""
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Named(Subject.KEY, name, hashlib.sha256(encoded).digest())


def certificates(chain: Iterable[x509.Certificate]) -> Iterator[Named]:
    """Certificates, and the keys that they are about."""
    for certificate in chain:
        yield from _of_certificate(certificate)


@functools.lru_cache(maxsize=_REMEMBERED)  # authorities come again with all evidence of a vendor
def _of_certificate(certificate: x509.Certificate) -> tuple[Named, Named]:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    # By its digest: a name in a certificate can be anything, and long.
    name = f"certificate {digest.hex()[:12]}"
    return Named(Subject.CERTIFICATE, name, digest), key(f"key of {name}", certificate.public_key())
