"""Nitro documents made by hand under a root of our own: encoded by `cbor2`, not by our code."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from support.psa_tokens import raw_signature

MADE = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_HOUR = timedelta(hours=1)
KEYS = [ec.derive_private_key(0xA75 + n, ec.SECP384R1()) for n in range(4)]


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    path_length: int | None = None,
    authority: bool = True,
    start: datetime = MADE - _HOUR,
    end: datetime = MADE + 3 * _HOUR,
    usage: bool = True,
) -> bytes:
    """A DER certificate of `key`."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
    )
    if usage:
        bits = dict.fromkeys(
            [
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ],
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **bits),
            critical=True,
        )
    return builder.sign(issuer_key, hashes.SHA384()).public_bytes(Encoding.DER)


ROOT = certificate("root", KEYS[0], "root", KEYS[0])
ZONE = certificate("zone", KEYS[1], "root", KEYS[0], path_length=1)
HOST = certificate("host", KEYS[2], "zone", KEYS[1], path_length=0)
LEAF = certificate("leaf", KEYS[3], "host", KEYS[2], authority=False)

MEMBERS = {
    "module_id": "i-0-enc0",
    "digest": "SHA384",
    "timestamp": int(MADE.timestamp() * 1000),
    "pcrs": {index: bytes((index + 1,)) * 48 for index in range(16)},
    "certificate": LEAF,
    "cabundle": [ROOT, ZONE, HOST],
    "public_key": None,
    "user_data": b"bound",
    "nonce": b"nonce",
}


@dataclass(frozen=True)
class Recipe:
    """What to change about a document before, or instead of, signing it well."""

    changes: dict = field(default_factory=dict)
    without: str | None = None
    payload: bytes | None = None
    protected: bytes = b"\xa1\x01\x38\x22"
    unprotected: dict = field(default_factory=dict)
    key: ec.EllipticCurvePrivateKey = KEYS[3]

    def document(self) -> bytes:
        """The document's bytes; its signature covers whatever is in it."""
        members = {key: value for key, value in MEMBERS.items() if key != self.without}
        payload = self.payload
        if payload is None:
            payload = cbor2.dumps(members | self.changes)
        signed = cbor2.dumps(["Signature1", self.protected, b"", payload])
        signature = raw_signature(self.key, signed)
        return cbor2.dumps([self.protected, self.unprotected, payload, signature])
