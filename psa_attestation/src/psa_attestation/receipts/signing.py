"""Signing receipts, which an isolate does."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Encodable, WritingError
from psa_attestation.cose.signing import X5CHAIN, sign1
from psa_attestation.receipts.receipt import (
    CONTENT_TYPE,
    INPUT_KINDS,
    RECEIPT_FORMAT,
    InputCommitment,
    PrivacyBalance,
    Receipt,
)
from psa_attestation.statements import statement_header


def sign_receipt(receipt: Receipt, key: ec.EllipticCurvePrivateKey, certificate: bytes) -> bytes:
    """`receipt` signed by the runtime's TLS key.

    Args:
        receipt: what was done.
        key: the key of `certificate`, on P-256.
        certificate: the runtime's TLS certificate in DER.

    Raises:
        WritingError: `certificate` is not `key`'s, or `key` is not on P-256.
    """
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    if public_key != key.public_key() or key.curve.name != "secp256r1":
        raise WritingError("the certificate is not of the P-256 key that signs")
    header = statement_header(
        CONTENT_TYPE,
        certificate_digest=hashlib.sha256(certificate).digest(),
        policy_digest=receipt.policy_digest,
    )
    payload = encode(_encode_receipt(receipt))
    return sign1(payload, key, protected=header, unprotected={X5CHAIN: certificate})


def _encode_receipt(receipt: Receipt) -> dict[int, Encodable]:
    members: dict[int, Encodable] = {
        0: RECEIPT_FORMAT,
        1: receipt.policy_digest,
        2: receipt.program_digest,
        3: receipt.number,
        4: receipt.previous_receipt,
        5: receipt.round,
        6: receipt.attempt,
        7: [_encode_input(commitment) for commitment in receipt.inputs],
        8: receipt.end.value,
        9: receipt.return_code,
        10: receipt.output_digest,
        11: receipt.readers,
        12: receipt.strategy,
        13: receipt.engine,
        14: receipt.run_ms,
        15: receipt.fuel,
        16: receipt.debug,
        17: receipt.isolation,
        18: receipt.measurement,
        19: receipt.seed,
        20: _encode_balance(receipt.privacy),
        21: receipt.host_time,
    }
    # What there is none of is absent: no member of a receipt is null.
    return {key: member for key, member in members.items() if member is not None}


def _encode_input(commitment: InputCommitment) -> list[Encodable]:
    kind = INPUT_KINDS.index(commitment.kind)
    return [commitment.client_id, commitment.package_id, kind, commitment.commitment]


def _encode_balance(balance: PrivacyBalance | None) -> dict[int, Encodable] | None:
    if balance is None:
        return None
    return {
        0: balance.epsilon_spent,
        1: balance.epsilon_left,
        2: balance.delta_spent,
        3: balance.delta_left,
    }
