"""Consents: a principal's word that it agrees to a policy, and no byte of it a matter of choice.

A consent is a Signed Statement of SCITT (`psa_attestation.statements`): a COSE_Sign1 with tag 18,
whose protected header names the principal's certificate and the policy, whose unprotected header is
empty, and whose content type is `application/vnd.veracruz.consent+cbor`. Its payload is a map:

    0  text      the format, `veracruz-consent-v1`
    1  bytes 32  SHA-256 of the policy
    2  uint 32   the principal's client id in the policy
    3  bytes 32  SHA-256 of the principal's certificate

Everything but the signature follows from the policy. So whoever verifies one decodes nothing: it
writes what has to be there, and compares.
"""

import hashlib
from typing import Final

from cryptography import x509

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Encodable, Tag
from psa_attestation.consents.algorithms import (
    PrincipalKey,
    SignatureForm,
    form_of,
    is_signature,
    principal_key,
)
from psa_attestation.cose.signing import ALG, SIGN1_CONTEXT, SIGN1_TAG, to_be_signed
from psa_attestation.statements import statement_header
from veracruz_utils.frozen import frozen

CONSENT_FORMAT: Final = "veracruz-consent-v1"
CONTENT_TYPE: Final = "application/vnd.veracruz.consent+cbor"
MAX_CONSENT_BYTES: Final = 4096
"""Of a signed consent; one by an RSA key of 8192 bits has some 1,350."""


@frozen
class PolicyConsent:
    """What one principal signs for one policy.

    Attributes:
        key: whose signature it takes.
        form: of that signature.
        signed: what the signature is over.
        envelope: the message, but for the signature at its end.
    """

    key: PrincipalKey
    form: SignatureForm
    signed: bytes
    envelope: bytes

    @classmethod
    def of(cls, policy_digest: bytes, client_id: int, certificate: bytes) -> "PolicyConsent":
        """The consent of the principal with this id and certificate (DER) to this policy.

        Raises:
            WritingError: the certificate's key is of a kind that signs no consents.
        """
        key = principal_key(x509.load_der_x509_certificate(certificate).public_key())
        form = form_of(key)
        certificate_digest = hashlib.sha256(certificate).digest()
        header = statement_header(
            CONTENT_TYPE, certificate_digest=certificate_digest, policy_digest=policy_digest
        )
        members: dict[int, Encodable] = {
            0: CONSENT_FORMAT,
            1: policy_digest,
            2: client_id,
            3: certificate_digest,
        }
        payload, protected = encode(members), encode({**header, ALG: form.algorithm})
        empty = encode(Tag(SIGN1_TAG, [protected, {}, payload, bytes(form.size)]))
        signed = to_be_signed(SIGN1_CONTEXT, protected, b"", payload)
        return cls(key, form, signed, empty[: -form.size])

    def is_given_by(self, message: bytes) -> bool:
        """Whether `message` is this consent, signed by the principal's key."""
        size = self.form.size
        return message[:-size] == self.envelope and is_signature(
            self.key, message[-size:], self.signed
        )
