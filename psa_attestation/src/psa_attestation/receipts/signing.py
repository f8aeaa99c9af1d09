"""Signing receipts: the one thing of this package that an isolate does."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Encodable, WritingError
from psa_attestation.cose.signing import X5CHAIN, sign1
from psa_attestation.receipts.receipt import INPUT_KINDS, RECEIPT_FORMAT, InputCommitment, Receipt


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
    return sign1(encode(_encode_receipt(receipt)), key, unprotected={X5CHAIN: certificate})


def _encode_receipt(receipt: Receipt) -> dict[int, Encodable]:
    members: dict[int, Encodable] = {
        0: RECEIPT_FORMAT,
        1: receipt.policy_digest,
        2: receipt.program_digest,
        3: [_encode_input(commitment) for commitment in receipt.inputs],
        4: receipt.output_digest,
        5: receipt.return_code,
        6: receipt.round,
        7: receipt.strategy,
        8: receipt.engine,
        9: receipt.run_ms,
    }
    if receipt.fuel is not None:
        members[10] = receipt.fuel
    return members


def _encode_input(commitment: InputCommitment) -> list[Encodable]:
    kind = INPUT_KINDS.index(commitment.kind)
    return [commitment.client_id, commitment.package_id, kind, commitment.commitment]
