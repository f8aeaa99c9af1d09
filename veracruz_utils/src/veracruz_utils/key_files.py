"""Public keys in files: PEM, and how a key is named."""

import hashlib
from collections.abc import Collection

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from veracruz_utils.public_keys import P256, KeyFormatError, der_of, ec_key


def p256_key_of_pem(pem: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key in a PEM file; see `ec_key_of_pem`."""
    return ec_key_of_pem(pem, P256)


def ec_key_of_pem(pem: bytes, curves: Collection[str]) -> ec.EllipticCurvePublicKey:
    """The key on one of `curves` in a PEM file.

    Raises:
        KeyFormatError: anything else is in it, a private key for instance.
    """
    # Told apart from other mistakes: this one has put a secret where public keys are kept.
    if b"PRIVATE KEY" in pem:
        raise KeyFormatError("holds a private key: give the public key alone")
    try:
        return ec_key(load_pem_public_key(pem), curves)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("is not a public key in PEM") from error


def pem_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """`key` as PEM, with a newline at its end."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def digest_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The SHA-256 of the key's DER SubjectPublicKeyInfo: how a key is named."""
    return hashlib.sha256(der_of(key)).digest()
