"""Whatever evidence rests on can be revoked, and counts at once in every place.

For each kind of platform, each value that its evidence names, and each place: who is enrolled, who
enrols, sessions, `explain`, and reports.
"""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from colima.tabasco import BeginEnrolmentRequest, VerifyTokenRequest
from psa_attestation.evidence.native import NativeEvidence
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from support.databases import new_database
from support.enrolment import Clock, RootAttester, SoftwareRoot, new_key
from support.evidence_seeds import seeds
from support.hardware_platforms import KINDS, Machine, MachineAttester, own_store
from tabasco.appraisal.checks import Acceptance
from tabasco.appraisal.inspection import EvidenceVerdict, inspect
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.policies import Policies
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings
from tabasco.service.explanation import explain
from tabasco.verify.named import Subject
from veracruz_utils.key_files import digest_of

CHALLENGE = bytes(range(32))
KEY = new_key()
SEEDS = {each.name: each for each in seeds()}


def service_on(database, clock, source, roots=None):
    return AttestationService(
        database=database,
        key_ring=KeyRing.single(KEY),
        build="1",
        now=clock,
        settings=Settings(),
        source=source,
        roots=roots,
    )


def enrol(service, attester, platform):
    begun = service.begin_enrolment(BeginEnrolmentRequest(platform))
    return service.complete_enrolment(attester.enrolment(begun.challenge))


def verify(service, attester, platform):
    token = attester.token(CHALLENGE, platform=platform)
    return service.verify_token(VerifyTokenRequest(token, CHALLENGE))


def refusal(call, *arguments):
    with pytest.raises(RefusalError) as caught:
        call(*arguments)
    return caught.value.reason


@pytest.fixture(scope="module", params=KINDS)
def machine(request):
    return Machine(request.param)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return own_store(tmp_path_factory.mktemp("collateral"))


def test_each_value_of_a_machines_evidence_counts_in_every_place_once_revoked(
    machine, store, tmp_path
):
    kind = machine.kind.value
    proven = machine.proven(store)
    assert {each.subject for each in proven.revocable} >= {Subject.MEASUREMENT, Subject.KEY}
    for number, named in enumerate(proven.revocable):
        clock = Clock(machine.at)
        with new_database(tmp_path / f"{number}.db") as database:
            machine.register(database)
            Policies(database).put_in_force(machine.policy(), at=clock())
            service = service_on(database, clock, machine.collateral(store), machine.roots)
            attester = MachineAttester.on(machine)
            enrol(service, attester, kind)
            assert verify(service, attester, kind).attestation_result
            assert appraised(service, machine).status < Tier.CONTRAINDICATED

            done = Revocations(database).add(named.subject, named.value, "a flaw", at=clock())

            assert done.enrolments == 1, named
            assert refusal(verify, service, attester, kind) is RejectionReason.INSTANCE_REVOKED
            assert Instances(database).all()[0].state(clock()) == "revoked"
            measured = named.subject is Subject.MEASUREMENT
            reason = "MEASUREMENT_REVOKED" if measured else "EVIDENCE_REVOKED"
            refused = refusal(enrol, service, MachineAttester.on(machine), kind)
            assert refused is RejectionReason[reason]
            appraisal = appraised(service, machine)
            assert appraisal.status is Tier.CONTRAINDICATED
            vector = appraisal.trust_vector
            assert (vector.executables if measured else vector.instance_identity) == 96
            for document in (b"", machine.policy(7)):
                report = explain(
                    NativeEvidence.decode(machine.evidence(bytes(32))),
                    database=database,
                    source=machine.collateral(store),
                    at=clock(),
                    roots=machine.roots,
                    document=document,
                )
                assert report.refusal.reason == "revoked"
                failed = [each.name for each in report.decision.checks if not each.passed]
                assert f"revoked-{named.subject}.{named.name}" in failed


def appraised(service, machine):
    nonce, _ = service.open_session(machine.kind.value)
    signed = service.submit_evidence(machine.submission(nonce))
    ear = verify_ear(signed, key=KEY.public_key(), nonce=nonce, at=int(machine.at.timestamp()))
    return ear.submods["attester"]


@pytest.mark.parametrize("name", SEEDS)
def test_each_value_of_real_evidence_refuses_its_report_once_revoked(name, database):
    seed = SEEDS[name]
    proven = seed.verify()
    revoked = set()
    for named in proven.revocable:
        report = inspect(
            seed.data,
            seed.kind,
            means=seed.means,
            acceptance=Acceptance(),
            policy=None,
            at=seed.at,
            revoked=lambda values, named=named: {named.value} & set(values),
        )
        assert report.verdict is EvidenceVerdict.UNACCEPTABLE
        failed = {each.name for each in report.decision.all_checks if not each.passed}
        wanted = f"revoked-{named.subject}.{named.name}"
        # That of one of several attesters has its name in front.
        assert any(each in (wanted, each.split(": ")[0] + ": " + wanted) for each in failed)
        if named.value not in revoked:
            Revocations(database).add(named.subject, named.value, "", at=seed.at)
            revoked.add(named.value)
    assert Revocations(database).among({each.value for each in proven.revocable}) == revoked


@pytest.fixture
def software(database, clock, collateral):
    root = SoftwareRoot()
    Roots(database).add("lab", root.key.public_key(), at=clock())
    return service_on(database, clock, collateral), root


def software_values(root, attester):
    return {
        "measurement": (Subject.MEASUREMENT, hashlib.sha256(b"sonora").digest()),
        "root key": (Subject.KEY, digest_of(root.key.public_key())),
        "own key": (Subject.KEY, digest_of(attester.key.public_key())),
        "own id": (Subject.INSTANCE, attester.instance_id),
    }


@pytest.mark.parametrize("name", ["measurement", "root key", "own key", "own id"])
def test_who_a_software_root_vouched_for_is_refused_at_once(name, software, database, clock):
    service, root = software
    attester = RootAttester(root)
    enrol(service, attester, "linux-software-root")
    verify(service, attester, "linux-software-root")
    subject, value = software_values(root, attester)[name]
    done = Revocations(database).add(subject, value, "", at=clock())
    assert done.enrolments == 1
    assert (
        refusal(verify, service, attester, "linux-software-root")
        is RejectionReason.INSTANCE_REVOKED
    )
    assert refusal(enrol, service, attester, "linux-software-root") in {
        RejectionReason.KEY_REVOKED,
        RejectionReason.MEASUREMENT_REVOKED,
        RejectionReason.ROOT_UNKNOWN,
    }


def test_a_value_that_nobody_has_is_revoked_all_the_same_and_ends_nothing(
    software, database, clock
):
    service, root = software
    attester = RootAttester(root)
    enrol(service, attester, "linux-software-root")
    for subject, size in (
        (Subject.MEASUREMENT, 48),
        (Subject.KEY, 32),
        (Subject.CERTIFICATE, 32),
        (Subject.INSTANCE, 33),
    ):
        value = hashlib.sha512(subject.encode()).digest()[:size]
        assert Revocations(database).add(subject, value, "", at=clock()).enrolments == 0
        assert Revocations(database).holds(value)
    assert verify(service, attester, "linux-software-root").attestation_result


@pytest.mark.parametrize("subject", Subject)
@pytest.mark.parametrize("value", [b"", b"\1", b"\1" * 31, b"\1" * 65, bytes(32), bytes(64)])
def test_a_value_that_can_be_nobodys_is_refused(subject, value, database, clock):
    revocations = Revocations(database)
    with pytest.raises(TabascoError, match=r"has .* bytes, this has|zeros as"):
        revocations.add(subject, value, "", at=clock())
    assert revocations.all() == []


def test_what_was_revoked_under_the_wrong_subject_is_revoked(software, database, clock):
    service, root = software
    attester = RootAttester(root)
    enrol(service, attester, "linux-software-root")
    digest = digest_of(root.key.public_key())
    Revocations(database).add(Subject.CERTIFICATE, digest, "", at=clock())
    assert Roots(database).all() == []
    assert (
        refusal(verify, service, attester, "linux-software-root")
        is RejectionReason.INSTANCE_REVOKED
    )


def test_no_enrolment_escapes_a_revocation_of_the_same_moment(software, database, clock):
    service, root = software
    measurement = hashlib.sha256(b"sonora").digest()
    attesters = [RootAttester(root) for _ in range(12)]
    ready, reasons = threading.Barrier(4), set()

    def enrol_some(mine):
        ready.wait()
        for attester in mine:
            try:
                enrol(service, attester, "linux-software-root")
            except RefusalError as error:
                reasons.add(error.reason)

    def revoke():
        ready.wait()
        Revocations(database).add(Subject.MEASUREMENT, measurement, "", at=clock())

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(enrol_some, attesters[part::3]) for part in range(3)]
        done.append(pool.submit(revoke))
        for each in done:
            each.result()
    assert reasons <= {RejectionReason.MEASUREMENT_REVOKED}
    # Whoever was first: nobody of them is believed now.
    for attester in attesters:
        assert refusal(verify, service, attester, "linux-software-root") in {
            RejectionReason.INSTANCE_REVOKED,
            RejectionReason.INSTANCE_UNKNOWN,
        }
    assert {each.state(clock()) for each in Instances(database).all()} <= {"revoked"}


def test_evidence_that_was_verified_before_a_revocation_enrols_nobody_after_it(
    software, database, clock
):
    """The check before the costly work does not stand for the one that counts."""
    service, root = software
    begun = service.begin_enrolment(BeginEnrolmentRequest("linux-software-root"))
    request = RootAttester(root).enrolment(begun.challenge)
    verifier = service._enrolments._verifiers["linux-software-root"]
    through = verifier.verify

    def verify_slowly(evidence, *, at, **about):
        found = through(evidence, at=at, **about)
        measurement = hashlib.sha256(b"sonora").digest()
        Revocations(database).add(Subject.MEASUREMENT, measurement, "", at=at)
        return found

    verifier.verify = verify_slowly
    assert refusal(service.complete_enrolment, request) is RejectionReason.MEASUREMENT_REVOKED
    assert Instances(database).all() == []
