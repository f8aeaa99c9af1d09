"""Which signature and MAC algorithms there are, and the key that decides which one is used.

A message never chooses its algorithm: the verifier's key does, and the message's `alg` has only to
say the same (RFC 9053, RFC 9864 for the fully specified identifiers).
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from psa_attestation.errors import AttestationError, Code, Stage
from veracruz_utils.secret import Secret


@dataclass(frozen=True, slots=True)
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
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(self.hash_algorithm)))
        size = self.coordinate_bytes
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def verify(self, key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
        """Nothing, if `signature` is `key`'s over `data`; a high s counts (RFC 9053 allows it).

        Raises:
            AttestationError: `signature-encoding` for a wrong length, `signature` otherwise.
        """
        size = self.coordinate_bytes
        if len(signature) != 2 * size:
            raise AttestationError(
                Code.SIGNATURE_ENCODING,
                Stage.SIGNATURE,
                f"an {self.name} signature has {2 * size} bytes, this one {len(signature)}",
            )
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(self.hash_algorithm))
        except InvalidSignature as error:
            raise _not_valid() from error


class MacAlgorithm(Enum):
    """HMAC with one hash; the value is the COSE identifier."""

    HMAC_256 = 5
    HMAC_384 = 6
    HMAC_512 = 7

    @property
    def hash_name(self) -> str:
        """The hash's name in `hashlib`."""
        return {5: "sha256", 6: "sha384", 7: "sha512"}[self.value]

    @property
    def tag_bytes(self) -> int:
        """The length of a MAC tag; the key is at least as long."""
        return hashlib.new(self.hash_name).digest_size


@dataclass(frozen=True, slots=True)
class MacKey:
    """A symmetric key registered for one algorithm."""

    secret: Secret
    algorithm: MacAlgorithm = MacAlgorithm.HMAC_256

    def __post_init__(self) -> None:
        if len(self.secret) < self.algorithm.tag_bytes:
            raise AttestationError(
                Code.KEY_UNSUPPORTED,
                Stage.KEY,
                f"{self.algorithm.name} needs a key of {self.algorithm.tag_bytes} bytes or more,"
                f" this one has {len(self.secret)}",
            )

    def mac(self, data: bytes) -> bytes:
        """The tag over `data`."""
        return hmac.digest(self.secret.reveal(), data, self.algorithm.hash_name)

    def verify(self, tag: bytes, data: bytes) -> None:
        """Nothing, if `tag` is this key's over `data`.

        Raises:
            AttestationError: `signature-encoding` for a wrong length, `signature` otherwise.
        """
        if len(tag) != self.algorithm.tag_bytes:
            raise AttestationError(
                Code.SIGNATURE_ENCODING,
                Stage.SIGNATURE,
                f"a tag has {self.algorithm.tag_bytes} bytes, this one {len(tag)}",
            )
        if not hmac.compare_digest(tag, self.mac(data)):
            raise _not_valid()


VerificationKey: TypeAlias = ec.EllipticCurvePublicKey | MacKey

SIGNATURE_ALGORITHMS: Final = (
    SignatureAlgorithm("ES256", (-7, -9), "secp256r1", hashes.SHA256(), 32),
    SignatureAlgorithm("ES384", (-35, -51), "secp384r1", hashes.SHA384(), 48),
    SignatureAlgorithm("ES512", (-36, -52), "secp521r1", hashes.SHA512(), 66),
)
_BY_CURVE: Final = {algorithm.curve: algorithm for algorithm in SIGNATURE_ALGORITHMS}
SIGNATURE_IDENTIFIERS: Final = frozenset(
    identifier for algorithm in SIGNATURE_ALGORITHMS for identifier in algorithm.identifiers
)
MAC_IDENTIFIERS: Final = frozenset(algorithm.value for algorithm in MacAlgorithm)


def algorithm_of(
    key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey,
) -> SignatureAlgorithm:
    """The only algorithm `key` is used with.

    Raises:
        AttestationError: the key's curve is not P-256, P-384 or P-521.
    """
    try:
        return _BY_CURVE[key.curve.name]
    except KeyError:
        raise AttestationError(
            Code.KEY_UNSUPPORTED,
            Stage.KEY,
            f"a key on {key.curve.name} is not used here, only P-256, P-384 and P-521 are",
        ) from None


def identifiers_for(key: VerificationKey) -> tuple[int, ...]:
    """The `alg` values that a message verified with `key` may carry."""
    if isinstance(key, MacKey):
        return (key.algorithm.value,)
    return algorithm_of(key).identifiers


def _not_valid() -> AttestationError:
    return AttestationError(
        Code.SIGNATURE, Stage.SIGNATURE, "the signature is not of this key over this content"
    )
