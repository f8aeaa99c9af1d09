"""COSE_Sign1 and COSE_Mac0, read and verified (RFC 9052).

Theory of operation. `parse` turns bytes into a `Message` whose form is beyond doubt: the tag, four
elements, an `alg` that is integrity protected, no header parameter in both buckets, no critical
parameter we do not know. `verify` then lets the *key* choose the algorithm and hands out the
payload. What the headers offer beyond `alg` (kid, certificates) is a hint and is never trusted.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.cose.signing import ALG, SIGN1_CONTEXT, SIGN1_TAG, to_be_signed
from psa_attestation.cose.verification import (
    MAC_IDENTIFIERS,
    SIGNATURE_IDENTIFIERS,
    MacKey,
    VerificationKey,
    identifiers_for,
    verify_signature,
)
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.frozen import frozen

CRIT: Final = 2
CONTENT_TYPE: Final = 3
KID: Final = 4
_UNDERSTOOD: Final = frozenset({ALG, CONTENT_TYPE, KID})

_CWT_TAG: Final = 61


class CoseKind(Enum):
    """What a message is; the value is its CBOR tag."""

    SIGN1 = SIGN1_TAG
    MAC0 = 17

    @property
    def context(self) -> str:
        """The first element of what is signed: keeps the kinds of message apart."""
        return SIGN1_CONTEXT if self is CoseKind.SIGN1 else "MAC0"


ENVELOPE_LIMITS: Final = DecodeLimits(max_depth=8, tags=frozenset({17, 18, _CWT_TAG}))


@frozen
class Message:
    """A well-formed message; nothing in it is authentic before `verify`.

    Attributes:
        protected: the protected header's bytes exactly as they were signed.
        algorithm: the `alg` that the protected header names.
        proof: the signature, or the tag of a MAC.
    """

    kind: CoseKind
    protected: bytes
    algorithm: int
    unprotected: Mapping[Key, Value]
    payload: bytes
    proof: bytes

    def verify(self, key: VerificationKey, *, external_aad: bytes = b"") -> bytes:
        """The payload, now authentic.

        Raises:
            AttestationError: the message is not `key`'s, or not made for this kind of key.
        """
        # Everybody has the public key: taken for a MAC's secret, it would let anybody forge.
        if isinstance(key, MacKey) != (self.kind is CoseKind.MAC0):
            raise _error(
                ErrorCode.TYPE_CONFUSION, "a MAC needs a symmetric key, a signature a public key"
            )
        # The key was made for one algorithm; a message must not talk us into a weaker one.
        if self.algorithm not in identifiers_for(key):
            raise _error(
                ErrorCode.ALG_KEY_MISMATCH,
                f"alg is {self.algorithm}, the key is for {identifiers_for(key)[0]}",
            )
        data = to_be_signed(self.kind.context, self.protected, external_aad, self.payload)
        if isinstance(key, MacKey):
            key.verify(self.proof, data)
        else:
            verify_signature(key, self.proof, data)
        return self.payload


def parse(data: bytes, limits: DecodeLimits = ENVELOPE_LIMITS) -> Message:
    """The COSE_Sign1 (tag 18) or COSE_Mac0 (tag 17) message that `data` is.

    Args:
        data: the tagged message and nothing else.
        limits: for the envelope; its `tags` should be those of `ENVELOPE_LIMITS`.

    Raises:
        AttestationError: stage `encoding` for bad CBOR, `envelope` for anything else.
    """
    kind, elements = _untag(decode(data, limits))
    if not isinstance(elements, list) or len(elements) != 4:
        raise _error(ErrorCode.MALFORMED, "a COSE message is an array of four elements")
    protected, unprotected, payload, proof = elements
    # Detached: what the signature covers would come from elsewhere, as somebody chooses.
    if payload is None:
        raise _error(ErrorCode.PAYLOAD_NIL, "the payload is detached")
    if not (isinstance(protected, bytes) and isinstance(payload, bytes)):
        raise _error(ErrorCode.MALFORMED, "protected header and payload are byte strings")
    if not (isinstance(unprotected, dict) and isinstance(proof, bytes)):
        raise _error(ErrorCode.MALFORMED, "the unprotected header is a map, the signature bytes")
    algorithm = _algorithm(kind, _headers(protected), unprotected)
    return Message(kind, protected, algorithm, unprotected, payload, proof)


def verify1(message: bytes, key: ec.EllipticCurvePublicKey, *, external_aad: bytes = b"") -> bytes:
    """The payload of a COSE_Sign1 (tag 18) that `key` signed.

    Raises:
        AttestationError: the message is anything else.
    """
    return parse(message).verify(key, external_aad=external_aad)


def _untag(value: Value) -> tuple[CoseKind, Value]:
    if not isinstance(value, Tag):
        raise _error(ErrorCode.MISSING_TAG_18, "the message has no CBOR tag, 18 is expected")
    if value.number == _CWT_TAG:
        raise _error(ErrorCode.CWT_TAG_NOT_USED, "the message is wrapped in tag 61, 18 is expected")
    if value.number not in (CoseKind.SIGN1.value, CoseKind.MAC0.value):
        raise _error(
            ErrorCode.UNEXPECTED_TAG, f"tag {value.number} is not that of a message used here"
        )
    return CoseKind(value.number), value.value


def _headers(protected: bytes) -> dict[Key, Value]:
    # RFC 9052 section 3: a header without parameters may be no bytes at all.
    if not protected:
        return {}
    headers = decode(protected, DecodeLimits(max_bytes=len(protected), max_depth=4))
    if not isinstance(headers, dict):
        raise _error(ErrorCode.MALFORMED, "the protected header is not a map")
    return headers


def _algorithm(kind: CoseKind, protected: dict[Key, Value], unprotected: dict[Key, Value]) -> int:
    for label in (*protected, *unprotected):
        if isinstance(label, bytes):
            raise _error(ErrorCode.MALFORMED, "a header label is an integer or text")
    # One reader would take the signed value, another the one that anybody can change.
    if not protected.keys().isdisjoint(unprotected):
        raise _error(ErrorCode.LABEL_IN_BOTH_BUCKETS, "a header parameter is in both buckets")
    # Unprotected, it could be changed on the way to another algorithm for the same key.
    if ALG not in protected:
        raise _error(ErrorCode.ALG_NOT_PROTECTED, "alg is not in the protected header")
    _check_critical(protected, unprotected)
    return _known_algorithm(kind, protected[ALG])


def _check_critical(protected: dict[Key, Value], unprotected: dict[Key, Value]) -> None:
    if CRIT in unprotected:
        raise _error(ErrorCode.CRIT, "crit is not in the protected header")
    if CRIT not in protected:
        return
    labels = protected[CRIT]
    if not isinstance(labels, list) or not labels:
        raise _error(ErrorCode.CRIT, "crit is not a list of labels")
    # The signer asks that whoever does not understand these refuses (RFC 9052 section 3.1).
    for label in labels:
        understood = type(label) is int and label in _UNDERSTOOD
        if not understood or label not in protected:
            raise _error(ErrorCode.CRIT, "a critical header parameter is not known or not there")


def _known_algorithm(kind: CoseKind, algorithm: Value) -> int:
    if type(algorithm) is not int:
        raise _error(ErrorCode.ALG_UNKNOWN, "alg is not an integer")
    ours, others = SIGNATURE_IDENTIFIERS, MAC_IDENTIFIERS
    if kind is CoseKind.MAC0:
        ours, others = others, ours
    if algorithm in others:
        raise _error(ErrorCode.TYPE_CONFUSION, f"alg {algorithm} does not belong to {kind.name}")
    if algorithm not in ours:
        raise _error(ErrorCode.ALG_UNKNOWN, f"alg {algorithm} is not used here")
    return algorithm


def _error(code: ErrorCode, detail: str) -> AttestationError:
    return AttestationError(code, Stage.ENVELOPE, detail)
