"""PSA attestation tokens: minting and verifying (RFC 9783 sections 5 and 8)."""

import hmac
from collections.abc import Callable
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import DecodeLimits
from psa_attestation.cose.messages import ENVELOPE_LIMITS, parse
from psa_attestation.cose.signing import sign1
from psa_attestation.cose.verification import MacKey, VerificationKey
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.claims import Claims, PsaProfile
from psa_attestation.tokens.claims_codec import decode_claims, encode_claims
from psa_attestation.tokens.lifecycle import TRUSTWORTHY, Lifecycle

MAX_TOKEN_BYTES: Final = 8 * 1024

KeyLookup: TypeAlias = Callable[[bytes], ec.EllipticCurvePublicKey | MacKey | None]
"""The key registered for an Instance ID of 33 bytes, or None."""

NEWEST_PROFILE: Final = frozenset({PsaProfile.RFC9783})
ONLY_SECURED: Final = frozenset({Lifecycle.SECURED})
TOKEN_LIMITS: Final = DecodeLimits(
    max_bytes=MAX_TOKEN_BYTES,
    max_depth=ENVELOPE_LIMITS.max_depth,
    max_items=256,
    tags=ENVELOPE_LIMITS.tags,
)


def mint_token(claims: Claims, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A token (COSE_Sign1) that makes `claims`, signed by `key`.

    Raises:
        AttestationError: `claims` are not of the RFC 9783 profile, not well-formed or too long: we
            mint nothing whose form we would refuse.
    """
    token = sign1(encode_claims(claims), key)
    read_unverified_claims(token)
    return token


def verify_token(
    token: bytes,
    *,
    key_for: KeyLookup,
    nonce: bytes,
    profiles: frozenset[PsaProfile] = NEWEST_PROFILE,
    lifecycles: frozenset[Lifecycle] = ONLY_SECURED,
) -> Claims:
    """The claims of a token that is authentic, fresh and from a device in a state to be trusted.

    What the claims *mean* is left to policy: the caller compares platform, measurements and digests
    with what it expects.

    Args:
        token: COSE_Sign1 or COSE_Mac0 in CBOR, at most 8 KiB. Its bytes are no identity: one
            signature has two valid forms.
        key_for: the registered keys; an Instance ID is never recomputed from a key.
        nonce: the challenge that this verifier sent for this exchange; used once.
        profiles: the profiles accepted; older ones have to be named.
        lifecycles: the states accepted; no other than secured and non-PSA-RoT debug ever are.

    Raises:
        AttestationError: anything else, with the first check that failed as its stage.

    Standard: RFC 9783 section 8.
    """
    # A claim says which key signed, so claims are read before (4), and not believed.
    message = parse(token, TOKEN_LIMITS)  # (1) the envelope
    claims = decode_claims(message.payload, profiles)  # (2) the claims' syntax
    key = _registered(key_for, claims.instance_id)  # (3) the key, by claim
    message.verify(key)  # (4) the signature
    check_nonce(claims.nonce, nonce)  # (5) freshness
    _check_lifecycle(claims, lifecycles)  # (6) the device's state
    return claims


def read_unverified_claims(
    token: bytes, *, profiles: frozenset[PsaProfile] = NEWEST_PROFILE
) -> Claims:
    """The claims of a well-formed token whose signature is NOT checked.

    Only for a token that an authentic source vouches for byte by byte, such as the raw evidence in
    a verified attestation result.

    Raises:
        AttestationError: the token is not well-formed.
    """
    return decode_claims(parse(token, TOKEN_LIMITS).payload, profiles)


def _registered(key_for: KeyLookup, instance_id: bytes) -> VerificationKey:
    key = key_for(instance_id)
    if key is None:
        raise AttestationError(
            ErrorCode.UNKNOWN_INSTANCE, Stage.KEY, f"no key is registered for {instance_id.hex()}"
        )
    return key


def check_nonce(found: bytes, expected: bytes) -> None:
    """Refuse a token that answers another challenge.

    Raises:
        AttestationError: `nonce-mismatch`.
    """
    # A token of an earlier exchange is authentic as well: without this it could be replayed.
    if not hmac.compare_digest(found, expected):
        raise AttestationError(
            ErrorCode.NONCE_MISMATCH,
            Stage.FRESHNESS,
            f"the token answers challenge {found.hex()}, expected {expected.hex()}",
        )


def _check_lifecycle(claims: Claims, lifecycles: frozenset[Lifecycle]) -> None:
    state = claims.lifecycle_state
    # In any other state whoever debugs the device can use its attestation key.
    if state not in lifecycles or state not in TRUSTWORTHY:
        raise AttestationError(
            ErrorCode.LIFECYCLE_UNTRUSTED,
            Stage.LIFECYCLE,
            f"the device is in state {state.name.lower()} ({claims.lifecycle:#06x})",
        )
