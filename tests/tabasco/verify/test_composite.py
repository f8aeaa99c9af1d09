"""Evidence of several attesters: forms, one challenge, and a verdict for each."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest

from psa_attestation.evidence.native import AuxiliaryPart, report_data_of
from support import snp_evidence as snp
from support.evidence_seeds import machine_with_gpus
from support.nvidia_devices import NONCE, ROOTS, SECOND_LEAF, Device, device_list
from support.refused_evidence import refused
from support.throwaway_chain import NOON
from tabasco.appraisal.checks import Acceptance
from tabasco.appraisal.inspection import as_json, as_text, inspect
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.composite import (
    MAX_PARTS,
    WHOLE,
    Member,
    is_composite,
    parse_composite,
    proven_together,
)
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.proven import NO_END, Proven

MEANS = Means(roots=ROOTS)
TWO = device_list(Device(), Device(leaf=SECOND_LEAF))
MACHINE = machine_with_gpus(NONCE, TWO)


def verify(data=MACHINE, **means):
    return verify_evidence(data, EvidenceKind.COMPOSITE, means=replace(MEANS, **means), at=NOON)


def proven(kind=EvidenceKind.TDX, report_data=NONCE, **facts):
    return Proven(
        kind=kind, measurements={"mrtd": b"m"}, report_data=report_data, debug=False,
        valid_until=NO_END, facts=facts,
    )  # fmt: skip


GPU = proven(EvidenceKind.NVIDIA, ueid="1")


def test_each_attester_is_proven_by_itself_under_its_name():
    found = verify(nonce=NONCE)
    assert list(found.parts) == ["cpu", "gpus/GPU-0", "gpus/GPU-1"]
    assert found.report_data == NONCE
    assert found.facts == {"count.nvidia": 2, "count.tpm": 1}
    assert found.valid_until == min(each.valid_until for each in found.parts.values())
    assert {each.name for part in found.parts.values() for each in part.revocable} == {
        each.name for each in found.revocable
    }


class TestTheChallenge:
    @pytest.mark.parametrize("report_data", [NONCE, NONCE.ljust(64, b"\0"), report_data_of(NONCE)])
    def test_processors_have_it_in_their_report_data(self, report_data):
        found = proven_together({"cpu": proven(report_data=report_data), "gpu": GPU}, nonce=NONCE)
        assert found.report_data == NONCE

    @pytest.mark.parametrize(
        "report_data",
        [b"", bytes(64), NONCE[:-1], NONCE.ljust(63, b"\0"), NONCE + b"\1" * 32,
         report_data_of(bytes(32))],
    )  # fmt: skip
    def test_a_processor_with_another_is_refused(self, report_data):
        parts = {"cpu": proven(report_data=report_data), "gpu": GPU}
        with refused(Fault.REPORT_DATA, VerificationStage.BINDING, match="cpu is bound to"):
            proven_together(parts, nonce=None)

    @pytest.mark.parametrize("order", [1, -1])
    def test_processors_alone_agree_in_any_order(self, order):
        parts = {"cpu": proven(report_data=NONCE.ljust(64, b"\0")), "tpm": proven(EvidenceKind.TPM)}
        found = proven_together(dict(list(parts.items())[::order]), nonce=NONCE)
        assert found.report_data == NONCE

    def test_a_device_with_another_is_refused(self):
        other = proven(EvidenceKind.NVIDIA, report_data=NONCE.ljust(64, b"\0"))
        with refused(Fault.REPORT_DATA, VerificationStage.BINDING, match="gpu-1 is bound to"):
            proven_together({"gpu-0": GPU, "gpu-1": other}, nonce=None)

    def test_gpus_of_another_session_do_not_fit(self):
        other = device_list(Device(nonce=b"\7" * 32), Device(nonce=b"\7" * 32, leaf=SECOND_LEAF))
        with refused(Fault.REPORT_DATA, VerificationStage.BINDING, match="different challenges"):
            verify(machine_with_gpus(NONCE, other))

    def test_all_of_another_session_do_not_either(self):
        with refused(Fault.NONCE, VerificationStage.BINDING, match=f"expected {'00' * 32}"):
            verify(nonce=bytes(32))

    def test_without_devices_all_have_the_same(self):
        both = {"a": proven(), "b": proven(report_data=NONCE.ljust(64, b"\0"))}
        assert proven_together(both, nonce=None).report_data == NONCE
        with refused(Fault.REPORT_DATA):
            proven_together({"a": proven(), "b": proven(report_data=bytes(32))}, nonce=None)


def test_a_device_that_is_there_twice_counts_once():
    parts = {"cpu": proven(), "a": GPU, "b": GPU, "c": proven(EvidenceKind.NVIDIA, ueid="2")}
    assert proven_together(parts, nonce=None).facts == {"count.nvidia": 2, "count.tdx": 1}


def test_attesters_are_as_many_as_a_result_speaks_of():
    parts = {f"gpu-{number}": GPU for number in range(MAX_PARTS + 1)}
    assert proven_together(dict(list(parts.items())[1:]), nonce=None)
    with refused(Fault.MALFORMED):
        proven_together(parts, nonce=None)


@pytest.mark.parametrize(
    ("table", "check"),
    [
        ('measurements]\nmrtd = ["' + "6d" * 32 + '"]\n', "measurement.mrtd"),
        ('measurements]\nmrtd = "reference-values"\n', "measurement.mrtd"),
        ("events.pcr4]\nallowed = []\n", "events.pcr4"),
    ],
)
def test_what_is_asked_of_the_whole_and_only_its_parts_have_is_refused(table, check):
    counts = '[composite.facts]\n"count.tdx" = { at_least = 1 }\n'
    tables = f'version = 1\n{counts}[tdx.measurements]\nmrtd = ["6d"]\n'
    whole = proven_together({"cpu": proven()}, nonce=None)
    assert AppraisalPolicy.parse(tables.encode()).evaluate(whole).refused_by is None
    policy = AppraisalPolicy.parse(f"{tables}[composite.{table}".encode())
    assert policy.evaluate(whole).refused_by.name == check
    assert list(policy.warnings())


class TestForm:
    def test_certificates_go_with_their_member(self):
        device = Device()
        member = {
            "kind": "nvidia",
            "evidence": b64encode(device.report).decode(),
            "authorities": device.chain.decode(),
        }
        data = json.dumps({"submods": {"gpu": member}}).encode()
        assert verify(data).parts["gpu"].facts["model"] == "GH100"

    def test_those_of_the_caller_are_for_members_that_bring_none(self):
        recipe = snp.Recipe(fields={0x50: NONCE.ljust(64, b"\0")})
        with refused(Fault.COLLATERAL_MISSING):
            member = {"kind": "sev-snp", "evidence": recipe.report().hex()}
            verify(json.dumps({"submods": {"cpu": member}}).encode())

    @pytest.mark.parametrize(
        "document",
        [
            [],
            {},
            {"submods": []},
            {"submods": {}},
            {"submods": {"a": {}}, "more": 1},
            {"submods": {"a": {"kind": "tdx", "evidence": "00"}}, "more": 1},
            {"submods": {"a": 1}},
            {"submods": {"a": {"kind": "tdx"}}},
            {"submods": {"a": {"kind": "tdx", "evidence": ""}}},
            {"submods": {"a": {"kind": "tdx", "evidence": 1}}},
            {"submods": {"a": {"kind": "tdx", "evidence": "!"}}},
            {"submods": {"a": {"kind": "tdx", "evidence": "00", "more": 1}}},
            {"submods": {"a": {"kind": "tdx", "evidence": "00", "certificate": 1}}},
            {"submods": {"a": {"kind": 1, "evidence": "00"}}},
            *({"submods": {"a": {"kind": kind, "evidence": "00"}}}
              for kind in ("ear", "corim", "nvidia-rim", "composite", "nothing")),
            *({"submods": {name: {"kind": "tdx", "evidence": "00"}}}
              for name in ("", "a/b", " ", WHOLE, "a" * 33)),
            {"submods": {str(n): {"kind": "tdx", "evidence": "00"} for n in range(16)}},
        ],
    )  # fmt: skip
    def test_what_has_not_the_form_is_refused(self, document):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_composite(json.dumps(document).encode())


def test_a_member_may_have_all_that_there_is_and_there_may_be_as_many_as_are_read():
    more = dict.fromkeys(AuxiliaryPart, "AQ==") | {AuxiliaryPart.AUTHORITIES: "02"}
    known = {"kind": "tdx", "evidence": "0x00", **more}
    document = {"submods": {str(number): known for number in range(MAX_PARTS)}}
    found = parse_composite(json.dumps(document).encode())
    assert len(found) == MAX_PARTS
    assert found["0"] == Member(EvidenceKind.TDX, b"\0", b"\1", b"\2")


@pytest.mark.parametrize(
    ("data", "meant"),
    [(MACHINE, True), (b'{"submods": 1}', True), (b'{"mods": {}}', False), (b'["submods"]', False)],
)
def test_it_is_told_from_other_json_by_its_one_member(data, meant):
    assert is_composite(data) == meant


CPU_RULES = '[tpm]\nconcerns = ["tpm.uncertified-key"]\n[tpm.measurements]\npcr0 = ["{}"]\n'
CPU_RULES = CPU_RULES.format("00" * 32) + '[tpm.facts]\nattestation-key = {{ equals = "{}" }}\n'
KEY = verify().parts["cpu"].facts["attestation-key"]
CPU = CPU_RULES.format(KEY)
GPUS = '[nvidia.measurements]\nmeasurement7 = ["{}"]\n'.format("07" * 48)
COUNTS = '[composite.facts]\n"count.tpm" = { at_least = 1 }\n"count.nvidia" = { at_least = 2 }\n'


def decide(*tables):
    policy = AppraisalPolicy.parse(("version = 1\n" + "".join(tables)).encode())
    return policy.evaluate(verify(), report_data=NONCE)


class TestPolicy:
    def test_the_whole_is_accepted_where_each_is(self):
        decision = decide(CPU, GPUS, COUNTS)
        assert decision.refused_by is None
        assert set(decision.parts) == {"cpu", "gpus/GPU-0", "gpus/GPU-1"}

    @pytest.mark.parametrize(
        ("tables", "name", "fault"),
        [
            ((CPU, GPUS), "kind", Fault.NOT_ALLOWED),
            ((CPU, GPUS, "[composite]\n"), "composition", Fault.NOT_ALLOWED),
            ((CPU, GPUS, COUNTS.replace("2", "3")), "fact.count.nvidia", Fault.FACT),
            ((CPU, GPUS, COUNTS.replace("tpm", "tdx")), "fact.count.tdx", Fault.FACT),
            ((GPUS, COUNTS), "cpu: kind", Fault.NOT_ALLOWED),
            ((CPU, COUNTS), "gpus/GPU-0: kind", Fault.NOT_ALLOWED),
            (
                (CPU, GPUS.replace("07", "08"), COUNTS),
                "gpus/GPU-0: measurement.measurement7",
                Fault.MEASUREMENT,
            ),
            ((CPU, "[nvidia]\n", COUNTS), "gpus/GPU-0: measurements", Fault.MEASUREMENT),
        ],
    )
    def test_one_that_is_not_is_enough(self, tables, name, fault):
        refused_by = decide(*tables).refused_by
        assert (refused_by.name, refused_by.fault) == (name, fault)

    def test_a_rule_about_reference_values_is_one_about_all_measurements(self):
        rule = '[nvidia.facts]\nreference-values = { equals = "driver vbios" }\n'
        refused_by = decide(CPU, rule, COUNTS).refused_by
        assert refused_by.name == "gpus/GPU-0: fact.reference-values"
        assert "'none'" in refused_by.detail

    def test_the_challenge_is_compared_once_for_all(self):
        policy = AppraisalPolicy.parse(("version = 1\n" + CPU + GPUS + COUNTS).encode())
        refused_by = policy.evaluate(verify(), report_data=bytes(32)).refused_by
        assert (refused_by.name, refused_by.fault) == ("report-data", Fault.REPORT_DATA)

    def test_of_several_devices_each_is_held_to_the_rules(self):
        found = verify_evidence(TWO, EvidenceKind.NVIDIA, means=MEANS, at=NOON)
        policy = AppraisalPolicy.parse(("version = 1\n" + GPUS).encode())
        assert policy.evaluate(found).refused_by is None
        other = AppraisalPolicy.parse(("version = 1\n" + GPUS.replace("07", "08")).encode())
        assert other.evaluate(found).refused_by.name == "GPU-0: measurement.measurement7"


class TestReport:
    def report(self, **acceptance):
        return inspect(
            MACHINE, None, means=MEANS, acceptance=Acceptance(**acceptance), policy=None, at=NOON
        )

    def test_each_attester_has_a_verdict_of_its_own(self):
        found = as_json(self.report())
        assert found["kind"] == "composite"
        assert not found["accepted"]
        assert found["refusal"]["detail"].startswith("cpu: nobody certifies")
        verdicts = {name: each["accepted"] for name, each in found["parts"].items()}
        assert verdicts == {"cpu": False, "gpus/GPU-0": True, "gpus/GPU-1": True}
        assert found["parts"]["gpus/GPU-1"]["proven"]["facts"]["model"] == "GH100"

    def test_people_are_told_of_each_too(self):
        text = as_text(self.report(concerns=frozenset({"tpm.uncertified-key"})))
        assert "verdict: accepted" in text
        assert "cpu (tpm): accepted" in text
        assert "gpus/GPU-1 (nvidia): accepted" in text
        assert "that the devices are in this machine" in text
