"""An enrolment ends with the first of what it was accepted by: evidence, policy, value, key."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from colima.tabasco import BeginEnrolmentRequest, VerifyTokenRequest
from support import cca_tokens as cca
from support import corim_bundles as corim
from support.enrolment import Clock, new_key
from support.hardware_platforms import KINDS, Machine, MachineAttester, own_store
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry.audit import AuditLog
from tabasco.registry.bundles import ReferenceValue
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.models import ReferenceValueRow
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.service.attestation import AttestationService, Settings
from tabasco.service.hardware_root import MEASURED
from tabasco.verify.kinds import EvidenceKind

CHALLENGE = bytes(range(32))
DAY = timedelta(days=1)


class Site:
    """A service and one machine whose policy is in force."""

    def __init__(self, kind, database, path, **settings):
        self.machine, self.database = Machine(kind), database
        self.clock = Clock(self.machine.at)
        self.machine.register(database)
        self.policies, self.values = Policies(database), ReferenceValues(database)
        self.policies.put_in_force(self.machine.policy(), at=self.clock())
        store = own_store(path / "collateral")
        self.proven = self.machine.proven(store)
        self.service = AttestationService(
            database=database,
            key_ring=KeyRing.single(new_key()),
            build="1",
            now=self.clock,
            settings=Settings(**settings),
            source=self.machine.collateral(store),
            roots=self.machine.roots,
        )

    @property
    def name(self):
        return self.machine.kind.value

    def enrol(self):
        attester = MachineAttester.on(self.machine)
        begun = self.service.begin_enrolment(BeginEnrolmentRequest(self.name))
        return attester, self.service.complete_enrolment(attester.enrolment(begun.challenge))

    def refusal(self, call, *arguments):
        with pytest.raises(RefusalError) as caught:
            call(*arguments)
        return caught.value.reason

    def verify(self, attester):
        token = attester.token(CHALLENGE, platform=self.name)
        return self.service.verify_token(VerifyTokenRequest(token, CHALLENGE))

    def states(self):
        return [each.state(self.clock()) for each in Instances(self.database).all()]


@pytest.fixture(params=KINDS)
def site(request, database, tmp_path):
    return Site(request.param, database, tmp_path)


@pytest.fixture
def enclave(database, tmp_path):
    return Site(EvidenceKind.SGX, database, tmp_path)


@pytest.fixture
def realm(database, tmp_path):
    return Site(EvidenceKind.ARM_CCA, database, tmp_path)


def test_an_enrolment_ends_with_its_evidence_and_collateral_and_says_so(site):
    attester, done = site.enrol()
    end = min(site.clock() + DAY, site.proven.valid_until)
    assert done.expires_in_s == int((end - site.clock()).total_seconds())
    site.clock.now = end - timedelta(seconds=2)
    site.verify(attester)
    site.clock.now = end
    assert site.refusal(site.verify, attester) is RejectionReason.INSTANCE_EXPIRED


def test_evidence_that_is_over_within_the_second_enrols_nobody(enclave):
    enclave.clock.now = enclave.proven.valid_until
    assert enclave.refusal(enclave.enrol) is RejectionReason.EVIDENCE_REFUSED
    assert enclave.states() == []


def test_a_new_policy_applies_to_who_is_enrolled(site):
    attester, _ = site.enrol()
    site.policies.put_in_force(site.machine.policy(2), at=site.clock())
    site.verify(attester)
    site.clock.advance(seconds=1)
    name = MEASURED[site.machine.kind]
    stored = site.policies.put_in_force(
        site.machine.policy(3, **{name: b"\1" * 32}), at=site.clock()
    )
    assert stored.ended == 1
    assert site.refusal(site.verify, attester) is RejectionReason.INSTANCE_EXPIRED
    assert site.states() == ["expired"]
    entries = AuditLog(site.database).entries()
    assert [(each.action, each.outcome) for each in entries[-1:]] == [
        ("end-enrolment", "measurement")
    ]
    AuditLog(site.database).verify()


def test_a_policy_without_the_kind_ends_its_enrolments_and_no_others(enclave, database, tmp_path):
    attester, _ = enclave.enrol()
    both = enclave.machine.policy(5) + b"[nitro.measurements]\npcr0 = []\n"
    assert enclave.policies.put_in_force(both, at=enclave.clock()).ended == 0
    enclave.verify(attester)
    only = b"version = 6\n[nitro.measurements]\npcr0 = []\n"
    assert enclave.policies.put_in_force(only, at=enclave.clock()).ended == 1


def test_an_enrolment_ends_with_the_reference_value_that_it_was_accepted_by(enclave):
    kind, name = enclave.machine.kind, MEASURED[enclave.machine.kind]
    text = f'version = 2\n[sgx.measurements]\n{name} = "reference-values"\n'
    enclave.policies.put_in_force(text.encode(), at=enclave.clock())
    end = enclave.clock() + timedelta(hours=2)
    value = ReferenceValue(kind, name, enclave.machine.main_measurement, "1.0", not_after=end)
    number = enclave.values.add(value, at=enclave.clock()).number
    attester, done = enclave.enrol()
    assert done.expires_in_s == 7200
    enclave.verify(attester)
    enclave.values.remove(number, at=enclave.clock())
    assert enclave.refusal(enclave.verify, attester) is RejectionReason.INSTANCE_EXPIRED
    assert enclave.refusal(enclave.enrol) is RejectionReason.EVIDENCE_UNACCEPTABLE


def test_an_enrolment_ends_with_the_reference_value_of_a_component(realm):
    text = realm.machine.policy(2).decode()
    measured = f'measurement = ["{cca.PLATFORM[2399][0][2].hex()}"]'
    assert measured in text
    text = text.replace(measured, 'measurement = "reference-values"')
    end = realm.clock() + timedelta(hours=2)
    value = ReferenceValue(realm.machine.kind, "BL", cca.PLATFORM[2399][0][2], "1.0", not_after=end)
    realm.values.add(value, at=realm.clock())
    realm.policies.put_in_force(text.encode(), at=realm.clock())
    attester, done = realm.enrol()
    assert done.expires_in_s == 7200
    realm.clock.now = end
    assert realm.refusal(realm.verify, attester) is RejectionReason.INSTANCE_EXPIRED


def test_an_enrolment_ends_with_its_platform_key(realm):
    attester, _ = realm.enrol()
    keys = PlatformKeys(realm.database)
    (registered,) = keys.all()
    keys.remove(registered.number, at=realm.clock())
    assert realm.refusal(realm.verify, attester) is RejectionReason.INSTANCE_EXPIRED
    keys.add(EvidenceKind.ARM_CCA, cca.INSTANCE, cca.PLATFORM_KEY.public_key(), at=realm.clock())
    assert realm.refusal(realm.verify, attester) is RejectionReason.INSTANCE_EXPIRED
    realm.enrol()


def test_an_enrolment_ends_with_the_bundle_that_leaves_its_platform_key_out(database, tmp_path):
    realm = Site(EvidenceKind.ARM_CCA, database, tmp_path)
    keys, maker, at = PlatformKeys(database), new_key(), int(realm.clock().timestamp())
    keys.remove(keys.all()[0].number, at=realm.clock())
    realm.values.add_provider("maker", maker.public_key(), at=realm.clock())
    other = b"\1" * 33
    given = {other: cca.PLATFORM_KEY.public_key(), cca.INSTANCE: cca.PLATFORM_KEY.public_key()}
    done = realm.values.import_bundle(
        corim.bundle_of_keys(given, maker, not_before=at - 10), at=realm.clock()
    )
    # What an operator removed stays removed, whatever a bundle says.
    assert (done.count, done.left_out) == (1, 1)
    assert realm.refusal(realm.enrol) is RejectionReason.EVIDENCE_REFUSED
    keys.add(EvidenceKind.ARM_CCA, cca.INSTANCE, cca.PLATFORM_KEY.public_key(), at=realm.clock())
    attester, _ = realm.enrol()
    realm.verify(attester)


def test_removing_a_provider_ends_what_was_accepted_by_its_word(enclave):
    maker = new_key()
    enclave.values.add_provider("maker", maker.public_key(), at=enclave.clock())
    name = MEASURED[enclave.machine.kind]
    text = f'version = 2\n[sgx.measurements]\n{name} = "reference-values"\n'
    enclave.policies.put_in_force(text.encode(), at=enclave.clock())
    with enclave.database.writing() as session:
        session.add(
            ReferenceValueRow(
                kind="sgx",
                measurement=name,
                value=enclave.machine.main_measurement,
                label="",
                provider="maker",
                added_at=enclave.clock(),
            )
        )
    attester, _ = enclave.enrol()
    assert enclave.values.remove_provider("maker", at=enclave.clock()) == 1
    assert enclave.refusal(enclave.verify, attester) is RejectionReason.INSTANCE_EXPIRED
    with pytest.raises(TabascoError, match="there is no provider 'maker'"):
        enclave.values.remove_provider("maker", at=enclave.clock())
    assert (
        enclave.values.add_provider("maker", maker.public_key(), at=enclave.clock()).bundle_version
        == 0
    )


def test_no_enrolment_escapes_a_policy_of_the_same_moment(enclave):
    refusing = enclave.machine.policy(2, mrenclave=b"\1" * 32)
    ready, enrolled, reasons = threading.Barrier(4), [], set()

    def enrol_some():
        ready.wait()
        for _ in range(3):
            try:
                enrolled.append(enclave.enrol()[0])
            except RefusalError as error:
                reasons.add(error.reason)

    def change():
        ready.wait()
        enclave.policies.put_in_force(refusing, at=enclave.clock())

    with ThreadPoolExecutor(4) as pool:
        for each in [*(pool.submit(enrol_some) for _ in range(3)), pool.submit(change)]:
            each.result()
    assert reasons <= {RejectionReason.EVIDENCE_UNACCEPTABLE}
    for attester in enrolled:
        assert enclave.refusal(enclave.verify, attester) is RejectionReason.INSTANCE_EXPIRED


def test_what_enrolled_while_the_clock_was_ahead_is_not_believed_until_then(enclave):
    now = enclave.clock.now
    enclave.clock.now = enclave.proven.valid_until - timedelta(seconds=100)
    attester, _ = enclave.enrol()
    enclave.clock.now = now
    assert enclave.refusal(enclave.verify, attester) is RejectionReason.INSTANCE_EXPIRED
