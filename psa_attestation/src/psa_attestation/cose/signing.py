"""COSE_Sign1, written (RFC 9052 section 4)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Encodable, Key, Tag, Value
from psa_attestation.cose.algorithms import algorithm_of

SIGN1_TAG: Final = 18
SIGN1_CONTEXT: Final = "Signature1"
ALG: Final = 1
X5CHAIN: Final = 33
_NO_HEADERS: Final[Mapping[int, Value]] = MappingProxyType({})


def sign1(
    payload: bytes,
    key: ec.EllipticCurvePrivateKey,
    *,
    protected: Mapping[int, Value] = _NO_HEADERS,
    unprotected: Mapping[int, Value] = _NO_HEADERS,
    external_aad: bytes = b"",
) -> bytes:
    """`payload` in a COSE_Sign1 with tag 18, signed with the algorithm of `key`'s curve.

    Args:
        payload: the content.
        key: on P-256, P-384 or P-521.
        protected: header parameters that are signed too, besides the algorithm.
        unprotected: header parameters that anybody may change on the way.
        external_aad: context that is signed but not carried.
    """
    header, signature = signature1(payload, key, protected=protected, external_aad=external_aad)
    return message1(header, dict(unprotected.items()), payload, signature)


def signature1(
    payload: bytes,
    key: ec.EllipticCurvePrivateKey,
    *,
    protected: Mapping[int, Value] = _NO_HEADERS,
    external_aad: bytes = b"",
) -> tuple[bytes, bytes]:
    """The protected header as it is signed, and the signature; see `sign1`."""
    algorithm = algorithm_of(key)
    header = encode({**protected, ALG: algorithm.identifiers[0]})
    return header, algorithm.sign(key, to_be_signed(SIGN1_CONTEXT, header, external_aad, payload))


def message1(
    protected: bytes, unprotected: dict[Key, Value], payload: bytes, signature: bytes
) -> bytes:
    """A COSE_Sign1 with tag 18 of these parts."""
    return encode(Tag(SIGN1_TAG, [protected, unprotected, payload, signature]))


def to_be_signed(context: str, protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """What the signature or MAC is over; `context` keeps the kinds of message apart.

    Standard: RFC 9052 sections 4.4 and 6.3. An empty protected header counts as no bytes.
    """
    elements: list[Encodable] = [context, protected, external_aad, payload]
    return encode(elements)
