"""Public keys: P-256 ones read in one way, and how large an RSA one may be."""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from veracruz_utils.errors import VeracruzError

RSA_BITS: Final = range(2048, 8193)
"""Of an RSA key that is accepted: shorter ones are weak, longer ones cost more than they give."""


class KeyFormatError(VeracruzError):
    """What is not a P-256 public key; the message reads on from the name of the key."""


def p256_key(key: object) -> ec.EllipticCurvePublicKey:
    """`key`, as a certificate or a library gives it, if it is a public key on P-256.

    Raises:
        KeyFormatError: it is anything else.
    """
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise KeyFormatError("is not a P-256 key")
    return key


def p256_key_of_der(der: bytes) -> ec.EllipticCurvePublicKey:
    """The key that `der` is the SubjectPublicKeyInfo of.

    One key has one form (uncompressed point, named curve), so that comparing bytes is comparing
    keys: nobody passes for new with a key that is registered or revoked in another form.

    Raises:
        KeyFormatError: `der` is anything else.
    """
    try:
        key = p256_key(load_der_public_key(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("does not parse as a public key") from error
    if der_of(key) != der:
        raise KeyFormatError("is not in the usual form: uncompressed, named curve")
    return key


def p256_key_of_pem(pem: bytes) -> ec.EllipticCurvePublicKey:
    """The key in a PEM file.

    Raises:
        KeyFormatError: anything else is in it, a private key for instance.
    """
    if b"PRIVATE KEY" in pem:
        raise KeyFormatError("holds a private key: give the public key alone")
    try:
        return p256_key(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("is not a public key in PEM") from error


def der_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """`key` as DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
