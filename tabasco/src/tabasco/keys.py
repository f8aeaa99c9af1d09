"""P-256 public keys as bytes and back, strictly."""

import hashlib
from functools import lru_cache
from typing import TypeGuard

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from tabasco.errors import TabascoError


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
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not _is_p256(key) or der_of(key) != data:
        return None
    return key


def from_pem(data: bytes, *, what: str) -> ec.EllipticCurvePublicKey:
    """The P-256 public key in a PEM file.

    Args:
        data: the file.
        what: how a message calls it.

    Raises:
        TabascoError: anything else is in the file, a private key for instance.
    """
    if b"PRIVATE KEY" in data:
        raise TabascoError(f"{what} holds a private key: give the public key alone")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TabascoError(f"{what} is not a public key in PEM") from error
    if not _is_p256(key):
        raise TabascoError(f"{what} is not a P-256 key")
    return key


def _is_p256(key: PublicKeyTypes) -> TypeGuard[ec.EllipticCurvePublicKey]:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
