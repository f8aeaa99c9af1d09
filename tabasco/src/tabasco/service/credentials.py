"""Credentials for keys of TPMs: proof that an attestation key lives in the TPM of a certificate.

Theory of operation. Between the challenge of an enrolment and its evidence, the attester shows its
endorsement certificate and its attestation key's public area, and gets a secret that only a TPM
with both keys gives away. The secret is a code over the challenge and both keys, under a key of
ours: so nothing is kept for strangers, whoever asks and however often. What comes back with the
evidence is compared with the code anew. It is good for this challenge alone, which is answered
once and in time, and for these two keys alone; and the quote of the same evidence binds the
attestation key to the key that enrols.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Final

from colima.tabasco import RequestCredentialRequest
from psa_attestation.binding import binding_digest
from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from tabasco.errors import RefusalError, RejectionReason
from tabasco.registry.challenges import Challenges
from tabasco.registry.roots import Roots
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.tpm.credential import MadeCredential, make_credential
from tabasco.verify.tpm.endorsement import EndorsedKey, Endorsement, verify_endorsement
from tabasco.verify.tpm.key_area import KeyArea, attestation_key
from veracruz_utils.secret import Secret

_LABEL: Final = "veracruz-tabasco-credential-v1"


class Credentials:
    """Gives credentials, and knows the secret of each again; safe to share by threads.

    Args:
        challenges: of the enrolments that credentials are for.
        roots: of which those of manufacturers count.
        key: of the secrets; services that accept each other's challenges share it.
    """

    def __init__(self, *, challenges: Challenges, roots: Roots, key: Secret) -> None:
        self._challenges = challenges
        self._roots = roots
        self._key = key

    def give(self, request: RequestCredentialRequest, *, at: datetime) -> MadeCredential:
        """A credential for the key of a TPM; the challenge stays good for the enrolment.

        Raises:
            RefusalError: `CHALLENGE_NOT_LIVE`, `ENDORSEMENT_UNKNOWN`, `KEY_AREA_UNSUITABLE`.
        """
        self._challenges.check(request.challenge, request.platform, at=at)
        try:
            area = attestation_key(request.key_area)
        except EvidenceError as error:
            raise RefusalError(RejectionReason.KEY_AREA_UNSUITABLE, error.detail) from error
        try:
            endorsement = self._endorsement(request.certificate, request.authorities, at)
        except EvidenceError as error:
            raise RefusalError(RejectionReason.ENDORSEMENT_UNKNOWN, error.detail) from error
        secret = self._secret(request.challenge, endorsement, area)
        return make_credential(endorsement.key, area.name, secret)

    def proven(
        self, native: NativeEvidence, *, challenge: bytes, at: datetime
    ) -> EndorsedKey | None:
        """The attestation key that evidence proves to live in a TPM; None where it does not try.

        Args:
            native: the evidence.
            challenge: that was used up for it.
            at: the time to verify for.

        Raises:
            EvidenceError: it tries, and does not prove it.
        """
        parts = native.auxiliary
        if AuxiliaryPart.ACTIVATED_SECRET not in parts:
            return None
        area = attestation_key(parts.get(AuxiliaryPart.KEY_AREA, b""))
        endorsement = self._endorsement(
            parts.get(AuxiliaryPart.ENDORSEMENT_CERTIFICATE, b""),
            parts.get(AuxiliaryPart.ENDORSEMENT_AUTHORITIES, b""),
            at,
        )
        secret = self._secret(challenge, endorsement, area)
        if not hmac.compare_digest(parts[AuxiliaryPart.ACTIVATED_SECRET], secret):
            raise EvidenceError(
                Fault.KEY_BINDING,
                VerificationStage.BINDING,
                "the activated secret is not of the credential for this challenge, "
                "this attestation key and this endorsement key",
            )
        return EndorsedKey(area.public_key, endorsement)

    def root_number(self, endorsement: Endorsement) -> int:
        """The number of the root that an endorsement leads to.

        Raises:
            RefusalError: `ROOT_UNKNOWN`: it was removed meanwhile.
        """
        for root in self._roots.manufacturers():
            if hashlib.sha256(root.certificate or b"").digest() == endorsement.root:
                return root.number
        raise RefusalError(RejectionReason.ROOT_UNKNOWN, "removed meanwhile")

    def _endorsement(self, certificate: bytes, authorities: bytes, at: datetime) -> Endorsement:
        trusted = [root.certificate for root in self._roots.manufacturers() if root.certificate]
        return verify_endorsement(certificate, authorities, trusted=trusted, at=at)

    def _secret(self, challenge: bytes, endorsement: Endorsement, area: KeyArea) -> bytes:
        message = binding_digest(_LABEL, challenge, endorsement.key_digest, area.name)
        return hmac.digest(self._key.reveal(), message, "sha256")
