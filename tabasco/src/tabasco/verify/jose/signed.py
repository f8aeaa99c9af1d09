"""Compact JSON Web Signatures (RFC 7515) of attestation services, and the times of a JWT.

The algorithm has to be one that the key is for; the message does not choose it (RFC 8725, 2.1).
A header may name where its keys are (`jku`): nothing is fetched, and it says nothing here.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.jose.keys import TokenKey
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import RSA_BITS
from veracruz_utils.strict_json import JsonValue

MAX_TOKEN_BYTES: Final = 64 * 1024
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_TIMES: Final = range(253_402_300_800)  # up to the year 10000


@frozen
class SignedToken:
    """A token taken apart; nothing in it is authentic before `verify`."""

    header: Mapping[str, JsonValue]
    claims: Mapping[str, JsonValue]
    signed: bytes
    signature: bytes

    @property
    def kid(self) -> str | None:
        """The name of the key that it says it is signed by."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    def key_in(self, keys: Mapping[str, TokenKey]) -> TokenKey:
        """The key of this token's kid; one that stands for any (`*`) where there is no such.

        Raises:
            EvidenceError: there is none.
        """
        key = keys.get(self.kid or "") or keys.get("*")
        if key is None:
            raise EvidenceError(
                Fault.UNKNOWN_SIGNER,
                VerificationStage.SIGNATURE,
                f"the token is signed by key {str(self.kid)[:80]!r}, which is not among the "
                f"{len(keys)} given",
            )
        return key

    def verify(self, key: object) -> None:
        """Nothing, if this is `key`'s signature.

        Raises:
            EvidenceError: it is not, or made with an algorithm that the key is not for.
        """
        algorithm = self.header.get("alg")
        if not isinstance(algorithm, str) or not _is_for(algorithm, key):
            raise EvidenceError(
                Fault.UNSUPPORTED_ALGORITHM,
                VerificationStage.SIGNATURE,
                f"the token is signed with {str(algorithm)[:20]!r}, which its key is not for",
            )
        if not _verified(key, algorithm, self.signature, self.signed):
            raise EvidenceError(
                Fault.SIGNATURE, VerificationStage.SIGNATURE, "the token is not signed by this key"
            )


def parse_token(data: bytes, *, headers: Collection[str]) -> SignedToken:
    """The token that `data` is.

    Args:
        data: at most 64 KiB.
        headers: the members that its header may have.

    Raises:
        EvidenceError: stage `format`; an algorithm that is none, or another member in the header.
    """
    if len(data) > MAX_TOKEN_BYTES:
        raise malformed(f"a token of {len(data)} bytes, at most {MAX_TOKEN_BYTES} are read")
    # Strictly: bytes that are not ASCII are no token, and are not turned into something else.
    if not data.isascii():
        raise malformed("a token has bytes that are not ASCII")
    parts = data.decode("ascii").split(".")
    if len(parts) != 3:
        raise malformed(f"a token of {len(parts)} parts, a signed one has three")
    with as_evidence_error("the token"):
        header = decode_json(from_base64url(parts[0], "the header"))
        claims = decode_json(from_base64url(parts[1], "the claims"))
        signature = from_base64url(parts[2], "the signature")
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise malformed("the token's header or content is not an object")
    algorithm = header.get("alg")
    if algorithm not in _RSA | _CURVES.keys() or not header.keys() <= {"alg", *headers}:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            f"the header is not just an algorithm ({str(algorithm)[:20]!r}) and "
            f"{', '.join(sorted(headers))}",
        )
    return SignedToken(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def check_times(claims: Mapping[str, JsonValue], at: datetime, skew: timedelta) -> datetime:
    """When a token ends whose `iat`, `nbf` and `exp` hold at `at`.

    Raises:
        EvidenceError: they do not, or are no times in whole seconds.
    """
    issued, start, end = (_time(claims, name) for name in ("iat", "nbf", "exp"))
    if at + skew < max(issued, start):
        raise EvidenceError(
            Fault.NOT_YET_VALID,
            VerificationStage.APPRAISAL,
            f"the token starts at {max(issued, start)}, it is {at}",
        )
    # RFC 7519 4.1.4: `exp` itself is too late already.
    if at - skew >= end:
        raise EvidenceError(
            Fault.EXPIRED, VerificationStage.APPRAISAL, f"the token ended at {end}, it is {at}"
        )
    return end


def _time(claims: Mapping[str, JsonValue], name: str) -> datetime:
    value = claims.get(name)
    # Not isinstance: JSON's true is an int to Python.
    if type(value) is not int or value not in _TIMES:
        raise malformed(f"{name} is not a time in whole seconds")
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=value)


def _is_for(algorithm: str, key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return algorithm in _RSA and key.key_size in RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and _CURVES.get(algorithm) == key.curve.name


def _verified(key: object, algorithm: str, signature: bytes, signed: bytes) -> bool:
    digest = _HASHES[algorithm[2:]]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:  # RFC 7518, 3.4
                return False
            numbers = (int.from_bytes(part) for part in (signature[:size], signature[size:]))
            key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            scheme = (
                padding.PSS(padding.MGF1(digest), digest.digest_size)
                if algorithm.startswith("PS")
                else padding.PKCS1v15()
            )
            key.verify(signature, signed, scheme, digest)
    except InvalidSignature:
        return False
    return True
