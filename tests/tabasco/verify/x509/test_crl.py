from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from support.refused_evidence import refused
from support.throwaway_chain import NOON, Form, authority, issue, revocation_list
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import crl

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


def test_a_list_too_large_is_not_read():
    with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
        crl.load(bytes(crl.MAX_CRL_BYTES + 1))


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
