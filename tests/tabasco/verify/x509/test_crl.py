from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from support.refused_evidence import refused
from support.throwaway_chain import NOON, Form, authority, issue, revocation_list
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import crl, der

ROOT = issue("root", None, authority())
LEAF = issue("leaf", ROOT, Form(serial=99))
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def check(encoded, *, issuer=ROOT, at=NOON):
    return crl.check(crl.load(encoded), issuer.certificate, at=at)


def test_a_current_list_says_when_the_next_one_comes():
    assert check(revocation_list(ROOT)) == NOON + DAY
    assert check(revocation_list(ROOT), at=NOON + DAY) == NOON + DAY


def test_who_is_on_the_list_is_revoked_and_nobody_else():
    crl.check_not_revoked(crl.load(revocation_list(ROOT, 98, 100)), LEAF.certificate)
    with refused(Fault.REVOKED, VerificationStage.CHAIN):
        crl.check_not_revoked(crl.load(revocation_list(ROOT, 98, 99)), LEAF.certificate)


def test_a_list_by_another_authority_is_not_taken():
    other = issue("other", None, authority())
    with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
        check(revocation_list(other))


def test_a_list_signed_by_another_key_is_not_taken():
    with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
        check(revocation_list(ROOT, key=ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize(
    "form", [Form(authority=True), authority(signs_lists=False)], ids=["neither", "certificates"]
)
def test_an_issuer_that_may_not_sign_lists_is_not_believed(form):
    issuer = issue("issuer", ROOT, form)
    with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
        check(revocation_list(issuer), issuer=issuer)


def test_an_issuer_that_may_sign_lists_alone_is_believed():
    issuer = issue("issuer", ROOT, authority(signs_certificates=False, signs_lists=True))
    assert check(revocation_list(issuer), issuer=issuer)


def test_a_list_is_used_in_its_own_time_alone():
    with refused(Fault.EXPIRED, VerificationStage.COLLATERAL):
        check(revocation_list(ROOT), at=NOON + DAY + SECOND)
    with refused(Fault.NOT_YET_VALID, VerificationStage.COLLATERAL):
        check(revocation_list(ROOT), at=NOON - DAY - SECOND)


def test_a_list_for_a_part_of_the_certificates_is_refused():
    part = x509.IssuingDistributionPoint(
        full_name=None,
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=True,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
        crl.load(revocation_list(ROOT, extensions=[(part, True)]))
    with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
        crl.load(revocation_list(ROOT, extensions=[(x509.DeltaCRLIndicator(1), True)]))


@pytest.mark.parametrize("critical", [True, False])
def test_extensions_that_change_nothing_are_read(critical):
    assert check(revocation_list(ROOT, extensions=[(x509.CRLNumber(7), critical)]))


def test_an_extension_that_nobody_knows_is_refused_where_it_is_critical():
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
    assert check(revocation_list(ROOT, extensions=[(strange, False)]))
    with refused(Fault.MALFORMED, VerificationStage.COLLATERAL, match="critical extension"):
        crl.load(revocation_list(ROOT, extensions=[(strange, True)]))


def test_a_list_too_large_is_not_read():
    for size, complaint in ((crl.MAX_CRL_BYTES, "follow"), (crl.MAX_CRL_BYTES + 1, "at most")):
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL, match=complaint):
            crl.load(bytes(size))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("020101300a", "020102300a", "cannot be read"),
        ("020101300a", "0a0101300a", "not of version 2"),
        ("310d300b0603550403", "300d300b0603550403", "has tag 0x30, expected 0x31"),
        ("170d323531323331", "170d323531333331", "cannot be read"),
        ("170d323630313032", "170d323630303032", "cannot be read"),
    ],
    ids=["version-3", "no-version", "name", "begin", "end"],
)
def test_a_list_in_another_form_is_refused_when_it_is_read(before, after, complaint):
    encoded = revocation_list(ROOT)
    assert encoded.count(bytes.fromhex(before)) == 1
    with refused(Fault.MALFORMED, VerificationStage.COLLATERAL, match=complaint):
        crl.load(encoded.replace(bytes.fromhex(before), bytes.fromhex(after)))


def test_a_list_without_an_end_is_refused():
    body, algorithm, _ = der.signed(revocation_list(ROOT, end=NOON + DAY))
    endless = sequence(body.content.replace(b"\x17\x0d260102120000Z", b""))
    signature = ROOT.key.sign(endless, ec.ECDSA(hashes.SHA256()))
    bits = bytes([der.BIT_STRING, len(signature) + 1, 0]) + signature
    with refused(Fault.MALFORMED, VerificationStage.COLLATERAL, match="when it ends"):
        check(sequence(endless + algorithm.encoded + bits))


def sequence(content):
    length = [len(content)] if len(content) < 0x80 else [0x81, len(content)]
    return bytes([der.SEQUENCE, *length]) + content


def test_a_list_signed_by_an_algorithm_off_our_list_is_not_taken():
    with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
        check(revocation_list(ROOT, algorithm=hashes.SHA224()))


def test_an_issuer_whose_key_is_of_another_kind_is_not_believed():
    issuer = issue("issuer", ROOT, authority(key=ed25519.Ed25519PrivateKey.generate()))
    with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
        check(revocation_list(issuer, key=ROOT.key), issuer=issuer)


def test_an_issuer_with_a_key_for_another_algorithm_is_not_believed():
    issuer = issue("issuer", ROOT, authority(key=rsa.generate_private_key(65537, 2048)))
    with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
        check(revocation_list(issuer, key=ROOT.key), issuer=issuer)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_list(data):
    with pytest.raises(EvidenceError):
        crl.load(data)


GOOD = revocation_list(ROOT, 1, 2, 3)


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_a_list_with_one_bit_flipped_is_refused(bit):
    changed = bytearray(GOOD)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceError):
        check(bytes(changed))
