"""How the keys that principals have sign: one algorithm for each kind of key.

Standard: RFC 9053 sections 2.1 (ECDSA) and 2.2 (EdDSA), RFC 8230 section 2 (RSASSA-PSS).
"""

from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from psa_attestation.cbor.values import WritingError
from psa_attestation.cose.algorithms import algorithm_of
from veracruz_utils.frozen import frozen

PrincipalKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

EDDSA: Final = -8
PS256: Final = -37
PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
_ED25519_BYTES: Final = 64


@frozen
class SignatureForm:
    """What a signature by a key looks like: its COSE `alg`, and how many bytes it has."""

    algorithm: int
    size: int


def principal_key(key: object) -> PrincipalKey:
    """`key`, if it is of a kind that signs consents.

    Raises:
        WritingError: it is not.
    """
    kinds = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
    if not isinstance(key, kinds):
        raise WritingError(f"consents are not signed with a {type(key).__name__}")
    return key


def form_of(key: PrincipalKey) -> SignatureForm:
    """The only form that signatures by `key` have.

    Raises:
        WritingError: it is on a curve that is not used here.
    """
    match key:
        case ec.EllipticCurvePublicKey():
            algorithm = algorithm_of(key)
            return SignatureForm(algorithm.identifiers[0], 2 * algorithm.coordinate_bytes)
        case ed25519.Ed25519PublicKey():
            return SignatureForm(EDDSA, _ED25519_BYTES)
        case rsa.RSAPublicKey():
            return SignatureForm(PS256, (key.key_size + 7) // 8)


def is_signature(key: PrincipalKey, signature: bytes, data: bytes) -> bool:
    """Whether `signature`, of the size of its form, is by `key` and over `data`."""
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                half = len(signature) // 2
                parts = (int.from_bytes(part) for part in (signature[:half], signature[half:]))
                hashed = ec.ECDSA(algorithm_of(key).hash_algorithm)
                key.verify(encode_dss_signature(*parts), data, hashed)
            case ed25519.Ed25519PublicKey():
                key.verify(signature, data)
            case rsa.RSAPublicKey():
                key.verify(signature, data, PSS, hashes.SHA256())
    except InvalidSignature:
        return False
    return True
