"""Endorsement certificates up to a manufacturer's: whose, for what, and when."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.endorsements import ATTESTATION, BETWEEN, ROOT, made
from support.refused_evidence import refused
from support.throwaway_chain import NOON, YEAR, authority, issue
from support.tpm_quotes import rsa_key
from tabasco.verify import Fault
from tabasco.verify.tpm.endorsement import (
    EndorsedKey,
    verify_endorsement,
    verify_key_certificate,
)
from tabasco.verify.x509.certificates import as_pem

SHARED = Path(__file__).parents[5] / "shared" / "vectors" / "tpm-more"
WEB_SERVER = "1.3.6.1.5.5.7.3.1"
P256 = ec.generate_private_key(ec.SECP256R1())


def verify(certificate, authorities=BETWEEN.pem, *, trusted=(ROOT.der,), at=NOON):
    return verify_endorsement(certificate, authorities, trusted=trusted, at=at)


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_certificate_says_which_tpm_of_whose_it_is():
    certificate = made()
    found = verify(certificate)
    assert found.key_digest == hashlib.sha256(spki(rsa_key())).digest()
    assert found.root == hashlib.sha256(ROOT.der).digest()
    assert found.facts == {
        "tpm-manufacturer": "id:00001014",
        "tpm-model": "chip",
        "tpm-version": "id:00010002",
    }
    assert found.valid_until == NOON + YEAR
    # All that a revocation can name.
    named = (certificate, BETWEEN.der, ROOT.der, spki(rsa_key()), spki(BETWEEN.key))
    assert {hashlib.sha256(each).digest() for each in named} <= {each.value for each in found.named}


def test_an_endorsed_key_is_of_one_key_and_one_tpm():
    tpm = verify(made())
    found = EndorsedKey(public_key=spki(P256), endorsement=tpm)
    assert found == EndorsedKey(spki(P256), tpm)
    assert found != EndorsedKey(spki(rsa_key()), tpm)


def test_other_names_beside_that_of_the_tpm_say_nothing_of_it():
    certificate = made(names=[x509.DNSName("tpm.example")])
    assert verify(certificate).facts == verify(made()).facts


def test_the_purpose_may_be_in_the_certificate_of_who_issues_no_others():
    purposes = {
        each: x509.ExtendedKeyUsage([x509.ObjectIdentifier(each)])
        for each in ("2.23.133.8.1", ATTESTATION)
    }
    for each, accepted in zip(purposes.values(), (True, False), strict=True):
        issuer = issue("Issuer", ROOT, authority(extensions=[(each, False)]))
        certificate = made(issuer=issuer, purposes=None)
        if accepted:
            assert verify(certificate, issuer.pem).key_digest
        else:
            with refused(Fault.CHAIN, match="not for an endorsement key"):
                verify(certificate, issuer.pem)


def test_between_certificates_people_may_say_what_they_are():
    words = b"This is the TPM's:\n"
    pem = words + as_pem(made()) + b"\n" + words + BETWEEN.pem
    assert verify(pem, b"").key_digest == verify(made()).key_digest
    assert verify(made(), words + BETWEEN.pem).key_digest


def test_a_key_on_p256_is_for_agreement():
    assert verify(made(key=P256.public_key(), enciphers=False, agrees=True)).key.key_size == 256
    with refused(Fault.CHAIN, match="not for decryption"):
        verify(made(key=P256.public_key(), enciphers=True, agrees=False))


@pytest.mark.parametrize(
    "authorities", [BETWEEN.pem, BETWEEN.pem + ROOT.pem, b"\r\n" + BETWEEN.pem]
)
def test_the_root_may_come_along_or_not(authorities):
    assert verify(made(), authorities).root == hashlib.sha256(ROOT.der).digest()


def test_the_certificate_may_bring_those_above_it():
    pem = x509.load_der_x509_certificate(made()).public_bytes(Encoding.PEM) + BETWEEN.pem
    assert verify(pem, b"").root == hashlib.sha256(ROOT.der).digest()


def test_the_authority_between_may_be_what_is_trusted():
    found = verify(made(), b"", trusted=[BETWEEN.der])
    assert found.root == hashlib.sha256(BETWEEN.der).digest()


def test_of_two_roots_of_one_name_the_one_that_signed_counts():
    renewed = issue("Maker", None, authority())
    assert verify(made(), trusted=[renewed.der, ROOT.der]).root == hashlib.sha256(ROOT.der).digest()
    with refused(Fault.CHAIN, match="not issued by"):
        verify(made(), trusted=[renewed.der])


@pytest.mark.parametrize("authorities", [b"", BETWEEN.pem])
def test_what_leads_nowhere_is_refused(authorities):
    with refused(Fault.UNKNOWN_ROOT, match="may be missing"):
        verify(made(), authorities, trusted=[issue("Other", None, authority()).der])
    with refused(Fault.UNKNOWN_ROOT, match="none of 0"):
        verify(made(), authorities, trusted=[])


def test_a_trusted_certificate_is_no_tpm_of_its_own():
    with refused(Fault.CHAIN, match="authority"):
        verify(BETWEEN.der, b"")


@pytest.mark.parametrize("purposes", [(WEB_SERVER,), (ATTESTATION,), None])
def test_a_certificate_for_something_else_is_refused(purposes):
    with refused(Fault.CHAIN, match="not for an endorsement key"):
        verify(made(purposes=purposes))


def test_a_key_that_does_not_decrypt_is_refused():
    with refused(Fault.CHAIN, match="not for decryption"):
        verify(made(enciphers=False, signs=True))


def test_what_is_critical_and_unknown_is_refused():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    with refused(Fault.CHAIN, match=r"critical extension 1\.2\.3\.4"):
        verify(made(more=[unknown]))


def test_a_leaf_of_a_leaf_is_refused():
    leaf = issue("Seller", BETWEEN, authority(authority=False, signs_certificates=False))
    with refused(Fault.CHAIN, match="not an authority"):
        verify(made(issuer=leaf), leaf.pem + BETWEEN.pem)


@pytest.mark.parametrize(
    ("at", "fault"),
    [
        (NOON - YEAR - timedelta(seconds=1), Fault.NOT_YET_VALID),
        (NOON + YEAR + timedelta(seconds=1), Fault.EXPIRED),
    ],
)
def test_every_certificate_has_its_time(at, fault):
    with refused(fault):
        verify(made(), at=at)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 3072),
    ],
    ids=["P-384", "RSA-3072"],
)
def test_keys_by_other_templates_are_told(key):
    with refused(Fault.UNSUPPORTED_ALGORITHM, match="neither RSA of 2048 bits nor on P-256"):
        verify(made(key=key.public_key(), agrees=True))


def test_a_name_with_control_characters_is_shown_harmlessly():
    assert verify(made(model="a\x1b[2J")).facts["tpm-model"] == r"'a\x1b[2J'"


def test_certificates_of_attestation_keys_are_for_signatures():
    signing = {"key": P256.public_key(), "enciphers": False, "signs": True}
    for purposes in ((ATTESTATION,), None):
        found = verify_key_certificate(
            made(**signing, purposes=purposes), BETWEEN.pem, trusted=[ROOT.der], at=NOON
        )
        assert found.public_key == spki(P256)
        assert found.issuer == "'Factory'"
    with refused(Fault.CHAIN, match="not for an attestation key"):
        verify_key_certificate(
            made(**signing, purposes=(WEB_SERVER,)), BETWEEN.pem, trusted=[ROOT.der], at=NOON
        )
    with refused(Fault.CHAIN, match="not for signatures"):
        verify_key_certificate(made(), BETWEEN.pem, trusted=[ROOT.der], at=NOON)


# What Google's machines have.

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="there are no shared vectors")
THEN = datetime(2024, 6, 1, tzinfo=UTC)


def shared(name):
    return (SHARED / name).read_bytes()


def der(name):
    return x509.load_pem_x509_certificate(shared(name)).public_bytes(Encoding.DER)


def pem(name):
    data = shared(name)
    if data.startswith(b"-----"):
        return data
    return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM)


@needs_shared
def test_the_purpose_may_be_in_the_issuers_certificate():
    root = x509.load_pem_x509_certificate(pem("gce-ekak-root.crt")).public_bytes(Encoding.DER)
    found = verify_endorsement(
        der("gce-ekcert.pem"), pem("gce-ek-intermediate.crt"), trusted=[root], at=THEN
    )
    assert found.root == hashlib.sha256(root).digest()
    with refused(Fault.CHAIN, match="not for decryption"):
        verify_endorsement(
            der("gce-akcert.pem"), pem("gce-ak-intermediate.crt"), trusted=[root], at=THEN
        )
    with refused(Fault.CHAIN, match="not issued by"):
        verify_endorsement(
            der("gce-ekcert.pem"), pem("gce-ak-intermediate.crt"), trusted=[root], at=THEN
        )
