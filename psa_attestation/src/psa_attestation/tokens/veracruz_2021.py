"""The claim set of 2021 Veracruz tokens: four byte strings under the first PSA keys.

The envelope is an ordinary COSE_Sign1 (`cose.verify1`). Such a token names neither profile nor
instance: the key is known from elsewhere, and the reader checks challenge and measurement itself.
"""

from dataclasses import dataclass
from typing import Final

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.members import mapping, octets, refused, required
from psa_attestation.errors import ErrorCode

_CLIENT_ID: Final = -75001
_SOFTWARE: Final = -75006
_CHALLENGE: Final = -75008
_ORIGINATION: Final = -75010
_LABELS: Final = frozenset({_CLIENT_ID, _SOFTWARE, _CHALLENGE, _ORIGINATION})
_LIMITS: Final = DecodeLimits(max_bytes=1024, max_items=16, max_depth=2)


@dataclass(frozen=True, slots=True)
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


def parse_2021_payload(payload: bytes) -> Claims2021:
    """The four claims of a 2021 token's payload.

    Raises:
        AttestationError: a claim is missing, another one is there, or a length is wrong.
    """
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
