"""Certificates of TPMs' attestation keys: who vouches, revocation, and Google's real ones."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from support.refused_evidence import refused
from support.throwaway_chain import NOON, Form, authority, issue, revocation_list
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.tpm.endorsement import verify_key_certificate
from tabasco.verify.x509.certificates import as_pem, is_pem

SHARED = Path(__file__).parents[5] / "shared" / "vectors" / "tpm-more"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")
ROOT = issue("root", None, authority())
MIDDLE = issue("middle", ROOT, authority(path_length=0))
LEAF = issue("an attestation key", MIDDLE, Form())
OTHER = issue("root", None, authority())


def key_of(leaf=LEAF, above=(MIDDLE, ROOT), trusted=(ROOT,), **changes):
    authorities = b"".join(each.pem for each in above)
    roots = [each.der for each in trusted]
    return verify_key_certificate(leaf.der, authorities, trusted=roots, **{"at": NOON} | changes)


class TestOwn:
    def test_a_certificate_that_leads_to_a_trusted_root_certifies_its_key(self):
        found = key_of()
        key = load_der_public_key(found.public_key)
        assert key.public_numbers() == LEAF.certificate.public_key().public_numbers()
        assert "middle" in found.issuer
        assert key_of(above=(MIDDLE,)) == found

    def test_no_root_is_trusted_that_the_caller_does_not_name(self):
        for trusted, above in (((OTHER,), (MIDDLE, ROOT)), ((ROOT,), (MIDDLE, OTHER))):
            with pytest.raises(EvidenceError) as caught:
                key_of(trusted=trusted, above=above)
            assert caught.value.fault in {Fault.UNKNOWN_ROOT, Fault.CHAIN}

    def test_an_authority_is_no_attestation_key(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            key_of(leaf=MIDDLE, above=(ROOT,))

    def test_a_list_of_revoked_certificates_is_by_an_authority_and_counts(self):
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            key_of(revoked=revocation_list(issue("another", None, authority())))
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            key_of(revoked=revocation_list(MIDDLE, LEAF.certificate.serial_number))
        assert key_of(revoked=revocation_list(MIDDLE)).valid_until < key_of().valid_until


VERDICTS = {
    "gce-ak-certificate": None,
    "gce-ek-certificate": (Fault.CHAIN, VerificationStage.CHAIN),
    "gce-ak-certificate-crl": (Fault.EXPIRED, VerificationStage.COLLATERAL),
    "gce-ak-under-ek-intermediate": (Fault.CHAIN, VerificationStage.CHAIN),
    "gce-pca-ecc-ak": None,
    "gce-pca-rsa-enc": (Fault.CHAIN, VerificationStage.CHAIN),
    "NEG-gce-akcert-signature-flipped": (Fault.CHAIN, VerificationStage.CHAIN),
}


def vectors():
    path = SHARED / "expected.json"
    found = json.loads(path.read_text())["vectors"] if path.exists() else []
    return [vector for vector in found if vector["id"] in VERDICTS]


@needs_shared
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_certificates_of_googles_machines_get_their_verdicts(vector):
    leaf, middle, root, *lists = [(SHARED / name).read_bytes() for name in vector["files"]]
    middle = middle if is_pem(middle) else as_pem(middle)

    def found():
        return verify_key_certificate(
            leaf,
            middle,
            trusted=[root],
            revoked=lists[0] if lists else None,
            at=datetime(2024, 6, 1, tzinfo=UTC),
        )

    verdict = VERDICTS[vector["id"]]
    if verdict is None:
        key = load_der_public_key(found().public_key)
        assert isinstance(key, ec.EllipticCurvePublicKey) == ("ecc" in vector["id"])
        return
    with refused(*verdict):
        found()
