"""Certificates and policy texts, good until a test spoils them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PROGRAM_DIGEST = "0123456789abcdef" * 4


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key, the same for the whole run."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key_of(name: str) -> rsa.RSAPrivateKey:
    """An RSA-2048 key, such as principals had in 2021."""
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(
    name: str,
    *,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + 30 * DAY,
    key=None,
    signed_by=None,
    issuer: str | None = None,
) -> bytes:
    """DER of a certificate; signed by itself unless told otherwise."""
    key = key or key_of(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    algorithm = None if "Ed25519" in type(signed_by or key).__name__ else hashes.SHA256()
    return builder.sign(signed_by or key, algorithm).public_bytes(serialization.Encoding.DER)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def pem(der: bytes, label: str = "CERTIFICATE", width: int | None = None) -> str:
    """One PEM block without a newline at its end; `width` columns, or all on one line."""
    body = base64.b64encode(der).decode()
    step = width or len(body)
    lines = [body[at : at + step] for at in range(0, len(body), step)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def public_key_der(key) -> bytes:
    """SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def identity(number: int, name: str, *roles: str) -> dict:
    """An entry of `identities`."""
    return {"id": number, "certificate": pem(certificate(name)), "roles": list(roles)}


def current_document() -> dict:
    """A policy of the current format: a program, two inputs, one reader."""
    return {
        "policy_version": 1,
        "identities": [
            identity(0, "paula", "PiProvider"),
            identity(1, "dora", "DataProvider"),
            identity(2, "dirk", "DataProvider", "StreamProvider"),
            identity(7, "rita", "ResultReader"),
        ],
        "sinaloa_url": "127.0.0.1:3017",
        "tabasco_url": "127.0.0.1:3010",
        "tabasco_key": pem(public_key_der(key_of("tabasco")), "PUBLIC KEY"),
        "expires_at": "2026-12-31T23:59:59Z",
        "ciphersuite": "TLS_AES_256_GCM_SHA384",
        "platforms": [{"name": "linux-software-root", "measurements": ["5a" * 32]}],
        "data_provision_order": [1, 2],
        "streaming_order": [2, 2],
        "program_digest": PROGRAM_DIGEST,
        "debug": False,
        "execution_strategy": "JIT",
    }


def document_2021() -> dict:
    """A policy of 2021: the same computation, as far as that format can say it."""
    return {
        "identities": current_document()["identities"],
        "sinaloa_url": "127.0.0.1:3017",
        "tabasco_url": "127.0.0.1:3010",
        "enclave_cert_expiry": {"year": 2026, "month": 12, "day": 31, "hour": 23, "minute": 59},
        "ciphersuite": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "mexico_city_hash_sgx": "11" * 32,
        "mexico_city_hash_tz": "22" * 32,
        "mexico_city_hash_nitro": "33" * 48,
        "mexico_city_hash_linux_software": "44" * 32,
        "data_provision_order": [1, 2],
        "streaming_order": [2, 2],
        "pi_hash": PROGRAM_DIGEST,
        "debug": False,
        "execution_strategy": "Interpretation",
    }


def text(document: object) -> bytes:
    """The JSON text."""
    return json.dumps(document).encode()
