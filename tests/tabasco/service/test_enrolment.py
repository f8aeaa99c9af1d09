"""Enrolment: only a live challenge, a key the caller holds, and evidence by a registered root."""

import threading
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from colima.tabasco import BeginEnrolmentRequest, DescribeServiceRequest
from psa_attestation.tokens.runtime import mint_runtime_token
from support.enrolment import RootAttester, SoftwareRoot, es256, new_key, spki
from tabasco import BusyError, DatabaseError, RefusalError, RejectionReason
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings

PLATFORM = "linux-software-root"


@pytest.fixture
def instances(database):
    return Instances(database)


def begin(service):
    return service.begin_enrolment(BeginEnrolmentRequest(PLATFORM)).challenge


def reason(service, request):
    with pytest.raises(RefusalError) as caught:
        service.complete_enrolment(request)
    return caught.value.reason


def test_an_attester_with_a_registered_root_enrols_for_a_day(service, attester, instances, clock):
    begun = service.begin_enrolment(BeginEnrolmentRequest(PLATFORM))
    assert begun.expires_in_s == 120
    answer = service.complete_enrolment(attester.enrolment(begun.challenge))
    assert (answer.instance_id, answer.expires_in_s) == (attester.instance_id, 24 * 60 * 60)
    (instance,) = instances.all()
    assert instance == instances.find(attester.instance_id)
    assert instance.public_key == spki(attester.key)
    assert (instance.platform, instance.version, instance.root) == (PLATFORM, "1.2.3", "lab")
    assert instance.measurement == sha256(b"sonora").digest()
    assert instance.enrolled_at == clock()
    assert (instance.expires_at - instance.enrolled_at).total_seconds() == 24 * 60 * 60
    assert instance.state(clock()) == "live"


def test_an_attester_enrols_again_with_the_same_key_or_another(service, attester, instances, clock):
    service.complete_enrolment(attester.enrolment(begin(service)))
    clock.advance(hours=30)
    assert instances.find(attester.instance_id).state(clock()) == "expired"
    service.complete_enrolment(attester.enrolment(begin(service)))
    assert instances.find(attester.instance_id).state(clock()) == "live"
    fresh = RootAttester(attester.root)
    service.complete_enrolment(fresh.enrolment(begin(service)))
    assert {found.instance_id for found in instances.all()} == {
        attester.instance_id,
        fresh.instance_id,
    }


def test_a_platform_we_do_not_verify_is_refused_at_both_steps(service, attester):
    with pytest.raises(RefusalError) as caught:
        service.begin_enrolment(BeginEnrolmentRequest("abacus"))
    assert caught.value.reason is RejectionReason.PLATFORM_UNKNOWN
    request = replace(attester.enrolment(begin(service)), platform="abacus")
    assert reason(service, request) is RejectionReason.PLATFORM_UNKNOWN


def test_evidence_by_a_root_nobody_registered_is_refused(service, instances):
    stranger = RootAttester(SoftwareRoot())
    assert reason(service, stranger.enrolment(begin(service))) is RejectionReason.ROOT_UNKNOWN
    assert instances.all() == []


def test_evidence_by_a_removed_root_is_refused(service, attester, database, clock):
    challenge = begin(service)
    Roots(database).remove("lab", at=clock())
    assert reason(service, attester.enrolment(challenge)) is RejectionReason.ROOT_UNKNOWN


def test_a_replayed_enrolment_is_refused(service, attester):
    request = attester.enrolment(begin(service))
    service.complete_enrolment(request)
    assert reason(service, request) is RejectionReason.CHALLENGE_NOT_LIVE


def test_an_expired_challenge_is_refused(service, attester, clock):
    request = attester.enrolment(begin(service))
    clock.advance(seconds=120)
    assert reason(service, request) is RejectionReason.CHALLENGE_NOT_LIVE


def test_a_challenge_of_our_own_making_is_refused(service, attester):
    assert reason(service, attester.enrolment(bytes(32))) is RejectionReason.CHALLENGE_NOT_LIVE


def test_a_failed_attempt_uses_its_challenge_up(service, attester, instances):
    good = attester.enrolment(begin(service))
    forged = replace(good, proof_of_possession=bytes(64))
    assert reason(service, forged) is RejectionReason.POSSESSION_UNPROVEN
    assert reason(service, good) is RejectionReason.CHALLENGE_NOT_LIVE
    assert instances.all() == []


def test_evidence_for_another_challenge_is_refused(service, attester):
    old, new = begin(service), begin(service)
    request = replace(
        attester.enrolment(old),
        challenge=new,
        proof_of_possession=es256(attester.key, attester.binding(new)),
    )
    assert reason(service, request) is RejectionReason.EVIDENCE_REFUSED


def test_evidence_about_another_key_is_refused(service, attester):
    challenge = begin(service)
    thief = RootAttester(SoftwareRoot())
    request = replace(
        attester.enrolment(challenge),
        public_key=spki(thief.key),
        proof_of_possession=es256(thief.key, thief.binding(challenge)),
    )
    assert reason(service, request) is RejectionReason.EVIDENCE_REFUSED


def test_evidence_for_another_audience_is_refused(service, attester):
    challenge = begin(service)
    diverted = attester.binding(challenge, audience="somebody else")
    request = replace(attester.enrolment(challenge), evidence=attester.root.evidence(diverted))
    assert reason(service, request) is RejectionReason.EVIDENCE_REFUSED


def test_evidence_that_is_a_token_about_a_runtime_is_refused(service, attester):
    challenge = begin(service)
    token = mint_runtime_token(
        key=attester.root.key,
        challenge=attester.binding(challenge),
        platform=PLATFORM,
        runtime_measurement=bytes(32),
        runtime_version="1",
        certificate_digest=bytes(32),
        policy_digest=bytes(32),
        isolation=frozenset(),
    )
    request = replace(attester.enrolment(challenge), evidence=token)
    assert reason(service, request) is RejectionReason.EVIDENCE_REFUSED


@pytest.mark.parametrize("version", ["x" * 65, "1.0\x1b[2J", "1\n2"])
def test_evidence_with_a_version_that_would_spoil_a_terminal_is_refused(service, attester, version):
    challenge = begin(service)
    evidence = attester.root.evidence(attester.binding(challenge), version=version)
    request = replace(attester.enrolment(challenge), evidence=evidence)
    assert reason(service, request) is RejectionReason.EVIDENCE_REFUSED


def test_evidence_with_any_byte_changed_is_refused(service, attester, instances):
    request = attester.enrolment(begin(service))
    size = len(request.evidence)
    for position in range(0, size, size // 20):
        challenge = begin(service)
        good = attester.enrolment(challenge)
        changed = bytearray(good.evidence)
        changed[position] ^= 1
        bad = replace(good, evidence=bytes(changed))
        assert reason(service, bad) in {
            RejectionReason.EVIDENCE_REFUSED,
            RejectionReason.ROOT_UNKNOWN,
        }
    assert instances.all() == []


@pytest.mark.parametrize("evidence", [b"", b"\xd2", bytes(1000), b"\xff" * 64 * 1024])
def test_noise_for_evidence_is_refused(service, attester, evidence):
    request = replace(attester.enrolment(begin(service)), evidence=evidence)
    assert reason(service, request) is RejectionReason.EVIDENCE_REFUSED


def test_a_key_is_not_enrolled_by_somebody_who_does_not_hold_it(service, attester):
    challenge = begin(service)
    binding = attester.binding(challenge)
    good = attester.enrolment(challenge)
    for forger, message in ((new_key(), binding), (attester.key, binding[::-1])):
        challenge = begin(service)
        request = replace(good, challenge=challenge, proof_of_possession=es256(forger, message))
        assert reason(service, request) is RejectionReason.POSSESSION_UNPROVEN


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    "proof",
    [bytes(64), b"\xff" * 64, ORDER.to_bytes(32) * 2, encode_dss_signature(1, 1).ljust(64, b"\0")],
    ids=["zero", "ones", "order", "der"],
)
def test_a_proof_that_is_no_signature_is_refused(service, attester, proof):
    request = replace(attester.enrolment(begin(service)), proof_of_possession=proof)
    assert reason(service, request) is RejectionReason.POSSESSION_UNPROVEN


@pytest.mark.parametrize(
    "public_key",
    [b"", b"\0" * 91, spki(ec.generate_private_key(ec.SECP384R1())), spki(new_key()) + b"\0"],
    ids=["empty", "noise", "p384", "trailing"],
)
def test_a_key_that_is_no_p256_key_is_refused(service, attester, public_key):
    request = replace(attester.enrolment(begin(service)), public_key=public_key)
    assert reason(service, request) is RejectionReason.KEY_UNSUITABLE


def test_a_revoked_key_does_not_come_back(service, attester, instances, clock):
    service.complete_enrolment(attester.enrolment(begin(service)))
    instances.revoke(attester.instance_id, at=clock())
    assert reason(service, attester.enrolment(begin(service))) is RejectionReason.KEY_REVOKED
    assert instances.find(attester.instance_id).state(clock()) == "revoked"


def test_the_platforms_that_can_be_enrolled_are_described(service):
    assert PLATFORM in service.describe(DescribeServiceRequest()).platforms


def test_the_key_of_a_root_is_not_enrolled(service, root):
    itself = RootAttester(root, key=root.key)
    assert reason(service, itself.enrolment(begin(service))) is RejectionReason.KEY_TAKEN


def test_of_two_concurrent_submissions_on_one_challenge_exactly_one_wins(service, root, instances):
    challenge = begin(service)
    attesters = [RootAttester(root), RootAttester(root)]
    requests = [attester.enrolment(challenge) for attester in attesters]
    outcomes, ready = [], threading.Barrier(2)

    def submit(request):
        ready.wait()
        try:
            outcomes.append(service.complete_enrolment(request).instance_id)
        except RefusalError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=submit, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome is not RejectionReason.CHALLENGE_NOT_LIVE]
    assert [instance.instance_id for instance in instances.all()] == winners
    assert len(winners) == 1


def test_enrolments_beyond_the_limit_are_told_to_wait(
    database, result_key, clock, collateral, attester
):
    service = AttestationService(
        database=database,
        key_ring=KeyRing.single(result_key),
        build="1",
        now=clock,
        settings=Settings(max_challenges=1),
        source=collateral,
    )
    service.complete_enrolment(attester.enrolment(begin(service)))
    request = attester.enrolment(begin(service))
    with pytest.raises(BusyError, match="try again"):
        service.complete_enrolment(request)
    clock.advance(seconds=150)
    service.complete_enrolment(attester.enrolment(begin(service)))


def test_nothing_is_acknowledged_when_the_database_does_not_take_it(
    service, attester, database, tmp_path
):
    request = attester.enrolment(begin(service))
    with database.writing() as session:
        for table in ("instance_values", "instances"):
            session.connection().exec_driver_sql(f"drop table {table}")
    with pytest.raises(DatabaseError):
        service.complete_enrolment(request)
