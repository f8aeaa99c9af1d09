"""Attestation results: EAR as a CWT in a COSE_Sign1 (draft-ietf-rats-ear-03).

Written in the draft's newest profile only; older ones are read where they are named. The one key
that may sign is the caller's: what a header says about keys is not looked at. `ear_jwt` is the same
in JSON.
"""

import hmac
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.members import refused
from psa_attestation.cose.messages import verify1
from psa_attestation.cose.signing import sign1
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.results.ear_claims import NEWEST, Ear, EarProfile, decode_ear, encode_ear

_LIMITS: Final = DecodeLimits(max_depth=12, max_items=2048, tags=ANY_TAG)


def sign_ear(ear: Ear, key: ec.EllipticCurvePrivateKey) -> bytes:
    """`ear` as a CWT (COSE_Sign1, tag 18) signed by `key`.

    Raises:
        AttestationError: `ear` is not well-formed: we sign nothing that we would refuse.
    """
    payload = encode(encode_ear(ear))
    decode_ear(decode(payload, _LIMITS), NEWEST, None)
    return sign1(payload, key)


def verify_ear(
    data: bytes,
    *,
    key: ec.EllipticCurvePublicKey,
    nonce: bytes,
    at: int,
    leeway_s: int = 0,
    profiles: Collection[EarProfile] = NEWEST,
    lifetime_s: int | None = None,
) -> Ear:
    """The attestation result in `data`, authentic, fresh and valid at `at`.

    It may well say that the attester is not to be trusted: the caller looks at each appraisal.

    Args:
        data: a CWT (COSE_Sign1, tag 18).
        key: the verifier's published key.
        nonce: what the caller sent to the verifier.
        at: the caller's time in seconds since 1970.
        leeway_s: by how many seconds the two clocks may differ.
        profiles: the generations of EAR that are read.
        lifetime_s: how long a result that names no end is good for; None refuses it.

    Raises:
        AttestationError: anything else.
    """
    members = decode(verify1(data, key), _LIMITS)
    ear, not_before = decode_ear(members, profiles, lifetime_s)
    check_time(ear, not_before, at, leeway_s)
    check_nonce(ear, nonce)
    return ear


def check_nonce(ear: Ear, nonce: bytes) -> None:
    """Refuse a result for another nonce, or for none."""
    # A result without a nonce, or for another, may be one of the past, replayed.
    if ear.nonce is None:
        raise refused(ErrorCode.MISSING_CLAIM, "the result carries no nonce")
    if not hmac.compare_digest(ear.nonce, nonce):
        raise AttestationError(
            ErrorCode.NONCE_MISMATCH,
            Stage.FRESHNESS,
            f"the result answers nonce {ear.nonce.hex()}, expected {nonce.hex()}",
        )


def check_time(ear: Ear, not_before: int, at: int, leeway_s: int) -> None:
    """Refuse a result that has expired or is of the future."""
    if at - leeway_s >= ear.expires_at:
        raise AttestationError(
            ErrorCode.EXPIRED,
            Stage.FRESHNESS,
            f"the result expired at {_when(ear.expires_at)}, it is {_when(at)}: ask for a new one",
        )
    if at + leeway_s < max(ear.issued_at, not_before):
        raise AttestationError(
            ErrorCode.NOT_YET_VALID,
            Stage.FRESHNESS,
            f"the result is of {_when(ear.issued_at)}, it is {_when(at)}: compare the clocks",
        )


def _when(seconds: int) -> str:
    """A moment in UTC; in seconds if no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return f"second {seconds}"
