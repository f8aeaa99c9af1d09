"""Where it is said that something is revoked: once, in the part that has it, or in the whole."""

import pytest

from support.throwaway_chain import NOON
from tabasco.appraisal.policy import Decision
from tabasco.appraisal.revocation import revocation_checks, with_revocations
from tabasco.verify.errors import Fault
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import Proven

OWN, OF_PART = Named(Subject.KEY, "own key", b"o"), Named(Subject.INSTANCE, "chip", b"p")
ANOTHER = Named(Subject.CERTIFICATE, "authority", b"a")
PART = Proven(EvidenceKind.TPM, {"pcr4": b"4"}, b"", None, NOON, named=(OF_PART,))
WHOLE = Proven(EvidenceKind.COMPOSITE, {}, b"", None, NOON, named=(OWN,), parts={"tpm": PART})


def among(*revoked):
    return lambda values: values & set(revoked)


def failed(decision):
    return [check.name for check in decision.all_checks if not check.passed]


def test_what_is_revoked_of_a_part_is_said_of_that_part_alone():
    decision = Decision((), {"tpm": Decision(())})
    assert failed(with_revocations(decision, WHOLE, among(b"p"))) == ["tpm: revoked-instance.chip"]
    assert failed(with_revocations(decision, WHOLE, among(b"o"))) == ["revoked-key.own key"]
    assert failed(with_revocations(decision, WHOLE, among(b"4"))) == [
        "tpm: revoked-measurement.pcr4"
    ]


@pytest.mark.parametrize(("value", "name"), [(b"p", "instance.chip"), (b"4", "measurement.pcr4")])
def test_of_evidence_refused_without_a_look_at_its_parts_all_is_said_of_the_whole(value, name):
    found = with_revocations(Decision(()), WHOLE, among(value))
    assert failed(found) == [f"revoked-{name}"]
    assert found.parts == {}


def test_what_was_decided_before_stays():
    (earlier,) = revocation_checks([OWN], among(b"o"))
    found = with_revocations(Decision((earlier,)), PART, among())
    assert found.checks[0] is earlier
    assert (found.checks[1].name, found.checks[1].passed) == ("revocations", True)


def test_each_that_is_revoked_is_named_and_no_other():
    found = revocation_checks([OWN, OF_PART, ANOTHER], among(b"o", b"a"))
    assert [check.name for check in found] == [
        "revoked-key.own key",
        "revoked-certificate.authority",
    ]
    assert {check.fault for check in found} == {Fault.REVOKED}
    assert found[0].detail == "key own key is 6f, which is revoked"
