"""Reading receipts: the certificate, the signature under it, then what is said."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.members import array, integer, mapping, octets, refused, required, text
from psa_attestation.cbor.values import Key, Value
from psa_attestation.cose.messages import ENVELOPE_LIMITS, parse
from psa_attestation.cose.signing import X5CHAIN
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.receipts.receipt import (
    INPUT_KINDS,
    MAX_RECEIPT_BYTES,
    MAX_RECEIPT_INPUTS,
    RECEIPT_FORMAT,
    InputCommitment,
    Receipt,
)
from veracruz_utils.public_keys import KeyFormatError, p256_key

_DIGEST: Final = (32,)
_INT32: Final = range(-(2**31), 2**31)
_UINT32: Final = range(2**32)
_UINT64: Final = range(2**64)
_ENVELOPE: Final = DecodeLimits(
    max_bytes=MAX_RECEIPT_BYTES, max_items=64, max_depth=8, tags=ENVELOPE_LIMITS.tags
)
# An input is five items: an array, and four in it.
_PAYLOAD: Final = DecodeLimits(
    max_bytes=MAX_RECEIPT_BYTES, max_items=64 + 5 * MAX_RECEIPT_INPUTS, max_depth=4
)


def verify_receipt(data: bytes, *, certificate_digest: bytes) -> Receipt:
    """The receipt in `data`, if the runtime with the attested certificate signed it.

    Args:
        data: as `sign_receipt` gives it, at most 256 KiB.
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
    payload = message.verify(_public_key(certificate))
    return _decode_receipt(decode(payload, _PAYLOAD))


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


def _decode_receipt(value: Value) -> Receipt:
    members = mapping(value, "the receipt")
    if not members.keys() <= set(range(11)):
        raise refused(ErrorCode.CLAIM_VALUE, "the receipt has a field that is not known")
    form = text(required(members, 0, "the format"), "the format", max_chars=32)
    if form != RECEIPT_FORMAT:
        raise refused(ErrorCode.PROFILE_UNKNOWN, f"the format is {form!r}, not {RECEIPT_FORMAT}")
    inputs = array(required(members, 3, "inputs"), "inputs", max_entries=MAX_RECEIPT_INPUTS)
    return Receipt(
        policy_digest=octets(required(members, 1, "policy"), "the policy digest", _DIGEST),
        program_digest=octets(required(members, 2, "program"), "the program digest", _DIGEST),
        inputs=tuple(_input(entry) for entry in inputs),
        output_digest=octets(required(members, 4, "output"), "the output digest", _DIGEST),
        return_code=integer(required(members, 5, "return code"), "the return code", _INT32),
        round=integer(required(members, 6, "round"), "the round", range(1, 2**32)),
        strategy=text(required(members, 7, "strategy"), "the strategy", max_chars=32),
        engine=text(required(members, 8, "engine"), "the engine", max_chars=64),
        run_ms=integer(required(members, 9, "duration"), "the duration", _UINT64),
        fuel=_fuel(members),
    )


def _fuel(members: Mapping[Key, Value]) -> int | None:
    return integer(members[10], "the fuel", _UINT64) if 10 in members else None


def _input(value: Value) -> InputCommitment:
    members = array(value, "an input", max_entries=4)
    if len(members) != 4:
        raise refused(ErrorCode.CLAIM_VALUE, f"an input has {len(members)} members, expected 4")
    return InputCommitment(
        client_id=integer(members[0], "a client id", _UINT32),
        package_id=integer(members[1], "a package id", _UINT32),
        kind=INPUT_KINDS[integer(members[2], "a kind", range(len(INPUT_KINDS)))],
        commitment=octets(members[3], "a commitment", _DIGEST),
    )
