"""Enrolment by evidence of hardware, complete but for the vendor: its root is of our own making."""

import hashlib
import json
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from colima.tabasco import BeginEnrolmentRequest, CompleteEnrolmentRequest, VerifyTokenRequest
from psa_attestation.evidence.native import NativeEvidence, report_data_of
from support import cca_tokens as cca
from support import corim_bundles as corim
from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support.enrolment import RootAttester, SoftwareRoot, es256, new_key, spki
from support.hardware_platforms import COMPONENTS
from tabasco.cli import main
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.registry.audit import AuditLog
from tabasco.registry.challenges import Challenges
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.service.attestation import AttestationService, Settings
from tabasco.service.enrolment import Enrolments
from tabasco.service.hardware_root import MEASURED, HardwareRoot
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Subject
from veracruz_utils.key_files import pem_of
from veracruz_utils.public_keys import der_of

REPORT_DATA = {dcap.SGX: 320, dcap.TDX: 520}
CHALLENGE = bytes(range(32))
MACHINES = {
    EvidenceKind.SGX: set(),  # an enclave is no machine
    EvidenceKind.TDX: {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"},
    EvidenceKind.NITRO: {f"pcr{number}" for number in nitro.MEMBERS["pcrs"]},
    EvidenceKind.ARM_CCA: set(),
}


@dataclass
class Platform:
    """A kind of hardware: how its root attester makes evidence, and when it is valid."""

    kind: EvidenceKind
    roots: frozenset[bytes] | None
    measurement: bytes

    def evidence(self, report_data: bytes) -> NativeEvidence:
        if self.kind is EvidenceKind.NITRO:
            document = nitro.Recipe(changes={"user_data": report_data}).document()
            return NativeEvidence("nitro", document)
        if self.kind is EvidenceKind.ARM_CCA:
            return NativeEvidence("arm-cca", cca.Recipe(realm={10: report_data}).token())
        return NativeEvidence(self.kind.value, self.recipe(report_data).quote())

    def recipe(self, report_data: bytes = bytes(64)) -> dcap.Recipe:
        if self.kind is EvidenceKind.SGX:
            return dcap.Recipe(body={REPORT_DATA[dcap.SGX]: report_data})
        return dcap.Recipe(dcap.TDX, 4, body={REPORT_DATA[dcap.TDX]: report_data})


@pytest.fixture
def collateral(tmp_path):
    """A store that trusts the root of our own."""
    return StoredCollateral(Store(tmp_path / "collateral", trust=Trust(intel=dcap.ROOTS)))


@pytest.fixture(
    params=[EvidenceKind.SGX, EvidenceKind.TDX, EvidenceKind.NITRO, EvidenceKind.ARM_CCA]
)
def platform(request, clock, collateral, database):
    if request.param is EvidenceKind.ARM_CCA:
        key = cca.PLATFORM_KEY.public_key()
        PlatformKeys(database).add(EvidenceKind.ARM_CCA, cca.INSTANCE, key, at=clock())
        return Platform(EvidenceKind.ARM_CCA, None, cca.REALM[44238])
    if request.param is EvidenceKind.NITRO:
        clock.now = nitro.MADE
        root = hashlib.sha256(nitro.ROOT).digest()
        return Platform(EvidenceKind.NITRO, frozenset({root}), nitro.MEMBERS["pcrs"][0])
    clock.now = dcap.NOON
    made = Platform(request.param, frozenset(dcap.ROOTS), b"")
    proven = made.recipe().verify()
    name = {"sgx": "mrenclave", "tdx": "mrtd"}[request.param.value]
    made.measurement = proven.measurements[name]
    collateral.store.add([("made", made.recipe().collateral_json())], at=dcap.NOON)
    return made


@dataclass
class HardwareAttester(RootAttester):
    """A root attester on hardware."""

    platform: Platform | None = None

    def request(self, challenge, *, evidence=None, report_data=None):
        kind = self.platform.kind.value
        binding = self.binding(challenge, platform=kind)
        data = report_data_of(binding) if report_data is None else report_data
        native = self.platform.evidence(data).encode() if evidence is None else evidence
        return CompleteEnrolmentRequest(
            challenge, kind, native, spki(self.key), es256(self.key, binding)
        )


class Desk:
    """Enrolment of one kind of hardware, as the service does it."""

    def __init__(self, database, clock, collateral, platform):
        self.clock, self.platform = clock, platform
        self.policies, self.values = Policies(database), ReferenceValues(database)
        self.instances = Instances(database)
        root = HardwareRoot(
            platform.kind,
            policies=self.policies,
            references=self.values,
            source=collateral,
            platform_keys=PlatformKeys(database),
            roots=platform.roots,
        )
        settings = Settings()
        self.enrolments = Enrolments(
            challenges=Challenges(database, validity=settings.challenge_validity, limit=99),
            instances=self.instances,
            verifiers=[root],
            validity=settings.enrolment_validity,
        )

    def accept(self, *, version=1, measurement=None, extra=""):
        name = MEASURED[self.platform.kind]
        value = (measurement or self.platform.measurement).hex()
        kind = self.platform.kind.value
        text = f"version = {version}\n[{kind}]\n{extra}\n[{kind}.measurements]\n"
        text += f'{name} = ["{value}"]\n'
        text += COMPONENTS if self.platform.kind is EvidenceKind.ARM_CCA else ""
        self.policies.put_in_force(text.encode(), at=self.clock())

    def begin(self):
        return self.enrolments.begin(self.platform.kind.value, at=self.clock())

    def complete(self, request):
        return self.enrolments.complete(request, at=self.clock())

    def refused(self, request):
        with pytest.raises(RefusalError) as caught:
            self.complete(request)
        assert self.instances.all() == []
        return caught.value.reason, caught.value.detail


@pytest.fixture
def desk(database, clock, collateral, platform):
    return Desk(database, clock, collateral, platform)


@pytest.fixture
def attester(platform):
    return HardwareAttester(SoftwareRoot(), platform=platform)


def test_a_root_attester_on_hardware_enrols_when_the_policy_accepts_it(desk, attester, platform):
    desk.accept()
    desk.complete(attester.request(desk.begin()))
    (instance,) = desk.instances.all()
    assert instance.instance_id == attester.instance_id
    assert (instance.platform, instance.root) == (platform.kind.value, None)
    assert instance.measurement == platform.measurement
    assert set(instance.machine) == MACHINES[platform.kind]


def test_without_a_policy_no_hardware_is_accepted(desk, attester):
    assert desk.refused(attester.request(desk.begin())) == (
        RejectionReason.EVIDENCE_UNACCEPTABLE,
        "no policy is in force",
    )


def test_another_measurement_is_not_accepted(desk, attester):
    desk.accept(measurement=bytes(48))
    reason, detail = desk.refused(attester.request(desk.begin()))
    assert reason is RejectionReason.EVIDENCE_UNACCEPTABLE
    assert detail.startswith("measurement.")


def test_reference_values_count(desk, attester, platform, database):
    from tabasco.registry.bundles import ReferenceValue  # noqa: PLC0415 - with its one user

    name = MEASURED[platform.kind]
    kind = platform.kind.value
    text = f'version = 1\n[{kind}.measurements]\n{name} = "reference-values"\n'
    text += COMPONENTS if platform.kind is EvidenceKind.ARM_CCA else ""
    desk.policies.put_in_force(text.encode(), at=desk.clock())
    assert desk.refused(attester.request(desk.begin()))[0] is RejectionReason.EVIDENCE_UNACCEPTABLE
    value = ReferenceValue(platform.kind, name, platform.measurement, "release")
    desk.values.add(value, at=desk.clock())
    desk.complete(attester.request(desk.begin()))


@pytest.mark.parametrize(
    "report_data",
    [
        lambda binding: binding + bytes(32),
        lambda binding: bytes(64),
        lambda binding: report_data_of(binding)[::-1],
        lambda binding: report_data_of(bytes(32)),
    ],
    ids=["the binding alone", "nothing", "reversed", "another binding"],
)
def test_evidence_that_is_bound_to_something_else_is_refused(desk, attester, platform, report_data):
    desk.accept()
    challenge = desk.begin()
    binding = attester.binding(challenge, platform=platform.kind.value)
    request = attester.request(challenge, report_data=report_data(binding))
    assert desk.refused(request) == (RejectionReason.EVIDENCE_REFUSED, "report-data: report-data")


def test_evidence_for_another_challenge_or_key_is_refused(desk, attester, platform):
    desk.accept()
    other = HardwareAttester(SoftwareRoot(), platform=platform)
    old, challenge = desk.begin(), desk.begin()
    stale = attester.platform.evidence(
        report_data_of(attester.binding(old, platform=platform.kind.value))
    ).encode()
    assert (
        desk.refused(attester.request(challenge, evidence=stale))[0]
        is RejectionReason.EVIDENCE_REFUSED
    )
    challenge = desk.begin()
    theirs = platform.evidence(
        report_data_of(other.binding(challenge, platform=platform.kind.value))
    ).encode()
    assert (
        desk.refused(attester.request(challenge, evidence=theirs))[0]
        is RejectionReason.EVIDENCE_REFUSED
    )


def test_a_changed_bit_and_other_bytes_are_refused(desk, attester, platform):
    desk.accept()
    challenge = desk.begin()
    data = report_data_of(attester.binding(challenge, platform=platform.kind.value))
    native = platform.evidence(data)
    changed = bytearray(native.raw)
    changed[200] ^= 1
    for raw, kind in ((bytes(changed), native.kind), (b"", native.kind), (native.raw, "sev-snp")):
        request = attester.request(desk.begin(), evidence=NativeEvidence(kind, raw).encode())
        assert desk.refused(request)[0] is RejectionReason.EVIDENCE_REFUSED
    for evidence in (b"", native.raw[:1000], b"\x84" + bytes(10)):
        request = attester.request(desk.begin(), evidence=evidence)
        assert desk.refused(request)[0] is RejectionReason.EVIDENCE_REFUSED


def test_evidence_under_the_vendors_root_is_needed(database, clock, collateral, platform, attester):
    """Without roots of our own, what we made ourselves is nobody's."""
    for each in PlatformKeys(database).all():
        PlatformKeys(database).remove(each.number, at=clock())
    desk = Desk(database, clock, collateral, Platform(platform.kind, None, platform.measurement))
    desk.accept()
    reason, detail = desk.refused(attester.request(desk.begin()))
    assert reason is RejectionReason.EVIDENCE_REFUSED
    assert detail.startswith("signature" if platform.kind is EvidenceKind.ARM_CCA else "chain")


def test_software_evidence_is_no_evidence_of_hardware(desk, attester):
    desk.accept()
    challenge = desk.begin()
    binding = attester.binding(challenge, platform=attester.platform.kind.value)
    request = attester.request(challenge, evidence=attester.root.evidence(binding))
    assert desk.refused(request)[0] is RejectionReason.EVIDENCE_REFUSED


def test_the_service_enrols_by_hardware_and_vouches_for_its_platform_alone(  # noqa: PLR0917
    database, clock, result_key, collateral, platform, attester
):
    service = AttestationService(
        database=database, key_ring=KeyRing.single(result_key), build="1", now=clock,
        settings=Settings(), source=collateral, roots=platform.roots,
    )  # fmt: skip
    Desk(database, clock, collateral, platform).accept()
    begun = service.begin_enrolment(BeginEnrolmentRequest(platform.kind.value))
    service.complete_enrolment(attester.request(begun.challenge))
    token = attester.token(CHALLENGE, platform=platform.kind.value)
    assert service.verify_token(VerifyTokenRequest(token, CHALLENGE)).attestation_result
    other = attester.token(CHALLENGE, platform="linux-software-root")
    with pytest.raises(RefusalError) as caught:
        service.verify_token(VerifyTokenRequest(other, CHALLENGE))
    assert caught.value.reason is RejectionReason.PLATFORM_MISMATCH
    actions = [entry.action for entry in AuditLog(database).entries()]
    assert actions[-2:] == ["set-policy", "enrol"]


@pytest.fixture
def realm(database, clock, collateral):
    """A desk for Arm CCA, where no platform's key is registered."""
    platform = Platform(EvidenceKind.ARM_CCA, None, cca.REALM[44238])
    desk = Desk(database, clock, collateral, platform)
    desk.accept()
    return desk, HardwareAttester(SoftwareRoot(), platform=platform)


def test_a_platform_key_is_what_makes_a_realm_believed_until_it_is_gone_or_revoked(
    realm, database, clock
):
    desk, attester = realm
    unknown = (RejectionReason.EVIDENCE_REFUSED, "signature: unknown-signer")
    assert desk.refused(attester.request(desk.begin())) == unknown
    registered, key = PlatformKeys(database), cca.PLATFORM_KEY.public_key()
    number = registered.add(EvidenceKind.ARM_CCA, cca.INSTANCE, key, at=clock()).number
    desk.complete(attester.request(desk.begin()))
    registered.remove(number, at=clock())
    with pytest.raises(RefusalError, match="evidence-refused"):
        desk.complete(attester.request(desk.begin()))
    registered.add(EvidenceKind.ARM_CCA, cca.INSTANCE, key, at=clock())
    digest = hashlib.sha256(der_of(key)).digest()
    Revocations(database).add(Subject.KEY, digest, "stolen", at=clock())
    with pytest.raises(RefusalError, match="evidence-revoked"):
        desk.complete(attester.request(desk.begin()))


def test_a_platform_key_comes_by_a_signed_bundle_and_goes_with_the_next(realm, database, clock):
    desk, attester = realm
    maker = new_key()
    desk.values.add_provider("maker", maker.public_key(), at=clock())
    at = int(clock().timestamp())
    keys = {cca.INSTANCE: cca.PLATFORM_KEY.public_key()}
    first = corim.bundle_of_keys(keys, maker, not_before=at - 10)
    assert desk.values.import_bundle(first, at=clock()).count == 1
    (kept,) = PlatformKeys(database).all()
    assert (kept.provider, kept.instance) == ("maker", cca.INSTANCE)
    desk.complete(attester.request(desk.begin()))
    other = {b"\x01" + bytes(32): cca.PLATFORM_KEY.public_key()}
    desk.values.import_bundle(corim.bundle_of_keys(other, maker, not_before=at - 5), at=clock())
    assert [each.instance for each in PlatformKeys(database).all()] == list(other)
    rival = new_key()
    desk.values.add_provider("rival", rival.public_key(), at=clock())
    clash = corim.bundle_of_keys(dict.fromkeys(other, rival.public_key()), rival, not_before=at)
    with pytest.raises(TabascoError, match="another key for platform"):
        desk.values.import_bundle(clash, at=clock())


def test_a_platform_key_is_on_a_curve_that_tokens_are_signed_with(database, clock):
    key = ec.generate_private_key(ec.SECP256K1()).public_key()
    with pytest.raises(TabascoError, match="P-256, P-384 or P-521"):
        PlatformKeys(database).add(EvidenceKind.ARM_CCA, cca.INSTANCE, key, at=clock())
    assert PlatformKeys(database).all() == []


def test_an_operator_keeps_platform_keys_by_command(tmp_path):
    state = ["--state", str(tmp_path / "state"), "--json"]
    file = tmp_path / "key.pem"
    file.write_bytes(pem_of(cca.PLATFORM_KEY.public_key()))

    def run(*arguments, status=0):
        done = CliRunner().invoke(main, ["platform-key", *arguments, *state])
        assert done.exit_code == status, done.output
        return done

    given = ("add", "--kind", "arm-cca", "--instance")
    added = json.loads(run(*given, cca.INSTANCE.hex(), str(file)).stdout)
    assert json.loads(run("list").stdout) == {"platform_keys": [added]}
    assert "33 bytes" in run(*given, "01", str(file), status=1).stderr
    file.write_bytes(pem_of(new_key().public_key()))
    assert "remove that one first" in run(*given, cca.INSTANCE.hex(), str(file), status=1).stderr
    run("remove", str(added["number"]))
    assert "no platform key" in run("remove", str(added["number"]), status=1).stderr
