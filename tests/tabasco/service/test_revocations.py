"""What is revoked is believed no more."""

import hashlib
from dataclasses import replace
from hashlib import sha256

import pytest

from colima.tabasco import BeginEnrolmentRequest, VerifyTokenRequest
from support.enrolment import RootAttester, spki
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry.instances import Instances
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.verify.named import Subject
from veracruz_utils.key_files import digest_of

CHALLENGE = bytes(range(32))


def enrol(service, attester):
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    return service.complete_enrolment(attester.enrolment(begun.challenge))


def refusal(call):
    with pytest.raises(RefusalError) as caught:
        call()
    return caught.value.reason


def test_tokens_of_a_runtime_whose_measurement_is_revoked_are_refused(
    service, attester, database, clock
):
    enrol(service, attester)
    request = VerifyTokenRequest(attester.token(CHALLENGE), CHALLENGE)
    service.verify_token(request)
    measurement = sha256(b"runtime").digest()
    Revocations(database).add(Subject.MEASUREMENT, measurement, "a flaw", at=clock())
    assert refusal(lambda: service.verify_token(request)) is RejectionReason.MEASUREMENT_REVOKED


def test_a_root_attester_whose_measurement_is_revoked_enrols_no_more(
    service, attester, database, clock
):
    measurement = sha256(b"sonora").digest()
    Revocations(database).add(Subject.MEASUREMENT, measurement, "", at=clock())
    assert refusal(lambda: enrol(service, attester)) is RejectionReason.MEASUREMENT_REVOKED


def test_a_root_whose_key_is_revoked_is_none_and_its_instances_are_revoked(
    service, attester, root, database, clock
):
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    service.complete_enrolment(attester.enrolment(begun.challenge))
    digest = hashlib.sha256(spki(root.key)).digest()
    Revocations(database).add(Subject.KEY, digest, "stolen", at=clock())
    assert Roots(database).all() == []
    assert [each.state(clock()) for each in Instances(database).all()] == ["revoked"]
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    with pytest.raises(RefusalError) as caught:
        service.complete_enrolment(attester.enrolment(begun.challenge))
    assert caught.value.reason is RejectionReason.ROOT_UNKNOWN
    with pytest.raises(TabascoError, match="this key is revoked"):
        Roots(database).add("again", root.key.public_key(), at=clock())


def test_a_revoked_key_does_not_enrol_and_another_does(service, attester, root, database, clock):
    digest = digest_of(attester.key.public_key())
    Revocations(database).add(Subject.KEY, digest, "lost", at=clock())
    Revocations(database).add(Subject.KEY, digest, "again", at=clock())
    assert refusal(lambda: enrol(service, attester)) is RejectionReason.KEY_REVOKED
    enrol(service, RootAttester(root))
    assert [each.reason for each in Revocations(database).all()] == ["lost"]


def test_only_who_holds_a_key_learns_that_it_is_revoked_and_before_evidence_is_looked_at(
    service, attester, database, clock
):
    digest = digest_of(attester.key.public_key())
    Revocations(database).add(Subject.KEY, digest, "lost", at=clock())
    for change, reason in (
        ({"evidence": b""}, RejectionReason.KEY_REVOKED),
        ({"proof_of_possession": bytes(64)}, RejectionReason.POSSESSION_UNPROVEN),
    ):
        begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
        request = replace(attester.enrolment(begun.challenge), **change)
        assert refusal(lambda request=request: service.complete_enrolment(request)) is reason
