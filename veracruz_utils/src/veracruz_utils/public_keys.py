"""Public keys: elliptic-curve ones read in one way, and how large an RSA one may be.

`key_files` has what deals with PEM, which no isolate does.
"""

import functools
from collections.abc import Collection
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from veracruz_utils.errors import VeracruzError

RSA_BITS: Final = range(2048, 8193)
"""Of an RSA key that is accepted: shorter ones are weak, longer ones cost more than they give."""

P256: Final = frozenset({"secp256r1"})
P384: Final = frozenset({"secp384r1"})
NIST_CURVES: Final = P256 | P384 | {"secp521r1"}
_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class KeyFormatError(VeracruzError):
    """What is no public key that is accepted; the message reads on from the name of the key."""


def p256_key(key: object) -> ec.EllipticCurvePublicKey:
    """`key`, as a certificate or a library gives it, if it is a public key on P-256.

    Raises:
        KeyFormatError: it is anything else.
    """
    return ec_key(key, P256)


@functools.lru_cache(maxsize=1024)  # the same few keys come again and again
def p256_key_of_der(der: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key that `der` is the SubjectPublicKeyInfo of; see `ec_key_of_der`."""
    return ec_key_of_der(der, P256)


def ec_key(key: object, curves: Collection[str]) -> ec.EllipticCurvePublicKey:
    """`key`, as a certificate or a library gives it, if it is a public key on one of `curves`.

    Raises:
        KeyFormatError: it is anything else.
    """
    if not (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in curves):
        *names, last = sorted(_NAMES[each] for each in curves)
        raise KeyFormatError(f"is not a {', '.join(names)}{' or ' if names else ''}{last} key")
    return key


def ec_key_of_der(der: bytes, curves: Collection[str]) -> ec.EllipticCurvePublicKey:
    """The key on one of `curves` that `der` is the SubjectPublicKeyInfo of.

    One key has one form (uncompressed point, named curve), so that comparing bytes is comparing
    keys: nobody passes for new with a key that is registered or revoked in another form.

    Raises:
        KeyFormatError: `der` is anything else.
    """
    try:
        key = ec_key(load_der_public_key(der), curves)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("does not parse as a public key") from error
    if der_of(key) != der:
        raise KeyFormatError("is not in the usual form: uncompressed, named curve")
    return key


def der_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """`key` as DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
