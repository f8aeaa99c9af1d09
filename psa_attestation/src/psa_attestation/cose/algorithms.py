"""Which signature algorithms there are, and the key that decides which one is used.

A message never chooses its algorithm: the key does, and the message's `alg` has only to say the
same (RFC 9053, RFC 9864 for the fully specified identifiers).
"""

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from psa_attestation.cbor.values import WritingError
from veracruz_utils.frozen import frozen


@frozen
class SignatureAlgorithm:
    """ECDSA on one curve with one hash.

    Attributes:
        name: as COSE calls it.
        identifiers: the COSE identifiers that mean it; the first is the one we write.
        curve: the curve's name in `cryptography`.
        coordinate_bytes: the length of r and of s; a signature is twice as long.
    """

    name: str
    identifiers: tuple[int, int]
    curve: str
    hash_algorithm: hashes.HashAlgorithm
    coordinate_bytes: int

    def sign(self, key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        """The signature over `data`: r, then s, each of fixed length, big-endian."""
        # The library writes DER, COSE wants two numbers of fixed length (RFC 9053 section 2.1).
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(self.hash_algorithm)))
        size = self.coordinate_bytes
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


# -9, -51 and -52 are ESP256, ESP384 and ESP512 of RFC 9864.
SIGNATURE_ALGORITHMS: Final = (
    SignatureAlgorithm("ES256", (-7, -9), "secp256r1", hashes.SHA256(), 32),
    SignatureAlgorithm("ES384", (-35, -51), "secp384r1", hashes.SHA384(), 48),
    SignatureAlgorithm("ES512", (-36, -52), "secp521r1", hashes.SHA512(), 66),
)
_BY_CURVE: Final = {algorithm.curve: algorithm for algorithm in SIGNATURE_ALGORITHMS}


def algorithm_of(
    key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey,
) -> SignatureAlgorithm:
    """The only algorithm `key` is used with.

    Raises:
        WritingError: the key's curve is not P-256, P-384 or P-521.
    """
    try:
        return _BY_CURVE[key.curve.name]
    except KeyError:
        raise WritingError(
            f"a key on {key.curve.name} is not used here, only P-256, P-384 and P-521 are"
        ) from None
