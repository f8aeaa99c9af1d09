"""The runtime's half of local attestation: it answers Sonora's challenge with its TLS key.

Sonora vouches for a certificate's digest; so it first sees that who holds the private channel of
the isolate also holds that certificate's key, now, and means the same policy and the same image.
`sonora.local_attestation` is the other half.
"""

import socket
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from baja import KeyAndCertificate
from colima import frame, isolate, read_frame
from mexico_city.errors import RuntimeFailure
from veracruz_utils.frozen import frozen

# A label of its own, first: the key also signs TLS handshakes and receipts.
_LABEL: Final = b"veracruz-local-attestation-v1"
_VERIFIER, _PROVER = b"root-attester", b"runtime"


@frozen
class LocalClaims:
    """What an isolate says it is; all are SHA-256 digests (32 bytes).

    Attributes:
        certificate_digest: of the certificate whose key it holds.
        policy_digest: of the policy it holds.
        measurement: of the image it was started from.
    """

    certificate_digest: bytes
    policy_digest: bytes
    measurement: bytes


def local_transcript(nonce: bytes, claims: LocalClaims) -> bytes:
    """What an answer is over: each part after its length, 8 bytes in big-endian."""
    parts = (
        _LABEL,
        _VERIFIER,
        _PROVER,
        nonce,
        claims.certificate_digest,
        claims.policy_digest,
        claims.measurement,
    )
    return b"".join(len(part).to_bytes(8) + part for part in parts)


def answer_challenge(
    sonora: socket.socket, identity: KeyAndCertificate, policy_digest: bytes, measurement: bytes
) -> None:
    """Answer the one challenge that Sonora sends.

    Raises:
        VeracruzError: Sonora is gone, or sent something else.
    """
    payload = read_frame(sonora.recv)
    challenge = None if payload is None else isolate.TO_RUNTIME.decode(payload)
    if not isinstance(challenge, isolate.LocalChallenge):
        raise RuntimeFailure("sonora sent no challenge")
    claims = LocalClaims(identity.digest.value, policy_digest, measurement)
    transcript = local_transcript(challenge.nonce, claims)
    proof = identity.private_key.sign(transcript, ec.ECDSA(hashes.SHA256()))
    answer = isolate.LocalAnswer(identity.certificate, proof)
    sonora.sendall(frame(isolate.FROM_RUNTIME.encode(answer)))
