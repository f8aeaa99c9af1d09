"""Reading receipts: the certificate, the signature under it, then what is said."""

import hashlib
import hmac
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.members import mapping, octets, refused, required, text
from psa_attestation.cbor.values import Key
from psa_attestation.cose.algorithms import algorithm_of
from psa_attestation.cose.messages import ENVELOPE_LIMITS, parse
from psa_attestation.cose.signing import ALG, X5CHAIN, message1
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.receipts.reading import details_commitment, read_details, read_receipt
from psa_attestation.receipts.receipt import (
    CONTENT_TYPE,
    DETAILS,
    MAX_RECEIPT_BYTES,
    MAX_RECEIPT_INPUTS,
    MAX_RECEIPT_READERS,
    RECEIPT_FORMAT,
    Receipt,
)
from psa_attestation.receipts.version_1 import RECEIPT_FORMAT_1, ReceiptV1, read_receipt_v1
from psa_attestation.statements import statement_header
from veracruz_utils.public_keys import KeyFormatError, p256_key

_UNPROTECTED: Final[frozenset[Key]] = frozenset({X5CHAIN, DETAILS})
_ENVELOPE: Final = DecodeLimits(
    max_bytes=MAX_RECEIPT_BYTES, max_items=64, max_depth=8, tags=ENVELOPE_LIMITS.tags
)
# An input is five items: an array, and four in it.
_PAYLOAD: Final = DecodeLimits(
    max_bytes=MAX_RECEIPT_BYTES,
    max_items=128 + 5 * MAX_RECEIPT_INPUTS + MAX_RECEIPT_READERS,
    max_depth=4,
)


def verify_receipt(data: bytes, *, certificate_digest: bytes) -> Receipt | ReceiptV1:
    """The receipt in `data`, if the runtime with the attested certificate signed it.

    Args:
        data: as `sign_receipt` gives it or once gave it, at most 256 KiB.
        certificate_digest: SHA-256 of the certificate (DER), from a verified token.

    Raises:
        AttestationError: anything else.
    """
    message = parse(data, _ENVELOPE)
    certificate = octets(
        required(message.unprotected, X5CHAIN, "the certificate"),
        "the certificate",
        range(1, MAX_RECEIPT_BYTES),
    )
    # Before the key in it is used: everybody can sign with a certificate of their own making.
    found = hashlib.sha256(certificate).digest()
    if not hmac.compare_digest(found, certificate_digest):
        raise AttestationError(
            ErrorCode.CERTIFICATE_MISMATCH,
            Stage.BINDING,
            f"the receipt is by certificate {found.hex()}, attested is {certificate_digest.hex()}",
        )
    key = _public_key(certificate)
    members = mapping(decode(message.verify(key), _PAYLOAD), "the receipt")
    form = text(required(members, 0, "the format"), "the format", max_chars=32)
    if not message.unprotected.keys() <= _UNPROTECTED:
        raise refused(ErrorCode.CLAIM_VALUE, "an unprotected header parameter is not known")
    if form == RECEIPT_FORMAT_1:
        return read_receipt_v1(members)
    if form != RECEIPT_FORMAT:
        raise refused(ErrorCode.PROFILE_UNKNOWN, f"the format is {form!r}, not {RECEIPT_FORMAT}")
    details = None
    if DETAILS in message.unprotected:
        details = read_details(message.unprotected[DETAILS], members)
    details_commitment(members)  # there, and well formed, if they are not
    receipt = read_receipt(members, details)
    _check_header(message.protected, certificate_digest, receipt.policy_digest, key)
    return receipt


def closed_digest(data: bytes) -> bytes:
    """SHA-256 of a receipt without the details of its run: what the receipt after it names.

    Raises:
        AttestationError: `data` is no COSE_Sign1 with a certificate.
    """
    message = parse(data, _ENVELOPE)
    certificate = octets(
        required(message.unprotected, X5CHAIN, "the certificate"),
        "the certificate",
        range(1, MAX_RECEIPT_BYTES),
    )
    closed = message1(message.protected, {X5CHAIN: certificate}, message.payload, message.proof)
    return hashlib.sha256(closed).digest()


def _check_header(
    protected: bytes, certificate: bytes, policy: bytes, key: ec.EllipticCurvePublicKey
) -> None:
    """Refuse a header that says other things of issuer and subject than the receipt does."""
    header = statement_header(CONTENT_TYPE, certificate_digest=certificate, policy_digest=policy)
    # A tool that reads no further than the header must not be told what the receipt does not say.
    if protected != encode({**header, ALG: algorithm_of(key).identifiers[0]}):
        raise refused(
            ErrorCode.CLAIM_VALUE,
            "the header does not name the certificate, the policy and the form of the receipt",
        )


def _public_key(certificate: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return p256_key(x509.load_der_x509_certificate(certificate).public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad_certificate("is not an X.509 certificate we can read") from error
    except KeyFormatError as error:
        raise _bad_certificate(f"has a key that {error}") from error


def _bad_certificate(why: str) -> AttestationError:
    return AttestationError(
        ErrorCode.CERTIFICATE, Stage.KEY, f"the certificate in the receipt {why}"
    )
