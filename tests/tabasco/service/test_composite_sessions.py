"""Sessions about several attesters, and about devices: a result with a submodule for each."""

import dataclasses
import json
from datetime import timedelta

import pytest

from psa_attestation.evidence.native import NativeEvidence, report_data_of
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import VerifierId
from support import cca_tokens as cca
from support.databases import new_database
from support.evidence_seeds import machine_with_gpus
from support.hardware_platforms import COMPONENTS
from support.nvidia_devices import (
    FIRMWARE_RIM,
    MEASURED,
    ROOT,
    ROOTS,
    SECOND_LEAF,
    Device,
    Rim,
    device_list,
)
from support.throwaway_chain import NOON
from support.tpm_quotes import EC_KEY
from tabasco.appraisal.inspection import EvidenceVerdict
from tabasco.collateral import ItemKind, Store, StoredCollateral, Trust
from tabasco.errors import RefusalError, RejectionReason
from tabasco.registry.challenges import Challenges
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import RootKind, Roots
from tabasco.service.explanation import explain
from tabasco.service.hardware_root import HardwareRoot
from tabasco.service.refusals import Refusals
from tabasco.service.sessions import Sessions, Submission, session_binding
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Subject
from veracruz_utils.key_files import digest_of

KEY = digest_of(EC_KEY.public_key()).hex()
CPU = f"""
[tpm]
concerns = ["tpm.uncertified-key"]
[tpm.measurements]
pcr0 = ["{"00" * 32}"]
[tpm.facts]
attestation-key = {{ equals = "{KEY}" }}
"""
GPUS = f'[nvidia.measurements]\nmeasurement7 = ["{MEASURED[7].hex()}"]\n'
COUNTS = '[composite.facts]\n"count.tpm" = { at_least = 1 }\n"count.nvidia" = { at_least = 2 }\n'


@pytest.fixture
def database(tmp_path):
    with new_database(tmp_path / "tabasco.db") as database:
        yield database


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "collateral", trust=Trust(nvidia=ROOTS))


@pytest.fixture
def sessions(database, store, result_key):
    verifiers = {
        kind.value: HardwareRoot(
            kind,
            policies=Policies(database),
            references=ReferenceValues(database),
            source=StoredCollateral(store),
            roots=ROOTS,
        )
        for kind in (EvidenceKind.NVIDIA, EvidenceKind.COMPOSITE)
    }
    return Sessions(
        database=database,
        challenges=Challenges(database, validity=timedelta(minutes=2), limit=3),
        verifiers=verifiers,
        key_ring=KeyRing.single(result_key),
        verifier=VerifierId("veracruz-tabasco", "9.9"),
        validity=timedelta(minutes=5),
        revocations=Revocations(database),
        refusals=Refusals(database),
    )


@pytest.fixture
def submods(sessions, database, result_key):
    """What a result says of evidence that answers a session, under a policy."""

    def found(kind, evidence, *tables):
        Policies(database).put_in_force(("version = 1\n" + "".join(tables)).encode(), at=NOON)
        nonce = sessions.open(kind, at=NOON)
        raw = evidence(session_binding(kind, nonce, b""))
        submission = Submission(nonce, kind, NativeEvidence(kind, raw).encode())
        signed = sessions.submit(submission, at=NOON)
        at = int(NOON.timestamp())
        return verify_ear(signed, key=result_key.public_key(), nonce=nonce, at=at).submods

    return found


def gpus(nonce, **changes):
    first = dataclasses.replace(Device(nonce=nonce), **changes)
    return device_list(first, Device(nonce=nonce, leaf=SECOND_LEAF))


def machine(nonce, **changes):
    return machine_with_gpus(nonce, gpus(nonce, **changes))


def tiers(submods):
    return {name: each.status for name, each in submods.items()}


def test_the_whole_is_affirmed_where_each_is_but_what_the_policy_tolerates(submods):
    found = submods("composite", machine, CPU, GPUS, COUNTS)
    assert tiers(found) == {
        "attester": Tier.WARNING,  # the key of the TPM is named, and certified by nobody
        "cpu": Tier.WARNING,
        "gpus/GPU-0": Tier.AFFIRMING,
        "gpus/GPU-1": Tier.AFFIRMING,
    }
    assert found["attester"].policy_ids == found["cpu"].policy_ids
    assert len({each.nonce for each in found.values()}) == 1


def test_devices_alone_are_affirmed(submods):
    found = submods("nvidia", gpus, GPUS)
    assert set(tiers(found).values()) == {Tier.AFFIRMING}
    assert set(found) == {"attester", "GPU-0", "GPU-1"}
    alone = submods("nvidia", lambda nonce: device_list(Device(nonce=nonce)), GPUS)
    assert tiers(alone) == {"attester": Tier.AFFIRMING}


def test_one_device_that_is_not_accepted_is_told_and_spoils_the_whole(submods):
    def one_wrong(nonce):
        return machine(nonce, measured={**MEASURED, 7: b"\xee" * 48})

    found = submods("composite", one_wrong, CPU, GPUS, COUNTS)
    assert found["gpus/GPU-0"].status is Tier.CONTRAINDICATED
    assert found["gpus/GPU-0"].trust_vector.executables == 33
    assert found["gpus/GPU-1"].status is Tier.AFFIRMING
    assert found["attester"].status is Tier.CONTRAINDICATED
    assert found["attester"].trust_vector.executables == 33


@pytest.mark.parametrize(
    "tables", [(CPU, GPUS), (CPU, GPUS, "[composite]\n"), (CPU, GPUS, COUNTS.replace("2", "3"))]
)
def test_what_is_missing_spoils_the_whole(submods, tables):
    assert submods("composite", machine, *tables)["attester"].status is Tier.CONTRAINDICATED


def test_a_kind_that_the_policy_does_not_name_spoils_the_whole(submods):
    found = submods("composite", machine, CPU, COUNTS)
    assert found["cpu"].status is Tier.WARNING
    assert found["gpus/GPU-1"].status is Tier.CONTRAINDICATED
    assert found["attester"].status is Tier.CONTRAINDICATED


def test_evidence_of_another_session_gets_no_result(sessions, database):
    Policies(database).put_in_force(("version = 1\n" + CPU + GPUS + COUNTS).encode(), at=NOON)
    for kind, raw in (("composite", machine(bytes(32))), ("nvidia", gpus(bytes(32)))):
        nonce = sessions.open(kind, at=NOON)
        submission = Submission(nonce, kind, NativeEvidence(kind, raw).encode())
        with pytest.raises(RefusalError) as caught:
            sessions.submit(submission, at=NOON)
        assert caught.value.reason is RejectionReason.EVIDENCE_REFUSED


def test_a_root_for_devices_is_added_by_name_and_trusted_until_it_is_removed(database, store):
    root = HardwareRoot(
        EvidenceKind.NVIDIA,
        policies=Policies(database),
        references=ReferenceValues(database),
        source=StoredCollateral(store),
        registered_roots=Roots(database),
    )
    Policies(database).put_in_force(("version = 1\n" + GPUS).encode(), at=NOON)
    evidence = NativeEvidence("nvidia", gpus(bytes(32))).encode()

    def refused_by():
        return root.appraise(evidence, binding=bytes(32), at=NOON)[2].refused_by

    roots = Roots(database)
    with pytest.raises(RefusalError, match="evidence"):
        refused_by()
    roots.add_manufacturer("tpms", ROOT.der, at=NOON)  # what vouches for TPMs does for them alone
    with pytest.raises(RefusalError, match="evidence"):
        refused_by()
    roots.add_manufacturer("ours", ROOT.der, at=NOON, kind=RootKind.NVIDIA)
    assert refused_by() is None
    assert [(each.name, each.kind) for each in roots.all()] == [("ours", "nvidia"), ("tpms", "tpm")]
    assert [each.name for each in roots.manufacturers()] == ["tpms"]
    roots.remove("ours", at=NOON)
    with pytest.raises(RefusalError, match="evidence"):
        refused_by()


def test_reference_values_come_from_the_store(submods, store):
    rule = '[nvidia.facts]\nreference-values = { equals = "driver vbios" }\n'
    assert submods("nvidia", gpus, rule)["attester"].status is Tier.CONTRAINDICATED
    store.add([("driver", Rim().sign()), ("vbios", FIRMWARE_RIM.sign())], at=NOON)
    kinds = {(each.kind, each.subject) for each in store.entries()}
    assert kinds == {
        (ItemKind.NVIDIA_RIM, "gh100/580.95.05"),
        (ItemKind.NVIDIA_RIM, "gh100/96.00.74.00.1a"),
    }
    assert submods("nvidia", gpus, rule)["attester"].status is Tier.AFFIRMING


def test_a_realm_in_a_composite_is_explained_by_the_key_that_sessions_find(database, store):
    binding = bytes(range(32))
    realm = cca.Recipe(realm={10: report_data_of(binding)}).token()
    devices = json.loads(device_list(Device(nonce=binding)))
    members = {
        "cpu": {"kind": "arm-cca", "evidence": realm.hex()},
        "gpu": {"kind": "nvidia", "evidence": devices},
    }
    evidence = NativeEvidence("composite", json.dumps({"submods": members}).encode())
    PlatformKeys(database).add(
        EvidenceKind.ARM_CCA, cca.INSTANCE, cca.PLATFORM_KEY.public_key(), at=NOON
    )
    rim = f'[arm-cca.measurements]\nrim = ["{cca.REALM[44238].hex()}"]\n{COMPONENTS}'
    counts = '[composite.facts]\n"count.arm-cca" = { at_least = 1 }\n'
    Policies(database).put_in_force(f"version = 1\n{rim}{counts}{GPUS}".encode(), at=NOON)
    root = HardwareRoot(
        EvidenceKind.COMPOSITE,
        policies=Policies(database),
        references=ReferenceValues(database),
        source=StoredCollateral(store),
        platform_keys=PlatformKeys(database),
        roots=ROOTS,
    )
    assert root.appraise(evidence.encode(), binding=binding, at=NOON)[2].refused_by is None
    found = explain(
        evidence, database=database, source=StoredCollateral(store), at=NOON, roots=ROOTS
    )
    assert found.verdict is EvidenceVerdict.ACCEPTED, found.refusal


def test_a_machine_with_eight_gpus_fits(submods):
    def eight(nonce):
        measured = {index: bytes([index]) * 48 for index in range(64)}
        return machine_with_gpus(nonce, device_list(*[Device(nonce=nonce, measured=measured)] * 8))

    assert len(eight(bytes(32))) > 64 * 1024
    found = submods("composite", eight, CPU, GPUS, COUNTS.replace("2", "1"))
    assert len(found) == 10
    assert found["attester"].status is Tier.WARNING


def test_what_is_revoked_of_one_kind_spoils_that_and_the_whole(submods, database):
    Revocations(database).add(Subject.MEASUREMENT, MEASURED[7], "a flaw", at=NOON)
    found = submods("composite", machine, CPU, GPUS, COUNTS)
    for name in ("gpus/GPU-0", "gpus/GPU-1", "attester"):
        assert found[name].status is Tier.CONTRAINDICATED
        assert found[name].trust_vector.executables == 96
    assert found["cpu"].status is Tier.WARNING
