"""Kinds of evidence that are known by their form, and refused for what they lack."""

import json

import pytest

from support.event_logs import boot
from support.refused_evidence import refused
from support.throwaway_chain import NOON
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.detection import kind_of
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means

CSV = {
    "attestation_report": {"data": [0] * 2548},
    "cert_chain": {"pek": {}},
    "serial_number": [*b"KPA64911240507", *[0] * 50],
}


def verify(data, kind):
    return verify_evidence(data, kind, means=Means(), at=NOON)


def csv(**changes):
    return json.dumps(CSV | changes).encode()


def test_hygons_evidence_is_named_with_its_chip_and_what_it_lacks():
    assert kind_of(csv()) is EvidenceKind.CSV
    with refused(
        Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL, match="KPA64911240507.*HRK.*SM2"
    ):
        verify(csv(), EvidenceKind.CSV)
    complete = csv(cert_chain={"pek": {}, "hsk_cek": {"hsk": {}, "cek": {}}})
    with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.SIGNATURE, match="SM2"):
        verify(complete, EvidenceKind.CSV)


@pytest.mark.parametrize(
    "changes",
    [
        {"attestation_report": []},
        {"attestation_report": {"data": [0] * 5000}},
        {"attestation_report": {"data": [256]}},
        {"serial_number": [0] * 64},
        {"serial_number": [27, 91]},
        {"serial_number": [65] * 65},
        {"cert_chain": []},
    ],
    ids=range(7),
)
def test_hygons_evidence_of_another_form_is_malformed(changes):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(csv(**changes), EvidenceKind.CSV)


def test_claims_that_nobody_signed_are_no_evidence():
    claims = {"eat_nonce": "n", "ueid": "u", "submods": {"a": {}, "b": ["JWT", "x"]}}
    data = json.dumps(claims).encode()
    assert kind_of(data) is EvidenceKind.EAT
    with refused(Fault.UNSIGNED, VerificationStage.SIGNATURE, match="3 claims.*2 submodules"):
        verify(data, EvidenceKind.EAT)
    for other in (b"[]", b"{", b'"text"'):
        with pytest.raises(EvidenceError):
            verify(other, EvidenceKind.EAT)


def test_an_event_log_alone_is_no_evidence():
    assert kind_of(boot()) is EvidenceKind.EVENT_LOG
    with refused(Fault.UNSIGNED, VerificationStage.SIGNATURE, match="registers 4, 5 is signed"):
        verify(boot(), EvidenceKind.EVENT_LOG)
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(boot()[:-1], EvidenceKind.EVENT_LOG)
