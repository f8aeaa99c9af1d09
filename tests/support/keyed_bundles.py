"""Bundles whose policy has a certificate on each kind of key, by each kind of signature.

One certificate names itself as its issuer, one does not; of each there is an honest one and one
whose signature, and one whose key, has another bit.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.forged_bundles import DIRK, DORA, PAULA, RITA, Forger

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2050, 1, 1, tzinfo=UTC)
CURVES = (
    ec.SECP192R1,
    ec.SECP224R1,
    ec.SECP256R1,
    ec.SECP384R1,
    ec.SECP521R1,
    ec.SECP256K1,
    ec.BrainpoolP256R1,
    ec.BrainpoolP384R1,
    ec.BrainpoolP512R1,
)
HASHES = (
    hashes.SHA224(),
    hashes.SHA256(),
    hashes.SHA384(),
    hashes.SHA512(),
    hashes.SHA3_256(),
    hashes.SHA3_512(),
)


def keyed_bundles() -> dict[str, bytes]:
    """All of them, by what the certificate is."""
    made = {}
    for name, der in _certificates():
        body = base64.b64encode(der).decode()
        pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"
        people = [PAULA, DORA, DIRK, RITA | {"certificate": pem}]

        def document(honest: Any, people: Any = people) -> Any:
            return honest | {"identities": people}

        made[name] = Forger(document=document).bundle()
    return made


def _certificates() -> Iterator[tuple[str, bytes]]:
    for kind, key, digest, more in _kinds():
        for itself in (True, False):
            try:
                made = _certificate(key, digest, itself=itself, **more)
            except (UnsupportedAlgorithm, ValueError, TypeError):  # OpenSSL has it no more
                continue
            der = made.public_bytes(Encoding.DER)
            name = f"{kind}, {'of itself' if itself else 'of another'}"
            yield name, der
            yield f"{name}, signature altered", _flipped(der, len(der) - 4)
            point = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            yield f"{name}, key altered", _flipped(der, der.index(point) + len(point) - 6)


def _kinds() -> Iterator[tuple[str, Any, hashes.HashAlgorithm | None, dict[str, Any]]]:
    for curve in CURVES:
        try:
            key = ec.generate_private_key(curve())
        except UnsupportedAlgorithm:
            continue
        for digest in HASHES:
            yield f"{curve.name} {digest.name}", key, digest, {}
    for bits in (1024, 2048, 3072, 4096):
        rsa_key = rsa.generate_private_key(65537, bits)
        for digest in HASHES:
            yield f"RSA {bits} {digest.name}", rsa_key, digest, {}
        for salt in ("digest", "most"):
            length = padding.PSS.DIGEST_LENGTH if salt == "digest" else padding.PSS.MAX_LENGTH
            rule = padding.PSS(padding.MGF1(hashes.SHA256()), length)
            yield f"RSA {bits} PSS {salt}", rsa_key, hashes.SHA256(), {"rsa_padding": rule}
    yield "RSA 2048 to the 3", rsa.generate_private_key(3, 2048), hashes.SHA256(), {}
    yield "Ed25519", ed25519.Ed25519PrivateKey.generate(), None, {}
    yield "Ed448", ed448.Ed448PrivateKey.generate(), None, {}
    yield "DSA", dsa.generate_private_key(2048), hashes.SHA256(), {}


def _certificate(
    key: Any, digest: hashes.HashAlgorithm | None, *, itself: bool, **more: Any
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rita")])
    other = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if itself else other)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .sign(key, digest, **more)
    )


def _flipped(der: bytes, at: int) -> bytes:
    return der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
