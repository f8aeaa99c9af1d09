"""What evidence rests on is named, whatever its kind, so that it can be revoked."""

import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import dcap_evidence as dcap
from support import snp_evidence as snp
from support.evidence_seeds import seeds
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Subject

SEEDS = {each.name: each for each in seeds()}
CERTIFIED = {
    EvidenceKind.SGX,
    EvidenceKind.TDX,
    EvidenceKind.SEV_SNP,
    EvidenceKind.NITRO,
    EvidenceKind.CONFIDENTIAL_SPACE,
    EvidenceKind.TPM_AZURE,
}
IDENTIFIED = {
    EvidenceKind.SGX,
    EvidenceKind.TDX,
    EvidenceKind.SEV_SNP,
    EvidenceKind.ARM_CCA,
    EvidenceKind.PSA,
}


def digest(key):
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).digest()


@pytest.mark.parametrize("name", SEEDS)
def test_evidence_names_its_keys_and_its_certificates_and_its_platform(name):
    seed = SEEDS[name]
    subjects = {each.subject for each in seed.verify().revocable}
    expected = {Subject.KEY}
    expected |= {Subject.CERTIFICATE} if seed.kind in CERTIFIED else set()
    expected |= {Subject.INSTANCE} if seed.kind in IDENTIFIED else set()
    assert subjects >= expected


@pytest.mark.parametrize("name", SEEDS)
def test_every_measurement_can_be_revoked_but_that_of_nothing(name):
    proven = SEEDS[name].verify()
    found = [(each.name, each.value) for each in proven.revocable if each.subject == "measurement"]
    every = (proven, *proven.parts.values())
    wanted = [each for part in every for each in part.measurements.items() if any(each[1])]
    assert set(wanted) <= set(found)
    events = {event.digest for part in every for of in (part.events or {}).values() for event in of}
    assert {value for _, value in found} == {value for _, value in wanted} | events


@pytest.mark.parametrize("name", SEEDS)
def test_values_are_of_sizes_that_a_revocation_takes(name):
    sizes = {len(each.value) for each in SEEDS[name].verify().revocable}
    assert sizes <= {16, 20, 32, 33, 48, 64}


def test_a_quote_names_every_key_from_the_roots_to_its_own():
    named = {each.value for each in dcap.Recipe().verify().named}
    assert digest(dcap.ATTESTATION_KEY.public_key()) in named
    assert digest(dcap.PCK_KEY.public_key()) in named
    assert set(dcap.ROOTS) <= named


def test_a_report_names_its_chip_unless_the_host_masks_it():
    def named(recipe):
        return [each.name for each in recipe.verify().named if each.subject is Subject.INSTANCE]

    assert named(snp.Recipe()) == ["chip_id"]
    assert named(snp.Recipe(kind="VLEK", fields={0x1A0: bytes(64)})) == []
