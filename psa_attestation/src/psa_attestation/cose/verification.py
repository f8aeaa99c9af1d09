"""Checking signatures and MACs: the verifier's key decides the algorithm, never the message."""

import hashlib
import hmac
from enum import Enum
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from psa_attestation.cbor.values import WritingError
from psa_attestation.cose.algorithms import (
    SIGNATURE_ALGORITHMS,
    SignatureAlgorithm,
    algorithm_of,
)
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.frozen import frozen
from veracruz_utils.secret import Secret


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


@frozen
class MacKey:
    """A symmetric key registered for one algorithm."""

    secret: Secret
    algorithm: MacAlgorithm = MacAlgorithm.HMAC_256

    def __post_init__(self) -> None:
        # RFC 2104 section 3: a key shorter than the hash is weaker than it.
        if len(self.secret) < self.algorithm.tag_bytes:
            raise AttestationError(
                ErrorCode.KEY_UNSUPPORTED,
                Stage.KEY,
                f"{self.algorithm.name} needs a key of {self.algorithm.tag_bytes} bytes or more,"
                f" this one has {len(self.secret)}",
            )

    def mac(self, data: bytes) -> bytes:
        """The tag over `data`."""
        return hmac.digest(self.secret.reveal(), data, self.algorithm.hash_name)

    def verify(self, tag: bytes, data: bytes) -> None:
        """Return if `tag` is this key's over `data`.

        Raises:
            AttestationError: `signature-encoding` for a wrong length, `signature` otherwise.
        """
        # A shorter tag is guessed sooner: its length is not for the message to choose.
        if len(tag) != self.algorithm.tag_bytes:
            raise AttestationError(
                ErrorCode.SIGNATURE_ENCODING,
                Stage.SIGNATURE,
                f"a tag has {self.algorithm.tag_bytes} bytes, this one {len(tag)}",
            )
        if not hmac.compare_digest(tag, self.mac(data)):
            raise _not_valid()


VerificationKey: TypeAlias = ec.EllipticCurvePublicKey | MacKey

SIGNATURE_IDENTIFIERS: Final = frozenset(
    identifier for algorithm in SIGNATURE_ALGORITHMS for identifier in algorithm.identifiers
)
MAC_IDENTIFIERS: Final = frozenset(algorithm.value for algorithm in MacAlgorithm)


def verification_algorithm(key: ec.EllipticCurvePublicKey) -> SignatureAlgorithm:
    """The only algorithm that a signature is verified with by `key`.

    Raises:
        AttestationError: `key-unsupported`: the key's curve is not P-256, P-384 or P-521.
    """
    try:
        return algorithm_of(key)
    except WritingError as error:
        raise AttestationError(ErrorCode.KEY_UNSUPPORTED, Stage.KEY, str(error)) from error


def verify_signature(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    """Return if `signature` is `key`'s over `data`; a high s counts (RFC 9053 allows it).

    Raises:
        AttestationError: `signature-encoding` for a wrong length, `signature` otherwise.
    """
    algorithm = verification_algorithm(key)
    size = algorithm.coordinate_bytes
    # r and s are cut by length: another length would give one signature several forms.
    if len(signature) != 2 * size:
        raise AttestationError(
            ErrorCode.SIGNATURE_ENCODING,
            Stage.SIGNATURE,
            f"an {algorithm.name} signature has {2 * size} bytes, this one {len(signature)}",
        )
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(algorithm.hash_algorithm))
    except InvalidSignature as error:
        raise _not_valid() from error


def identifiers_for(key: VerificationKey) -> tuple[int, ...]:
    """The `alg` values that a message verified with `key` may carry."""
    if isinstance(key, MacKey):
        return (key.algorithm.value,)
    return verification_algorithm(key).identifiers


def _not_valid() -> AttestationError:
    return AttestationError(
        ErrorCode.SIGNATURE, Stage.SIGNATURE, "the signature is not of this key over this content"
    )
