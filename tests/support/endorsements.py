"""Endorsement certificates of a throw-away manufacturer of TPMs, right or wrong in a named way."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from support.throwaway_chain import NOON, YEAR, authority, issue
from support.tpm_quotes import rsa_key

ENDORSEMENT, ATTESTATION = "2.23.133.8.1", "2.23.133.8.3"
ROOT = issue("Maker", None, authority())
BETWEEN = issue("Factory", ROOT, authority())


def made(
    *,
    key=None,
    issuer=BETWEEN,
    purposes=(ENDORSEMENT,),
    enciphers=True,
    agrees=False,
    signs=False,
    start=NOON - YEAR,
    model="chip",
    names=(),
    more=(),
):
    """An endorsement certificate, right unless changed, as DER."""
    name = x509.Name(
        [
            x509.NameAttribute(x509.ObjectIdentifier(f"2.23.133.2.{number}"), text)
            for number, text in ((1, "id:00001014"), (2, model), (3, "id:00010002"))
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))  # as the profile has it: the name is the alternative one
        .issuer_name(issuer.certificate.subject)
        .public_key(key or rsa_key().public_key())
        .serial_number(77)
        .not_valid_before(start)
        .not_valid_after(start + 2 * YEAR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.DirectoryName(name)]), critical=True
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs,
                content_commitment=False,
                key_encipherment=enciphers,
                data_encipherment=False,
                key_agreement=agrees,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if purposes is not None:
        listed = [x509.ObjectIdentifier(each) for each in purposes]
        builder = builder.add_extension(x509.ExtendedKeyUsage(listed), critical=True)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    certificate = builder.sign(issuer.key, hashes.SHA256())
    return certificate.public_bytes(Encoding.DER)
