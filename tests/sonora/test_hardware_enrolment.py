"""Sources on stand-ins for their interfaces enrol with Tabasco's own checks, or do not."""

import hashlib
import re

import pytest

from colima import decode, encode, tabasco
from psa_attestation.tokens.instance_id import instance_id_of
from sonora.enrolment import enrol
from sonora.errors import EnrolmentRefusedError
from sonora.evidence.gramine import GramineSource
from sonora.evidence.nsm import NsmSource
from sonora.evidence.tpm.source import TpmSettings, TpmSource
from sonora.evidence.tsm import TsmSource
from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support.databases import new_database
from support.enrolment import Clock
from support.platform_fakes import FakeGramine, FakeNsm, FakeTpm, FakeTsm
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.registry.challenges import Challenges
from tabasco.registry.instances import Instances
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.service.attestation import Settings
from tabasco.service.enrolment import Enrolments
from tabasco.service.hardware_root import HardwareRoot
from tabasco.verify.kinds import EvidenceKind

TD = dcap.Recipe(dcap.TDX, 4)
TPM = TpmSource(TpmSettings(key_handle=FakeTpm.handle), exchange=FakeTpm())
TPM_POLICY = f"""[tpm]
concerns = ["tpm.uncertified-key"]
[tpm.facts]
attestation-key = {{ one_of = ["{TPM.key_digest.hex()}"] }}
[tpm.measurements]
pcr23 = ["{"17" * 32}"]
"""


def sgx_quote(report_data):
    return dcap.Recipe(body={320: report_data}).quote()


def td_quote(report_data):
    return dcap.Recipe(dcap.TDX, 4, body={520: report_data}).quote().ljust(8000, b"\0")


def nitro_document(user_data):
    return nitro.Recipe(changes={"user_data": user_data}).document()


def measured(kind, name, value):
    return f'[{kind}.measurements]\n{name} = ["{value.hex()}"]\n'


MRENCLAVE = dcap.Recipe().verify().measurements["mrenclave"]
MRTD = TD.verify().measurements["mrtd"]
SOURCES = {
    "sgx": (lambda: GramineSource(files=FakeGramine(sgx_quote)), dcap.NOON, dcap.ROOTS),
    "tdx": (lambda: TsmSource(files=FakeTsm(td_quote, "tdx_guest")), dcap.NOON, dcap.ROOTS),
    "nitro": (
        lambda: NsmSource(FakeNsm(nitro_document)),
        nitro.MADE,
        {hashlib.sha256(nitro.ROOT).digest()},
    ),
    "tpm": (lambda: TPM, dcap.NOON, set()),
}
POLICIES = {
    "sgx": measured("sgx", "mrenclave", MRENCLAVE),
    "tdx": measured("tdx", "mrtd", MRTD),
    "nitro": measured("nitro", "pcr0", nitro.MEMBERS["pcrs"][0]),
    "tpm": TPM_POLICY,
}


@pytest.fixture(params=SOURCES)
def name(request):
    return request.param


@pytest.fixture
def tabasco_with(tmp_path, name):
    """A function: how a Tabasco with this appraisal policy is called."""
    _, at, roots = SOURCES[name]
    clock, settings = Clock(at), Settings()
    store = Store(tmp_path / "collateral", trust=Trust(intel=dcap.ROOTS))
    if name in ("sgx", "tdx"):
        recipe = TD if name == "tdx" else dcap.Recipe()
        store.add([("made", recipe.collateral_json())], at=at)
    with new_database(tmp_path / "tabasco.db") as database:
        policies = Policies(database)
        root = HardwareRoot(
            EvidenceKind(name),
            policies=policies,
            references=ReferenceValues(database),
            source=StoredCollateral(store),
            roots=roots or None,
        )
        enrolments = Enrolments(
            challenges=Challenges(database, validity=settings.challenge_validity, limit=9),
            instances=Instances(database),
            verifiers=[root],
            validity=settings.enrolment_validity,
        )

        def answer(method, request):
            if method == "BeginEnrolment":
                asked = decode(tabasco.BeginEnrolmentRequest, request)
                challenge = enrolments.begin(asked.platform, at=clock())
                return encode(tabasco.BeginEnrolmentResponse(challenge, 60))
            done = enrolments.complete(decode(tabasco.CompleteEnrolmentRequest, request), at=at)
            return encode(tabasco.CompleteEnrolmentResponse(done.instance_id, 3600))

        def with_policy(text):
            policies.put_in_force(f"version = 1\n{text}".encode(), at=clock())
            return answer

        yield with_policy


def enrolled(call, source):
    return enrol(call, source)


def test_evidence_of_a_source_enrols_a_fresh_key(tabasco_with, name):
    source = SOURCES[name][0]()
    found = enrolled(tabasco_with(POLICIES[name]), source)
    assert source.platform == name
    assert found.instance_id == instance_id_of(found.key.public_key())


def test_what_the_policy_does_not_name_does_not_enrol(tabasco_with, name):
    other = re.sub(r'\["[0-9a-f]{2}', '["5a', POLICIES[name])
    with pytest.raises(EnrolmentRefusedError, match="refuses to enrol"):
        enrolled(tabasco_with(other), SOURCES[name][0]())
