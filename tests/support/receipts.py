"""Receipts for tests, and their payload as the package's documentation has it."""

import base64
import datetime as dt
import hashlib
from dataclasses import replace

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from psa_attestation.receipts.receipt import (
    InputCommitment,
    PrivacyBalance,
    Receipt,
    RunDetails,
    RunEnd,
)
from support.psa_tokens import DEVICE, sign1_by_hand


def certificate_of(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "isolate.example")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    end = start.replace(year=2036)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, start, end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATE = certificate_of(DEVICE)
DIGEST = hashlib.sha256(CERTIFICATE).digest()
SALT = b"s" * 32
DETAILS = cbor2.dumps({0: 0, 1: b"\x05" * 32, 2: 12, 3: 34_567})
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
    end=RunEnd.FINISHED,
    details=RunDetails(0, b"\x05" * 32, 12, 34_567),
    readers=(3, 4),
    strategy="JIT",
    engine="wasmtime 50.0.1",
    debug=False,
    isolation=("landlock", "seccomp"),
    measurement=b"\x07" * 32,
    host_time=1_790_000_000,
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
    9: hashlib.sha256(
        b"".join(
            len(part).to_bytes(8) + part for part in (b"veracruz-run-details-v1", SALT, DETAILS)
        )
    ).digest(),
    10: [3, 4],
    11: "JIT",
    12: "wasmtime 50.0.1",
    13: False,
    14: ["landlock", "seccomp"],
    15: b"\x07" * 32,
    16: b"\x08" * 32,
    17: {0: "0.5", 1: "1.5", 2: "0", 3: "1/1000000"},
    18: 1_790_000_000,
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


def signed_by_hand(
    payload, *, header=None, certificate=CERTIFICATE, key=DEVICE, details=(SALT, DETAILS)
):
    """A receipt with any payload, signed by none of our own code; without details a closed one."""
    protected = cbor2.dumps(HEADER if header is None else header, canonical=True)
    unprotected = {33: certificate}
    if details is not None:
        unprotected["veracruz-details"] = list(details) if isinstance(details, tuple) else details
    return sign1_by_hand(payload, key, protected=protected, unprotected=unprotected)
