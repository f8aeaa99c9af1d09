"""Sessions: a result about any attester with evidence, never better than what was found."""

import hashlib
from datetime import timedelta

import pytest

from psa_attestation.evidence.native import NativeEvidence, report_data_of
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import VerifierId
from support import dcap_evidence as dcap
from support.databases import new_database
from support.enrolment import new_key, spki
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.errors import BusyError, RefusalError, RejectionReason
from tabasco.registry.audit import AuditLog
from tabasco.registry.challenges import Challenges
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.service.hardware_root import HardwareRoot
from tabasco.service.refusals import Refusals
from tabasco.service.sessions import Sessions, Submission, session_binding
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import TcbStatus

REPORT_DATA_AT = 320
MEASURED = dcap.Recipe(body={}).verify().measurements["mrenclave"].hex()
ACCEPTING = f'version = 1\n[sgx.measurements]\nmrenclave = ["{MEASURED}"]\n'


@pytest.fixture
def database(tmp_path):
    with new_database(tmp_path / "tabasco.db") as database:
        yield database


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "collateral", trust=Trust(intel=dcap.ROOTS))


@pytest.fixture
def sessions(database, store, result_key):
    root = HardwareRoot(
        EvidenceKind.SGX,
        policies=Policies(database),
        references=ReferenceValues(database),
        source=StoredCollateral(store),
        roots=dcap.ROOTS,
    )
    return Sessions(
        database=database,
        challenges=Challenges(database, validity=timedelta(minutes=2), limit=3),
        verifiers={"sgx": root},
        key_ring=KeyRing.single(result_key),
        verifier=VerifierId("veracruz-tabasco", "9.9"),
        validity=timedelta(minutes=5),
        revocations=Revocations(database),
        refusals=Refusals(database),
    )


@pytest.fixture
def accepting(database):
    Policies(database).put_in_force(ACCEPTING.encode(), at=dcap.NOON)


def evidence(store, nonce, *, public_key=b"", changes=None, **more):
    report_data = report_data_of(session_binding("sgx", nonce, public_key))
    recipe = dcap.Recipe(body={REPORT_DATA_AT: report_data, **(changes or {})}, **more)
    store.add([("made", recipe.collateral_json())], at=dcap.NOON)
    return Submission(nonce, "sgx", NativeEvidence("sgx", recipe.quote()).encode(), public_key)


def appraised(sessions, submission, key):
    signed = sessions.submit(submission, at=dcap.NOON)
    at = int(dcap.NOON.timestamp())
    return verify_ear(signed, key=key, nonce=submission.nonce, at=at).submods["attester"]


def reason(sessions, submission, at=dcap.NOON):
    with pytest.raises(RefusalError) as caught:
        sessions.submit(submission, at=at)
    return caught.value.reason


@pytest.mark.usefixtures("accepting")
def test_an_attester_that_the_policy_accepts_is_affirmed(sessions, store, result_key, database):
    key = spki(new_key())
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON), public_key=key)
    appraisal = appraised(sessions, submission, result_key.public_key())
    assert appraisal.status is Tier.AFFIRMING
    assert appraisal.trust_vector.claims == {1: 2, 2: 2, 4: 2}
    digest = hashlib.sha256(ACCEPTING.encode()).hexdigest()
    assert appraisal.policy_ids == (f"veracruz-tabasco/appraisal/1/{digest}",)
    last = AuditLog(database).entries()[-1]
    assert (last.action, last.subject, last.outcome) == ("appraise", "sgx", "done")


def test_what_the_policy_does_not_list_is_contraindicated(sessions, store, result_key, database):
    other = ACCEPTING.replace(MEASURED, "ab" * 32)
    Policies(database).put_in_force(other.encode(), at=dcap.NOON)
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON))
    appraisal = appraised(sessions, submission, result_key.public_key())
    assert appraisal.status is Tier.CONTRAINDICATED
    assert appraisal.trust_vector.executables == 33
    assert AuditLog(database).entries()[-1].outcome == "measurement"


@pytest.mark.parametrize("document", ["version = 1\n", "version = 1\n[sgx]\n"])
def test_an_empty_policy_accepts_nothing(sessions, store, result_key, database, document):
    Policies(database).put_in_force(document.encode(), at=dcap.NOON)
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON))
    appraisal = appraised(sessions, submission, result_key.public_key())
    assert appraisal.status is Tier.CONTRAINDICATED
    assert appraisal.trust_vector.executables == 33


def test_without_a_policy_there_is_no_result(sessions, store):
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON))
    assert reason(sessions, submission) is RejectionReason.EVIDENCE_UNACCEPTABLE


@pytest.mark.usefixtures("accepting")
def test_a_debuggable_enclave_is_never_affirmed(sessions, store, result_key, database):
    debuggable = {48: bytes([7])}
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON), changes=debuggable)
    appraisal = appraised(sessions, submission, result_key.public_key())
    assert appraisal.status is Tier.CONTRAINDICATED
    assert appraisal.trust_vector.configuration == 96
    lenient = ACCEPTING.replace("version = 1", "version = 2\n[sgx]\ndebug = true")
    Policies(database).put_in_force(lenient.encode(), at=dcap.NOON)
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON), changes=debuggable)
    appraisal = appraised(sessions, submission, result_key.public_key())
    assert appraisal.status is Tier.CONTRAINDICATED, "accepted or not, the vector tells the truth"


@pytest.mark.usefixtures("accepting")
def test_a_nonce_is_answered_once_whatever_came_of_it(sessions, store):
    nonce = sessions.open("sgx", at=dcap.NOON)
    bad = Submission(nonce, "sgx", b"nothing")
    assert reason(sessions, bad) is RejectionReason.EVIDENCE_REFUSED
    assert reason(sessions, evidence(store, nonce)) is RejectionReason.CHALLENGE_NOT_LIVE


@pytest.mark.usefixtures("accepting")
def test_evidence_for_another_nonce_or_key_is_refused(sessions, store):
    right = sessions.open("sgx", at=dcap.NOON)
    other = evidence(store, bytes(32))
    moved = Submission(right, "sgx", other.evidence)
    assert reason(sessions, moved) is RejectionReason.EVIDENCE_REFUSED
    right = sessions.open("sgx", at=dcap.NOON)
    for_key = evidence(store, right, public_key=spki(new_key()))
    stolen = Submission(right, "sgx", for_key.evidence, spki(new_key()))
    assert reason(sessions, stolen) is RejectionReason.EVIDENCE_REFUSED


@pytest.mark.usefixtures("accepting")
def test_a_nonce_ends_and_is_for_one_purpose(sessions, store, database):
    late = evidence(store, sessions.open("sgx", at=dcap.NOON))
    assert (
        reason(sessions, late, dcap.NOON + timedelta(minutes=2))
        is RejectionReason.CHALLENGE_NOT_LIVE
    )
    challenges = Challenges(database, validity=timedelta(minutes=2), limit=9)
    enrolment = challenges.issue("sgx", at=dcap.NOON)
    assert reason(sessions, evidence(store, enrolment)) is RejectionReason.CHALLENGE_NOT_LIVE


@pytest.mark.usefixtures("accepting")
def test_sessions_are_bounded_and_of_known_kinds(sessions, store):
    for _ in range(3):
        sessions.submit(evidence(store, sessions.open("sgx", at=dcap.NOON)), at=dcap.NOON)
    with pytest.raises(BusyError):
        sessions.submit(evidence(store, sessions.open("sgx", at=dcap.NOON)), at=dcap.NOON)
    with pytest.raises(RefusalError, match="platform-unknown"):
        sessions.open("abacus", at=dcap.NOON)


def test_authentic_evidence_that_is_refused_takes_no_room_from_what_is_accepted(
    sessions, store, result_key, database
):
    other = ACCEPTING.replace(MEASURED, "ab" * 32)
    Policies(database).put_in_force(other.encode(), at=dcap.NOON)
    for _ in range(4):  # with room for three
        submission = evidence(store, sessions.open("sgx", at=dcap.NOON))
        appraisal = appraised(sessions, submission, result_key.public_key())
        assert appraisal.status is Tier.CONTRAINDICATED
    accepting = ACCEPTING.replace("version = 1", "version = 2")
    Policies(database).put_in_force(accepting.encode(), at=dcap.NOON)
    submission = evidence(store, sessions.open("sgx", at=dcap.NOON))
    assert appraised(sessions, submission, result_key.public_key()).status is Tier.AFFIRMING
    assert reason(sessions, submission) is RejectionReason.CHALLENGE_NOT_LIVE


def test_an_accepted_but_weaker_platform_is_a_warning_at_best(
    sessions, store, result_key, database
):
    status = TcbStatus.SW_HARDENING_NEEDED
    document = ACCEPTING.replace(
        "version = 1", f'version = 1\n[sgx]\ntcb_statuses = ["UpToDate", "{status}"]'
    )
    Policies(database).put_in_force(document.encode(), at=dcap.NOON)
    weaker = evidence(
        store, sessions.open("sgx", at=dcap.NOON), tcb_info={"tcbLevels": [dcap.level(status)]}
    )
    appraisal = appraised(sessions, weaker, result_key.public_key())
    assert (appraisal.status, appraisal.trust_vector.hardware) == (Tier.WARNING, 32)
