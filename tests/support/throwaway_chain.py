"""Certificates and revocation lists of a throw-away authority, good or wrong in a named way."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Member:
    """A certificate and the key it is for."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class Form:
    """How a certificate is made; as it stands, a leaf valid for a year around NOON."""

    authority: bool | None = False
    path_length: int | None = None
    signs_certificates: bool = False
    signs_lists: bool | None = None  # as certificates
    usage: bool = True
    start: datetime = NOON - YEAR
    end: datetime = NOON + YEAR
    serial: int = 4711
    extensions: list[tuple[x509.ExtensionType, bool]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None
    curve: type[ec.EllipticCurve] = ec.SECP256R1
    hash: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    pss: bool = False


def authority(**changes) -> Form:
    """The form of an authority."""
    return Form(**({"authority": True, "signs_certificates": True} | changes))


def issue(common_name: str, issuer: Member | None, form: Form) -> Member:
    """A certificate by `issuer`, or by itself."""
    key = form.key or ec.generate_private_key(form.curve())
    subject = named(common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(form.serial)
        .not_valid_before(form.start)
        .not_valid_after(form.end)
    )
    if form.authority is not None:
        constraints = x509.BasicConstraints(ca=form.authority, path_length=form.path_length)
        builder = builder.add_extension(constraints, critical=True)
    if form.usage:
        builder = builder.add_extension(usage(form), critical=True)
    for extension, critical in form.extensions:
        builder = builder.add_extension(extension, critical=critical)
    signer = issuer.key if issuer else key
    return Member(builder.sign(signer, form.hash, rsa_padding=pss(form)), key)


def revocation_list(
    issuer: Member,
    *serials: int,
    start: datetime = NOON - timedelta(days=1),
    end: datetime = NOON + timedelta(days=1),
    key=None,
    algorithm: hashes.HashAlgorithm | None = None,
    extensions=(),
) -> bytes:
    """A revocation list in DER, signed by `key` where it is not the issuer's."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(start)
        .next_update(end)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    crl = builder.sign(key or issuer.key, algorithm or hashes.SHA256())
    return crl.public_bytes(serialization.Encoding.DER)


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(form: Form) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not form.signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=form.signs_certificates,
        crl_sign=form.signs_certificates if form.signs_lists is None else form.signs_lists,
        encipher_only=False,
        decipher_only=False,
    )


def pss(form: Form) -> padding.PSS | None:
    if not form.pss:
        return None
    return padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
