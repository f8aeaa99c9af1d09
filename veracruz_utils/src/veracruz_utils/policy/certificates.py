"""Certificates and keys as a policy holds them: one PEM block to DER."""

import base64
import binascii
import re
import warnings
from datetime import datetime
from typing import Final

# Checking a signature would load it late: in the sandbox, where nothing can be loaded any more.
import cryptography.hazmat.backends.openssl.backend  # noqa: F401
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.public_keys import RSA_BITS, KeyFormatError, p256_key_of_der

_BLOCK: Final = re.compile(
    r"-----BEGIN (?P<label>CERTIFICATE|PUBLIC KEY)-----\r?\n"
    r"(?P<body>[A-Za-z0-9+/=\r\n]+?)\r?\n"
    r"-----END (?P=label)-----"
)


def certificate_from_pem(text: str, *, at: datetime | None, path: str) -> bytes:
    """The DER of exactly one X.509 certificate that is valid at `at`, or ever if that is None.

    Lines may have any length, as the body's newlines carry no meaning.

    Raises:
        PolicyError: at `path`: not one clean PEM block, not a certificate, with a key of no use,
            altered since it was signed (seen only if it signed itself), expired, or not yet valid.
    """
    der = _pem_decode(text, "CERTIFICATE", PolicyErrorCode.CERTIFICATE_FORMAT, path)
    try:
        # A warning is about what RFC 5280 forbids and the library still reads, such as serial 0.
        with warnings.catch_warnings(action="error"):
            certificate = x509.load_der_x509_certificate(der)
            problem = _problem_of(certificate)
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm, Warning) as error:
        problem = f"does not parse as X.509: {str(error)[:120]!r}"
    if problem is not None:
        raise PolicyError(PolicyErrorCode.CERTIFICATE_INVALID, problem, path=path)
    if at is not None:
        _check_dates(certificate, at, path)
    return der


def public_key_from_pem(text: str, *, path: str) -> bytes:
    """The DER SubjectPublicKeyInfo of a P-256 key.

    Raises:
        PolicyError: `invalid-value` at `path`: it is anything else.
    """
    code = PolicyErrorCode.INVALID_VALUE
    der = _pem_decode(text, "PUBLIC KEY", code, path)
    try:
        p256_key_of_der(der)
    except KeyFormatError as error:
        raise PolicyError(code, str(error), path=path) from error
    return der


def _pem_decode(text: str, label: str, code: PolicyErrorCode, path: str) -> bytes:
    block = _BLOCK.fullmatch(text)
    if block is None or block["label"] != label:
        raise PolicyError(
            code,
            f"is not exactly one PEM block from its BEGIN {label} to its END {label} line, "
            "with nothing before or after",
            path=path,
        )
    body = re.sub(r"[\r\n]", "", block["body"])
    try:
        der = base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise PolicyError(code, "has a PEM body that is not base64", path=path) from error
    # The decoder drops the unused bits of the last character, whatever they are.
    if base64.b64encode(der).decode() != body:
        raise PolicyError(code, "has a PEM body with stray bits at its end", path=path)
    return der


def _problem_of(certificate: x509.Certificate) -> str | None:
    key = certificate.public_key()
    match key:
        case rsa.RSAPublicKey() if key.key_size not in RSA_BITS:
            return f"has an RSA key of {key.key_size} bits; 2048 to 8192 are accepted"
        case ec.EllipticCurvePublicKey() if key.key_size < 256:
            return f"has a key on a curve of {key.key_size} bits; 256 or more are accepted"
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey() | ed25519.Ed25519PublicKey():
            pass
        case _:
            return "has a key of another kind than RSA, ECDSA and Ed25519"
    # Of others the issuer's key is not here; the pin on the exact bytes does not need it.
    if certificate.issuer == certificate.subject:
        try:
            certificate.verify_directly_issued_by(certificate)
        except InvalidSignature:
            return "names itself as its issuer, but its signature does not verify: was it altered?"
    return None


def _check_dates(certificate: x509.Certificate, at: datetime, path: str) -> None:
    end, start = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if at > end:
        raise PolicyError(
            PolicyErrorCode.CERTIFICATE_EXPIRED,
            f"expired at {end:%Y-%m-%dT%H:%M:%SZ}, it is {at:%Y-%m-%dT%H:%M:%S%z} now: renew it",
            path=path,
        )
    if at < start:
        raise PolicyError(
            PolicyErrorCode.CERTIFICATE_NOT_YET_VALID,
            f"is valid from {start:%Y-%m-%dT%H:%M:%SZ}, it is {at:%Y-%m-%dT%H:%M:%S%z} now: "
            "wait, or set the clock right",
            path=path,
        )
