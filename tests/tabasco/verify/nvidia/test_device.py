"""Reports of devices: bytes, certificates, signature, firmware, nonce, reference values."""

import base64
import json
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.nvidia_devices import (
    BOOT_ROM,
    DRIVER,
    FIRMWARE,
    FIRMWARE_RIM,
    IDENTITY,
    MEASURED,
    NONCE,
    OPAQUE,
    ROOT,
    ROOTS,
    SECOND_LEAF,
    VBIOS,
    Device,
    Rim,
    block,
    device_list,
    raw_signature,
    signing_key,
    tcb_info,
)
from support.refused_evidence import refused
from support.throwaway_chain import NOON, YEAR, Form, authority, issue, revocation_list
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.nvidia.evidence_json import MAX_DEVICES, parse_devices
from tabasco.verify.nvidia.rim import verify_manifest
from tabasco.verify.nvidia.spdm import parse_report

FORMAT, CHAIN, SIGNATURE, BINDING, COLLATERAL = (
    VerificationStage.FORMAT,
    VerificationStage.CHAIN,
    VerificationStage.SIGNATURE,
    VerificationStage.BINDING,
    VerificationStage.COLLATERAL,
)
evidence = partial(verify_evidence, kind=EvidenceKind.NVIDIA, at=NOON)
TRUSTING = Means(roots=ROOTS)


def manifest(rim=None):
    return verify_manifest((rim or Rim()).sign(), at=NOON, roots=ROOTS)


def test_a_report_proves_measurements_versions_and_the_nonce():
    proven = Device().verify(nonce=NONCE)
    assert proven.measurements == {f"measurement{i}": value for i, value in MEASURED.items()}
    assert proven.report_data == NONCE
    assert proven.debug is None
    assert proven.facts == {
        "model": "GH100",
        "ueid": f"{77:040x}",
        "driver-version": DRIVER,
        "vbios-version": VBIOS,
        "nvdec0": "disabled",
        "board-id": 0x3B1,
        "firmware-id": FIRMWARE.hex(),
        "protected-pcie": "disabled",
        "mode": "single-gpu",
        "reference-values": "none",
    }
    assert proven.warnings
    assert not proven.concerns


def test_what_it_rests_on_can_be_named_by_a_revocation():
    named = {(each.subject, each.name) for each in Device().verify().revocable}
    assert ("instance", "ueid") in named
    assert ("measurement", "measurement7") in named
    assert sum(subject == "certificate" for subject, _ in named) == 4


class TestBytes:
    def read(self, **changes):
        return parse_report(Device(**changes).report)

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"request": b"\x12\xe0\x01\xff"}, Fault.UNSUPPORTED_VERSION),
            ({"answer": b"\x12\x60\0\0"}, Fault.UNSUPPORTED_VERSION),
            ({"request": b"\x11\xe1\x01\xff"}, Fault.MALFORMED),
            ({"request": b"\x11\xe0\x00\xff"}, Fault.UNSIGNED),
            ({"request": b"\x11\xe0\x01\x01"}, Fault.MALFORMED),
            ({"answer": b"\x11\x7f\0\0"}, Fault.MALFORMED),
            ({"slot": 1}, Fault.MALFORMED),
            ({"rest": b"\0"}, Fault.TRAILING_BYTES),
            ({"count": 3}, Fault.TRAILING_BYTES),
            ({"count": 5}, Fault.MALFORMED),
            ({"blocks": b"", "count": 0}, Fault.MALFORMED),
            ({"blocks": block(1, b"x" * 48) * 2, "count": 2}, Fault.MALFORMED),
            ({"blocks": block(0, b"x" * 48), "count": 1}, Fault.MALFORMED),
            ({"blocks": block(240, b"x" * 48), "count": 1}, Fault.MALFORMED),
            ({"blocks": block(1, b"x" * 48, specification=2), "count": 1}, Fault.MALFORMED),
            ({"blocks": block(1, b"x" * 48, kind=0x81), "count": 1}, Fault.MALFORMED),
            ({"blocks": block(1, b"x" * 47), "count": 1}, Fault.MALFORMED),
            ({"blocks": block(1, b"x" * 48) + b"\0", "count": 1}, Fault.TRAILING_BYTES),
        ],
    )
    def test_what_is_not_a_report_of_all_measurements_is_refused(self, changes, fault):
        with refused(fault, FORMAT):
            self.read(**changes)

    def test_a_report_cut_anywhere_is_refused(self):
        whole = Device().report
        for size in range(len(whole)):
            with refused(Fault.MALFORMED, FORMAT):
                parse_report(whole[:size])

    def test_a_report_is_bounded(self):
        with refused(Fault.MALFORMED, FORMAT, match="at most"):
            parse_report(Device().report + bytes(32 * 1024))

    @given(st.binary(max_size=120))
    def test_arbitrary_bytes_are_refused_in_our_words(self, data):
        with pytest.raises(EvidenceError):
            parse_report(b"\x11\xe0\x01\xff" + data)

    @pytest.mark.parametrize(
        "fields",
        [
            b"\x03\0\x05\0abc",
            b"\x03\0",
            b"\x03\0\x01\0a" * 2,
            b"\x03\0\x01\0\x01",
            b"\x03\0\x41\0" + b"a" * 65,
            b"\x0e\0\0\0",
            b"\x0e\0\x09\0" + bytes(9),
        ],
        ids=["cut", "header", "twice", "no-text", "long", "no-number", "long-number"],
    )
    def test_opaque_data_have_their_form(self, fields):
        with refused(Fault.MALFORMED, FORMAT):
            Device(fields=fields).verify()

    def test_what_nobody_knows_says_nothing(self):
        known = Device().verify()
        more = Device(opaque={**OPAQUE, 999: b"?"}).verify()
        assert more.facts == known.facts

    def test_a_switch_writes_its_version_as_text(self):
        leaf = signing_key("LS_10 A01 FSP FMC LF", extensions=[])
        proven = Device(opaque={6: b"96.10.55.00.01", 25: b"\1\0"}, leaf=leaf).verify()
        assert proven.facts["model"] == "LS10"
        assert proven.facts["vbios-version"] == "96.10.55.00.01"

    def test_an_unknown_state_is_shown_as_that(self):
        facts = Device(opaque={**OPAQUE, 11: b"\x01", 36: b"\x09\0"}).verify().facts
        assert facts["nvdec0"] == "unknown (01)"
        assert facts["mode"] == "unknown (9)"


class TestCertificates:
    def test_only_a_pinned_root_is_believed(self):
        with refused(Fault.UNKNOWN_ROOT, CHAIN, match="NVIDIA Device Identity CA"):
            evidence(Device().report, means=Means(authorities=Device().chain))

    @pytest.mark.parametrize(
        "above", [(), (ROOT,), (IDENTITY, ROOT), (BOOT_ROM, ROOT), (BOOT_ROM, IDENTITY)]
    )
    def test_a_chain_with_a_gap_is_refused(self, above):
        with pytest.raises(EvidenceError) as caught:
            Device(above=above).verify()
        assert caught.value.stage is CHAIN

    def test_without_the_leaf_the_boot_rom_signs_nothing(self):
        with refused(Fault.CHAIN, CHAIN, match="is an authority"):
            Device(leaf=BOOT_ROM, above=(IDENTITY, ROOT)).verify()

    def test_a_leaf_on_another_curve_is_refused(self):
        leaf = issue("GH100 A01 GSP FMC LF", BOOT_ROM, Form())
        with refused(Fault.UNSUPPORTED_ALGORITHM, CHAIN, match="P-384"):
            Device(leaf=leaf, opaque={3: b"1"}).verify()

    def test_certificates_have_to_be_valid(self):
        with refused(Fault.NOT_YET_VALID, CHAIN):
            Device().verify(at=NOON - 2 * YEAR)

    def test_a_report_by_another_device_is_not_signed(self):
        other = Device(leaf=SECOND_LEAF)
        with refused(Fault.SIGNATURE, SIGNATURE):
            evidence(other.report, means=replace(TRUSTING, authorities=Device().chain))

    def test_the_signature_has_one_form(self):
        good = Device()
        data = good.report[:-96] + raw_signature(good.leaf.key, good.report[37:-96])
        with refused(Fault.SIGNATURE, SIGNATURE):
            evidence(data, means=replace(TRUSTING, authorities=good.chain))

    def test_the_firmware_is_the_one_that_the_key_was_made_for(self):
        with refused(Fault.CERTIFICATE_MISMATCH, BINDING, match="f1f1.*f2f2|f2f2.*f1f1"):
            Device(opaque={**OPAQUE, 20: b"\xf2" * 48}).verify()

    def test_newer_chips_name_firmware_in_another_extension(self):
        leaf = signing_key("GB100 A01 GSP FMC LF", extensions=[tcb_info(FIRMWARE, b"\0" * 48)])
        assert Device(leaf=leaf).verify().facts["model"] == "GB100"
        leaf = signing_key("GB100 A01 GSP FMC LF", extensions=[tcb_info(b"\xf2" * 48)])
        with refused(Fault.CERTIFICATE_MISMATCH, BINDING):
            Device(leaf=leaf).verify()

    def test_a_key_without_firmware_does_not_fit_a_report_with_it(self):
        leaf = signing_key(extensions=[])
        with refused(Fault.CERTIFICATE_MISMATCH, BINDING, match="certificate is for none"):
            Device(leaf=leaf).verify()
        fields = {kind: value for kind, value in OPAQUE.items() if kind != 20}
        assert "firmware-id" not in Device(leaf=leaf, opaque=fields).verify().facts


class TestRevocation:
    def test_a_certificate_on_its_issuers_list_is_refused(self):
        listed = revocation_list(BOOT_ROM, LEAF_SERIAL)
        with refused(Fault.REVOKED, CHAIN, match="GH100 A01 GSP FMC LF"):
            Device().verify(revoked=listed)

    def test_a_list_without_it_bounds_the_time(self):
        proven = Device().verify(revoked=revocation_list(IDENTITY, 99))
        assert proven.valid_until < NOON + YEAR
        assert not proven.warnings

    def test_a_list_by_somebody_else_is_refused(self):
        other = issue("somebody", None, authority())
        with refused(Fault.COLLATERAL_MISMATCH, COLLATERAL):
            Device().verify(revoked=revocation_list(other))


LEAF_SERIAL = 77


class TestReferenceValues:
    def test_a_device_agrees_with_those_of_its_versions(self):
        both = [manifest(), manifest(FIRMWARE_RIM)]
        proven = Device().verify(manifests=both)
        assert proven.facts["reference-values"] == "driver vbios"
        assert not proven.concerns
        assert proven.valid_until == both[0].valid_until
        assert Device().verify(manifests=both[1:]).facts["reference-values"] == "vbios"

    def test_a_difference_names_its_index_and_both_values(self):
        wanted, found = b"\xaa" * 48, MEASURED[7]
        rim = Rim(values={7: (wanted,), 9: (wanted,), 0: (MEASURED[0],)})
        proven = Device().verify(manifests=[manifest(rim), manifest(FIRMWARE_RIM_ELSEWHERE)])
        assert proven.facts["reference-values"] == "vbios"
        first, second = proven.concerns
        assert (first.name, second.name) == ("nvidia.measurement7", "nvidia.measurement9")
        assert first.detail == (
            f"measurement 7 is {found.hex()}, NVIDIA's driver {DRIVER} has {wanted.hex()}"
        )
        assert "measurement 9 is absent" in second.detail
        with refused(Fault.MEASUREMENT, match="nvidia.measurement7"):
            appraise(proven, Acceptance())
        named = frozenset({"nvidia.measurement7", "nvidia.measurement9"})
        appraise(proven, Acceptance(concerns=named))

    def test_any_of_the_alternatives_will_do(self):
        rim = Rim(values={7: (b"\xaa" * 48, MEASURED[7])})
        assert not Device().verify(manifests=[manifest(rim)]).concerns

    def test_a_decoder_that_is_off_is_not_measured(self):
        rim = manifest(Rim(values={35: (b"\xaa" * 48,)}))
        assert not Device().verify(manifests=[rim]).concerns
        on = Device(opaque={**OPAQUE, 11: b"\xaa"}).verify(manifests=[rim])
        assert [each.name for each in on.concerns] == ["nvidia.measurement35"]

    @pytest.mark.parametrize("rim", [Rim(version="1.2"), Rim(product="GB100")])
    def test_those_of_another_device_are_refused(self, rim):
        with refused(Fault.COLLATERAL_MISMATCH, COLLATERAL, match=f"GH100 with driver {DRIVER}"):
            Device().verify(manifests=[manifest(rim)])

    def test_two_that_speak_of_one_measurement_are_refused(self):
        both = [manifest(), manifest(Rim(version=VBIOS))]
        with refused(Fault.COLLATERAL_MISMATCH, COLLATERAL, match="measurement 7"):
            Device().verify(manifests=both)

    def test_those_that_nvidia_did_not_sign_count_for_nothing(self):
        forged = Rim().sign().replace(b"alternatives", b"alternativez")
        means = replace(TRUSTING, authorities=Device().chain, manifests=(forged,))
        with refused(Fault.COLLATERAL_SIGNATURE, COLLATERAL, match="reference values"):
            evidence(Device().report, means=means)
        late = replace(means, manifests=(Rim().sign(),))
        with refused(Fault.COLLATERAL_EXPIRED, COLLATERAL, match="reference values"):
            verify_evidence(Device().report, EvidenceKind.NVIDIA, means=late, at=NOON + 2 * YEAR)


FIRMWARE_RIM_ELSEWHERE = Rim(version=VBIOS, values={1: (MEASURED[1],)})


class TestFreshness:
    def test_another_nonce_is_refused_with_both(self):
        with refused(Fault.NONCE, BINDING, match=f"{NONCE.hex()}, expected {'00' * 32}"):
            Device().verify(nonce=bytes(32))

    def test_the_nonce_is_the_requests(self):
        with refused(Fault.NONCE, BINDING):
            Device().verify(nonce=b"\xaa" * 32)  # the device's own, in its answer


class TestJson:
    def test_one_device_is_what_its_report_is(self):
        assert evidence(device_list(Device()), means=TRUSTING) == Device().verify()

    def test_several_have_each_its_part(self):
        two = device_list(Device(), Device(leaf=SECOND_LEAF))
        proven = evidence(two, means=TRUSTING)
        assert list(proven.parts) == ["GPU-0", "GPU-1"]
        assert proven.report_data == NONCE
        assert not proven.measurements
        assert proven.parts["GPU-1"].facts["ueid"] == f"{78:040x}"
        assert len(proven.revocable) > len(proven.parts["GPU-0"].revocable)

    def test_several_answer_one_nonce(self):
        two = device_list(Device(), Device(leaf=SECOND_LEAF, nonce=b"\1" * 32))
        with refused(Fault.NONCE, BINDING, match="different nonces"):
            evidence(two, means=TRUSTING)

    def test_one_bad_device_is_enough(self):
        entries = [Device().entry, Device(leaf=SECOND_LEAF).entry]
        entries[1]["certificate"] = entries[0]["certificate"]
        with refused(Fault.SIGNATURE, SIGNATURE):
            evidence(json.dumps(entries).encode(), means=TRUSTING)

    @pytest.mark.parametrize("member", ["device_evidence_list", "evidence_list"])
    def test_others_have_the_list_in_an_object(self, member):
        entry = Device().entry
        del entry["nonce"], entry["arch"]
        entry["evidence"] = Device().report.hex()
        entry["certificate"] = Device().chain.decode()
        document = {member: [entry], "nonce": NONCE.hex(), "arch": "Hopper"}
        assert evidence(json.dumps(document).encode(), means=TRUSTING).report_data == NONCE

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"nonce": "00" * 32}, Fault.NONCE),
            ({"arch": "BLACKWELL"}, Fault.CERTIFICATE_MISMATCH),
            ({"arch": "LS10"}, Fault.CERTIFICATE_MISMATCH),
        ],
    )
    def test_what_stands_beside_a_report_must_not_say_otherwise(self, changes, fault):
        with refused(fault, BINDING):
            evidence(json.dumps([Device().entry | changes]).encode(), means=TRUSTING)

    @pytest.mark.parametrize(
        "document",
        [
            [],
            [Device().entry] * (MAX_DEVICES + 1),
            [1],
            {"evidence_list": {}},
            {},
            *([Device().entry | {"evidence": each}] for each in (None, 1, "", "!", "abc")),
            *([Device().entry | {"certificate": each}] for each in (None, 1, "", "!")),
            [Device().entry | {"arch": "AMPERE"}],
            [Device().entry | {"arch": 1}],
            [Device().entry | {"nonce": "zz"}],
        ],
    )
    def test_what_has_not_the_form_is_refused(self, document):
        with refused(Fault.MALFORMED, FORMAT):
            parse_devices(json.dumps(document).encode())

    def test_certificates_may_be_explained(self):
        entry = Device().entry
        text = b"# signed by the boot ROM\n" + Device().chain
        entry["certificate"] = base64.b64encode(text).decode()
        assert evidence(json.dumps([entry]).encode(), means=TRUSTING) == Device().verify()


def test_a_report_without_certificates_lacks_them():
    with refused(Fault.COLLATERAL_MISSING, COLLATERAL, match="no chain was given"):
        evidence(Device().report, means=TRUSTING)
    with refused(Fault.TRAILING_BYTES, FORMAT):
        evidence(Device(rest=b"\0").report, means=TRUSTING)
