"""Signing a consent, which principals do."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from psa_attestation.cbor.values import WritingError
from psa_attestation.consents.algorithms import PSS
from psa_attestation.consents.consent import PolicyConsent
from psa_attestation.cose.algorithms import algorithm_of

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def sign_consent(consent: PolicyConsent, key: PrivateKey) -> bytes:
    """`consent` as a message signed by `key`.

    Raises:
        WritingError: `key` is not that of the principal's certificate.
    """
    if key.public_key() != consent.key:
        raise WritingError("the key is not that of the certificate that consents")
    return consent.envelope + _signature(key, consent.signed)


def _signature(key: PrivateKey, data: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            return algorithm_of(key).sign(key, data)
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case rsa.RSAPrivateKey():
            return key.sign(data, PSS, hashes.SHA256())
