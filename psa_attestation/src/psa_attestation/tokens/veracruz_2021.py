"""Tokens of Veracruz of 2021: four byte strings under the first PSA keys, in a COSE message.

Such a token names neither profile nor instance: the key is known from elsewhere, and what the
claims mean is left to policy.
"""

from typing import Final

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.members import mapping, octets, refused, required
from psa_attestation.cose.messages import parse
from psa_attestation.cose.verification import VerificationKey
from psa_attestation.errors import AttestationError, ErrorCode
from psa_attestation.tokens.token import TOKEN_LIMITS, check_nonce
from veracruz_utils.frozen import frozen

_CLIENT_ID: Final = -75001
_SOFTWARE: Final = -75006
_CHALLENGE: Final = -75008
_ORIGINATION: Final = -75010
_LABELS: Final = frozenset({_CLIENT_ID, _SOFTWARE, _CHALLENGE, _ORIGINATION})
_LIMITS: Final = DecodeLimits(max_bytes=1024, max_items=16, max_depth=2)


@frozen
class Claims2021:
    """What a 2021 token says.

    Attributes:
        challenge: 32, 48 or 64 bytes.
        measurement: of the attested enclave, 32 bytes.
        certificate_digest: SHA-256 of the enclave's certificate, or of the device's public key
            where the token is a native one; 32 bytes.
        enclave_name: at most 64 bytes; empty in a native token.
    """

    challenge: bytes
    measurement: bytes
    certificate_digest: bytes
    enclave_name: bytes


def is_2021_token(token: bytes) -> bool:
    """Whether `token` is a message with exactly the claims of 2021; its signature is not checked.

    No other profile has these four alone: each demands an instance id.
    """
    try:
        claims = decode(parse(token, TOKEN_LIMITS).payload, _LIMITS)
    except AttestationError:
        return False
    return isinstance(claims, dict) and claims.keys() == _LABELS


def verify_2021_token(token: bytes, *, key: VerificationKey, nonce: bytes | None) -> Claims2021:
    """The claims of a 2021 token that is authentic and fresh.

    Args:
        token: COSE_Sign1 or COSE_Mac0 in CBOR, at most 8 KiB.
        key: of the device; the token does not say which.
        nonce: the challenge that the caller sent; None leaves freshness unproven.

    Raises:
        AttestationError: anything else.
    """
    message = parse(token, TOKEN_LIMITS)
    claims = _read_claims(message.payload)
    message.verify(key)
    if nonce is not None:
        check_nonce(claims.challenge, nonce)
    return claims


def _read_claims(payload: bytes) -> Claims2021:
    members = mapping(decode(payload, _LIMITS), "the claims")
    if not members.keys() <= _LABELS:
        raise refused(ErrorCode.CLAIM_VALUE, "a claim that 2021 tokens do not carry")
    challenge = required(members, _CHALLENGE, "challenge")
    origination = required(members, _ORIGINATION, "origination")
    return Claims2021(
        challenge=octets(challenge, "the challenge", (32, 48, 64), ErrorCode.NONCE_LENGTH),
        measurement=octets(
            required(members, _SOFTWARE, "software components"),
            "the measurement",
            (32,),
            ErrorCode.HASH_LENGTH,
        ),
        certificate_digest=octets(origination, "the origination", (32,), ErrorCode.HASH_LENGTH),
        enclave_name=octets(
            required(members, _CLIENT_ID, "client id"), "the enclave name", range(65)
        ),
    )
