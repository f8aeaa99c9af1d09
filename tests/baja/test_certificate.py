"""The certificates we make."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from baja import LocalError, make_certificate
from support.tls_pair import DAY, NOW
from veracruz_utils.digest import Digest


def made(**changes):
    wanted = {"name": "isolate-1.test", "not_before": NOW, "not_after": NOW + DAY} | changes
    return make_certificate(**wanted)


def parsed(**changes) -> x509.Certificate:
    return x509.load_der_x509_certificate(made(**changes).certificate)


def test_it_is_a_version_3_certificate_with_a_true_self_signature():
    certificate = parsed()
    certificate.verify_directly_issued_by(certificate)
    assert certificate.version is x509.Version.v3
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    assert certificate.subject == certificate.issuer
    assert certificate.subject.rfc4514_string() == "CN=isolate-1.test"


def test_it_may_sign_handshakes_and_nothing_else():
    extensions = parsed().extensions
    assert {extension.oid for extension in extensions if extension.critical} == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
    }
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ]
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["isolate-1.test"]


def test_dates_are_kept_to_the_second_whatever_their_zone():
    certificate = parsed(
        not_before=datetime.fromisoformat("2026-06-01T02:00:00+02:00"),
        not_after=datetime(2060, 1, 1, tzinfo=UTC),
    )
    assert certificate.not_valid_before_utc == NOW
    assert certificate.not_valid_after_utc == datetime(2060, 1, 1, tzinfo=UTC)


def test_each_has_a_key_and_a_serial_number_of_its_own():
    first, second = made(), made()
    assert first.private_key.private_numbers() != second.private_key.private_numbers()
    assert parsed().serial_number != parsed().serial_number
    assert first.digest == Digest.of(first.certificate) != second.digest


def test_a_given_key_is_certified():
    key = ec.generate_private_key(ec.SECP256R1())
    assert parsed(key=key).public_key() == key.public_key()


def test_the_private_key_does_not_show():
    one = made()
    assert repr(one) == f"<KeyAndCertificate: {one.digest}>"


def test_the_standard_library_can_read_it():
    text = ssl.DER_cert_to_PEM_cert(made().certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "is not 1 to 64"),
        ({"name": "x" * 65}, "is not 1 to 64"),
        ({"name": "ü" * 33}, "has 66 bytes in UTF-8, at most 64 fit"),
        ({"name": "two, words"}, "is not 1 to 64"),
        ({"name": "-dash"}, "is not 1 to 64"),
        ({"name": "line\n"}, "is not 1 to 64"),
        ({"name": "ho\u202est"}, "is not 1 to 64"),
        ({"not_before": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"not_after": NOW}, "before it begins"),
        ({"not_after": NOW - timedelta(seconds=1)}, "before it begins"),
        ({"not_before": datetime(1890, 1, 1, tzinfo=UTC)}, "cannot be made"),
        ({"key": ec.generate_private_key(ec.SECP384R1())}, "secp384r1"),
    ],
)
def test_what_makes_no_certificate_is_refused(changes, problem):
    with pytest.raises(LocalError, match=problem):
        made(**changes)


@pytest.mark.parametrize("name", ["Klinikum Süd", "two words", "Labor (Nord)"])
def test_a_name_of_a_person_or_house_is_no_dns_name(name):
    certificate = x509.load_der_x509_certificate(made(name=name).certificate)
    assert certificate.subject.rfc4514_string().startswith("CN=")
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
