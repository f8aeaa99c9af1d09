"""Certificates, suites and two TLS ends joined in memory."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from baja import (
    Endpoint,
    EndpointConfig,
    KeyAndCertificate,
    PlaintextReceived,
    ServerContext,
    make_certificate,
)
from baja.client import ClientEndpoint
from veracruz_utils.digest import Digest
from veracruz_utils.policy import TLS_1_2_SUITES, TLS_1_3_SUITES, CipherSuite

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)

SUITES = TLS_1_3_SUITES + TLS_1_2_SUITES


@cache
def identity(name: str) -> KeyAndCertificate:
    """One certificate per name, valid around NOW, the same for a whole test run."""
    return make_certificate(name=name, not_before=NOW - DAY, not_after=NOW + 30 * DAY)


@cache
def rsa_identity(name: str = "rsa-2048") -> tuple[rsa.RSAPrivateKey, bytes]:
    """A self-signed RSA-2048 certificate as the principals of 2021 have them."""
    key = rsa.generate_private_key(65537, 2048)
    return key, signed(name, key.public_key(), name, key, ca=None)


def signed(subject, public_key, issuer, issuer_key, *, ca, not_after=NOW + 30 * DAY) -> bytes:
    """DER of a certificate; `ca` None leaves the basic constraints away."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(not_after)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.DER)


@cache
def ca_identity() -> KeyAndCertificate:
    """A self-signed CA:TRUE certificate, as `openssl req -x509` makes by default."""
    key = ec.generate_private_key(ec.SECP256R1())
    return KeyAndCertificate(key, signed("ca", key.public_key(), "ca", key, ca=True))


def child_of(parent: KeyAndCertificate, issuer: str) -> KeyAndCertificate:
    """A certificate signed by `parent`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = signed("child", key.public_key(), issuer, parent.private_key, ca=False)
    return KeyAndCertificate(key, certificate)


def config(who: KeyAndCertificate, suite: CipherSuite = SUITES[0]) -> EndpointConfig:
    return EndpointConfig(suite, who.private_key, who.certificate)


def server_context(*accepted: bytes, suite: CipherSuite = SUITES[0]) -> ServerContext:
    return ServerContext(config(identity("isolate"), suite), accepted=accepted)


def client(who: KeyAndCertificate, suite: CipherSuite = SUITES[0]) -> ClientEndpoint:
    """A client that pins the certificate of `identity("isolate")`."""
    pin = Digest.of(identity("isolate").certificate)
    return ClientEndpoint(
        config(who, suite), server_certificate_digest=pin, server_name="isolate.test"
    )


def pair(suite: CipherSuite = SUITES[0], who: KeyAndCertificate | None = None):
    """(client, server), nothing exchanged yet."""
    who = who or identity("alice")
    server = server_context(who.certificate, suite=suite).endpoint(now=NOW)
    return client(who, suite), server


def carry(source: Endpoint, target: Endpoint) -> list:
    """Move what one end has to say to the other; the events it causes there."""
    return target.receive_data(source.data_to_send())


def handshake(left: Endpoint, right: Endpoint) -> tuple[list, list]:
    """Start `left` and carry bytes both ways until nobody speaks; (left's, right's events)."""
    left.start()
    lefts, rights = [], []
    while left.pending_output or right.pending_output:
        rights += carry(left, right)
        lefts += carry(right, left)
    return lefts, rights


def connected(suite: CipherSuite = SUITES[0], who: KeyAndCertificate | None = None):
    """(client, server) after a good handshake."""
    left, right = pair(suite, who)
    handshake(left, right)
    return left, right


def plaintext(events: list) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, PlaintextReceived))
