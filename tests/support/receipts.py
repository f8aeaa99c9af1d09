"""Receipts for tests, and their payload as the package's documentation has it."""

import base64
import datetime as dt
import hashlib
from dataclasses import replace

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from psa_attestation.receipts.receipt import InputCommitment, PrivacyBalance, Receipt, RunEnd
from support.psa_tokens import DEVICE, sign1_by_hand


def certificate_of(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "isolate.example")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    end = start.replace(year=2036)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, start, end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATE = certificate_of(DEVICE)
DIGEST = hashlib.sha256(CERTIFICATE).digest()
RECEIPT = Receipt(
    policy_digest=b"\x01" * 32,
    program_digest=b"\x02" * 32,
    number=3,
    previous_receipt=b"\x06" * 32,
    round=2,
    attempt=1,
    inputs=(
        InputCommitment(1, 0, "data", b"\x03" * 32),
        InputCommitment(2, 1, "stream", b"\x04" * 32),
    ),
    end=RunEnd.RETURNED,
    return_code=0,
    output_digest=b"\x05" * 32,
    readers=(3, 4),
    strategy="JIT",
    engine="wasmtime 50.0.1",
    run_ms=12,
    debug=False,
    isolation=("landlock", "seccomp"),
    measurement=b"\x07" * 32,
    host_time=1_790_000_000,
    fuel=34_567,
    seed=b"\x08" * 32,
    privacy=PrivacyBalance("0.5", "1.5", "0", "1/1000000"),
)
MEMBERS = {
    0: "veracruz-receipt-v2",
    1: b"\x01" * 32,
    2: b"\x02" * 32,
    3: 3,
    4: b"\x06" * 32,
    5: 2,
    6: 1,
    7: [[1, 0, 0, b"\x03" * 32], [2, 1, 1, b"\x04" * 32]],
    8: 0,
    9: 0,
    10: b"\x05" * 32,
    11: [3, 4],
    12: "JIT",
    13: "wasmtime 50.0.1",
    14: 12,
    15: 34_567,
    16: False,
    17: ["landlock", "seccomp"],
    18: b"\x07" * 32,
    19: b"\x08" * 32,
    20: {0: "0.5", 1: "1.5", 2: "0", 3: "1/1000000"},
    21: 1_790_000_000,
}
MEMBERS_V1 = {
    0: "veracruz-receipt-v1",
    1: b"\x01" * 32,
    2: b"\x02" * 32,
    3: [[1, 0, 0, b"\x03" * 32], [2, 1, 1, b"\x04" * 32]],
    4: b"\x05" * 32,
    5: 0,
    6: 1,
    7: "JIT",
    8: "wasmtime 50.0.1",
    9: 12,
    10: 34_567,
}
HEADER = {
    1: -7,
    3: "application/vnd.veracruz.receipt+cbor",
    15: {
        1: "ni:///sha-256;" + base64.urlsafe_b64encode(DIGEST).decode().rstrip("="),
        2: "ni:///sha-256;AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
    },
    34: [-16, DIGEST],
}


def changed(**changes):
    """`RECEIPT` with these fields changed."""
    return replace(RECEIPT, **changes)


def signed_by_hand(payload, *, header=None, certificate=CERTIFICATE, key=DEVICE):
    """A receipt with any payload, signed by none of our own code."""
    protected = cbor2.dumps(HEADER if header is None else header, canonical=True)
    return sign1_by_hand(payload, key, protected=protected, unprotected={33: certificate})
