"""Signing receipts, which an isolate does."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Encodable, Key, Value, WritingError
from psa_attestation.cose.signing import X5CHAIN, message1, signature1
from psa_attestation.receipts.receipt import (
    CONTENT_TYPE,
    DETAILS,
    INPUT_KINDS,
    RECEIPT_FORMAT,
    SALT_BYTES,
    InputCommitment,
    PrivacyBalance,
    Receipt,
    commit_details,
)
from psa_attestation.statements import statement_header
from veracruz_utils.frozen import frozen


@frozen
class SignedReceipt:
    """A receipt of which two messages can be made: one for readers, one for everybody else."""

    protected: bytes
    payload: bytes
    signature: bytes
    certificate: bytes
    salt: bytes
    details: bytes

    @property
    def closed(self) -> bytes:
        """The receipt without the details of the run."""
        return message1(self.protected, self._chain, self.payload, self.signature)

    @property
    def opened(self) -> bytes:
        """The receipt with the details of the run, for those who may know them."""
        headers: dict[Key, Value] = {**self._chain, DETAILS: [self.salt, self.details]}
        return message1(self.protected, headers, self.payload, self.signature)

    @property
    def _chain(self) -> dict[Key, Value]:
        return {X5CHAIN: self.certificate}


def sign_receipt(
    receipt: Receipt, key: ec.EllipticCurvePrivateKey, certificate: bytes, *, salt: bytes
) -> SignedReceipt:
    """`receipt` signed by the runtime's TLS key.

    Args:
        receipt: what was done, with its details.
        key: the key of `certificate`, on P-256.
        certificate: the runtime's TLS certificate in DER.
        salt: 32 random bytes, which nobody gets but who gets the details.

    Raises:
        WritingError: `certificate` is not `key`'s, or `key` is not on P-256; or the receipt is a
            closed one.
    """
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    if public_key != key.public_key() or key.curve.name != "secp256r1":
        raise WritingError("the certificate is not of the P-256 key that signs")
    if receipt.details is None or len(salt) != SALT_BYTES:
        raise WritingError(
            f"a receipt is signed with its details, under a salt of {SALT_BYTES} bytes"
        )
    header = statement_header(
        CONTENT_TYPE,
        certificate_digest=hashlib.sha256(certificate).digest(),
        policy_digest=receipt.policy_digest,
    )
    details = receipt.details.encode()
    payload = encode(_encode_receipt(receipt, commit_details(salt, details)))
    protected, signature = signature1(payload, key, protected=header)
    return SignedReceipt(protected, payload, signature, certificate, salt, details)


def _encode_receipt(receipt: Receipt, details: bytes) -> dict[int, Encodable]:
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
        9: details,
        10: receipt.readers,
        11: receipt.strategy,
        12: receipt.engine,
        13: receipt.debug,
        14: receipt.isolation,
        15: receipt.measurement,
        16: receipt.seed,
        17: _encode_balance(receipt.privacy),
        18: receipt.host_time,
        19: None if receipt.canonical_nans else False,
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
