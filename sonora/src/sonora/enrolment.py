"""Enrolment with Tabasco: a fresh key, native evidence over it, and a place in the registry.

The key is made here and lives in this process's memory; `enrolled_key` replaces it in good time.
"""

import logging
from collections.abc import Callable
from dataclasses import field
from typing import Final, TypeVar

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from colima import decode, encode, tabasco
from psa_attestation.evidence.software import ENROLMENT_AUDIENCE, enrolment_binding
from psa_attestation.tokens.instance_id import instance_id_of
from sonora.boot_clock import boot_time
from sonora.errors import EnrolmentRefusedError, SonoraError
from sonora.evidence.base import Credential, EndorsedSource, EvidenceSource, KeyEndorsement
from sonora.traces import ENROL
from veracruz_utils.errors import RefusedError
from veracruz_utils.frozen import frozen

_LOG: Final = logging.getLogger(__name__)
_T = TypeVar("_T")
Call = Callable[[str, bytes], bytes]
"""A unary call of Tabasco: method name and request bytes to response bytes."""

_RENEW_AT: Final = 0.9


@frozen
class OwnEnrolment:
    """An enrolled key; good until `expires_at`, in seconds of `boot_clock`."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    instance_id: bytes
    renew_at: float
    expires_at: float


@ENROL.around
def enrol(call: Call, source: EvidenceSource) -> OwnEnrolment:
    """Enrol a fresh key.

    Args:
        call: how Tabasco is reached.
        source: of this root attester's native evidence.

    Raises:
        EnrolmentRefusedError: Tabasco does not accept the evidence.
        SonoraError: Tabasco enrolled something else.
        UnreachableError: Tabasco does not answer.
    """
    # Before Tabasco is asked: so our end is never after its own, however long its answer takes.
    now = boot_time()
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    begun = _ask(
        call,
        "BeginEnrolment",
        tabasco.BeginEnrolmentRequest(source.platform),
        tabasco.BeginEnrolmentResponse,
    )
    # Key, challenge and audience in one digest: evidence cannot be moved to another of them.
    binding = enrolment_binding(
        platform=source.platform,
        audience=ENROLMENT_AUDIENCE,
        challenge=begun.challenge,
        public_key=public_key,
    )
    evidence, uncertified = _evidence(call, source, begun.challenge, binding)
    # The proof: evidence shows that we know the public key, not that we have the private one.
    request = tabasco.CompleteEnrolmentRequest(
        begun.challenge, source.platform, evidence, public_key, _prove_possession(key, binding)
    )
    try:
        done = _ask(call, "CompleteEnrolment", request, tabasco.CompleteEnrolmentResponse)
    except EnrolmentRefusedError as error:
        if uncertified is None:
            raise
        raise EnrolmentRefusedError(f"{error}; {uncertified}") from error
    # Tokens name the key by this id: under another one they would count as somebody else's.
    if done.instance_id != instance_id_of(key.public_key()):
        raise SonoraError("tabasco answered with the instance id of another key than the one sent")
    return OwnEnrolment(
        key,
        done.instance_id,
        renew_at=now + _RENEW_AT * done.expires_in_s,
        expires_at=now + done.expires_in_s,
    )


def _evidence(
    call: Call, source: EvidenceSource, challenge: bytes, binding: bytes
) -> tuple[bytes, EnrolmentRefusedError | None]:
    """Evidence, and why Tabasco does not certify the key that signed it, if it was asked to."""
    if not isinstance(source, EndorsedSource):
        return source.evidence(binding), None

    def credential_for(endorsement: KeyEndorsement) -> Credential:
        request = tabasco.RequestCredentialRequest(
            challenge,
            source.platform,
            endorsement.certificate,
            endorsement.authorities,
            endorsement.key_area,
        )
        answer = tabasco.RequestCredentialResponse
        given = _ask(call, "RequestCredential", request, answer, "to certify the TPM's key")
        return Credential(given.credential, given.encrypted_secret)

    try:
        return source.endorsed_evidence(binding, credential_for), None
    except EnrolmentRefusedError as error:
        # Its policy may accept a key that nobody certifies, by its name: that is its to decide.
        _LOG.warning("%s", error)
        return source.evidence(binding), error


def _ask(
    call: Call, method: str, request: object, answer: type[_T], what: str = "to enrol this root"
) -> _T:
    try:
        return decode(answer, call(method, encode(request)))
    except RefusedError as error:
        raise EnrolmentRefusedError(f"tabasco refuses {what}: {error}") from error


def _prove_possession(key: ec.EllipticCurvePrivateKey, binding: bytes) -> bytes:
    """The ES256 signature over the binding as r and s, 64 bytes."""
    r, s = utils.decode_dss_signature(key.sign(binding, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)
