"""Self-signed certificates, for isolates and for principals."""

import re
from dataclasses import field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from baja.errors import LocalError
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
# As in a policy: letters and digits of any script, and few signs between them.
_NAME_BYTES: Final = 64
"""As cryptography has it; X.520 says characters."""
_NAME: Final = re.compile(r"\w(?:[\w .&'()-]{0,62}[\w.)])?")


@frozen
class KeyAndCertificate:
    """A private key and the certificate (DER) of its public half; the key never shows in `repr`."""

    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: bytes

    @property
    def digest(self) -> Digest:
        """SHA-256 of the certificate's DER: what gets pinned and attested."""
        return Digest.of(self.certificate)

    def __repr__(self) -> str:
        return f"<KeyAndCertificate: {self.digest}>"


def _usage() -> x509.KeyUsage:
    """Signing handshakes, and nothing else: in particular no other certificate."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _refuse_bad_request(name: str, not_before: datetime, not_after: datetime) -> None:
    if not _NAME.fullmatch(name):
        raise LocalError(
            f"certificate name {name[:80]!r} is not 1 to 64 letters, digits, spaces and "
            ". _ - & ' ( )"
        )
    if (size := len(name.encode())) > _NAME_BYTES:
        raise LocalError(f"certificate name {name!r} has {size} bytes in UTF-8, at most 64 fit")
    if not_before.tzinfo is None or not_after.tzinfo is None:
        raise LocalError("certificate dates need a time zone, these have none")
    if not_before >= not_after:
        raise LocalError(f"certificate would end {not_after} before it begins {not_before}")


def make_certificate(
    *,
    name: str,
    not_before: datetime,
    not_after: datetime,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> KeyAndCertificate:
    """A self-signed X.509 v3 certificate for both ends of TLS, and its P-256 key.

    Args:
        name: common name, at most 64 letters, digits, spaces and a few signs; the DNS name as well
            where it can be one.
        not_before: first moment of validity (with time zone; whole seconds count).
        not_after: last moment of validity.
        key: the key to certify; a fresh one when absent.

    Raises:
        LocalError: a name, dates or key (not P-256) that no certificate is made of.

    Standard: RFC 5280 sections 4.1 and 4.2.
    """
    _refuse_bad_request(name, not_before, not_after)
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
    if not isinstance(key.curve, ec.SECP256R1):
        raise LocalError(f"certificate key is on {key.curve.name}, it must be on secp256r1")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = key.public_key()
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    try:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if _HOST.fullmatch(name):
            host = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(host, critical=False)
        certificate = builder.sign(key, hashes.SHA256())
    except ValueError as error:  # dates X.509 cannot express
        raise LocalError(f"certificate cannot be made: {error}") from error
    return KeyAndCertificate(key, certificate.public_bytes(serialization.Encoding.DER))
