"""P-256 public keys as bytes and back, strictly."""

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from tabasco.errors import TabascoError
from veracruz_utils.public_keys import KeyFormatError, p256_key_of_der, p256_key_of_pem


def der_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pem_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as PEM, with a newline at its end."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def digest_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The SHA-256 of the key's DER SubjectPublicKeyInfo, 32 bytes."""
    return hashlib.sha256(der_of(key)).digest()


@lru_cache(maxsize=1024)
def from_der(data: bytes) -> ec.EllipticCurvePublicKey | None:
    """The P-256 key that `data` is, in its one encoding; None when it is anything else."""
    try:
        return p256_key_of_der(data)
    except KeyFormatError:
        return None


def from_pem(data: bytes, *, what: str) -> ec.EllipticCurvePublicKey:
    """The P-256 public key in a PEM file.

    Args:
        data: the file.
        what: how a message calls it.

    Raises:
        TabascoError: anything else is in the file, a private key for instance.
    """
    try:
        return p256_key_of_pem(data)
    except KeyFormatError as error:
        raise TabascoError(f"{what} {error}") from error
