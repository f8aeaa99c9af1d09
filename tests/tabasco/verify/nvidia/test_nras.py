"""Bundles of NVIDIA's attestation service: keys, digests, times, and what they say."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.nvidia_devices import (
    DRIVER,
    GOOD_CHAIN,
    GPU,
    ISSUED,
    NONCE,
    OVERALL,
    SERVICE,
    bundle,
    digest_of,
    token,
)
from support.refused_evidence import refused
from support.throwaway_chain import NOON
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.nvidia.evidence_json import MAX_DEVICES
from tabasco.verify.nvidia.nras import verify_bundle

FORMAT, SIGNATURE, BINDING, APPRAISAL = (
    VerificationStage.FORMAT,
    VerificationStage.SIGNATURE,
    VerificationStage.BINDING,
    VerificationStage.APPRAISAL,
)
KEYS = {"k": SERVICE.public_key()}


def verify(data=None, **changes):
    arguments = {"keys": KEYS, "at": NOON} | changes
    return verify_bundle(bundle() if data is None else data, **arguments)


def concerns(gpu=None, overall=None):
    found = verify(bundle({"GPU-0": GPU | (gpu or {})}, overall)).concerns
    return {each.name: each.fault for each in found}


def test_one_device_is_what_the_service_says_of_it():
    proven = verify(nonce=NONCE)
    assert proven.kind == "nvidia-nras"
    assert proven.report_data == NONCE
    assert proven.debug is False
    assert not proven.concerns
    assert proven.facts["driver-version"] == DRIVER
    assert proven.facts["issuer"] == OVERALL["iss"]
    assert proven.facts["claims-version"] == "3.0"
    assert proven.valid_until == NOON + timedelta(hours=1)
    # As a device's own report has it, so that one revocation is of both.
    ueid = int(GPU["ueid"]).to_bytes(20)
    assert [(each.subject, each.name) for each in proven.named] == [
        ("key", "service's key"),
        ("instance", "ueid"),
    ]
    assert proven.named[1].value == ueid


@pytest.mark.parametrize("ueid", ["0x12", "x", "1" * 50, str(1 << 160), -1, None])
def test_an_id_of_another_form_names_nothing(ueid):
    proven = verify(bundle({"GPU-0": GPU | {"ueid": ueid}}))
    assert [each.subject for each in proven.named] == ["key"]


def test_several_have_each_its_part():
    proven = verify(bundle({"GPU-0": GPU, "GPU-1": GPU | {"secboot": False}}))
    assert list(proven.parts) == ["GPU-0", "GPU-1"]
    assert not proven.parts["GPU-0"].concerns
    assert [each.name for each in proven.parts["GPU-1"].concerns] == ["nvidia-nras.secboot"]


class TestKeys:
    def test_a_key_that_is_not_given_is_unknown(self):
        other = {"other": SERVICE.public_key(), "another": SERVICE.public_key()}
        with refused(Fault.UNKNOWN_SIGNER, SIGNATURE, match="'k', which is not among the 2"):
            verify(keys=other)

    def test_a_key_for_any_name_will_do(self):
        assert verify(keys={"*": SERVICE.public_key()}).report_data == NONCE

    def test_a_token_without_a_name_needs_the_only_key(self):
        data = bundle(kid=None)
        assert verify(data).report_data == NONCE
        with refused(Fault.UNKNOWN_SIGNER, SIGNATURE):
            verify(data, keys={**KEYS, "l": SERVICE.public_key()})

    def test_another_key_did_not_sign(self):
        other = ec.generate_private_key(ec.SECP384R1()).public_key()
        with refused(Fault.SIGNATURE, SIGNATURE):
            verify(keys={"k": other})

    @pytest.mark.parametrize("alg", ["none", "HS256", "HS384", "ES256", "RS256", 1, None])
    def test_a_token_does_not_pick_its_algorithm(self, alg):
        with pytest.raises(Exception, match="alg") as caught:
            verify(bundle(alg=alg))
        assert caught.value.stage is FORMAT

    def test_every_token_is_signed(self):
        (kind, overall), devices = json.loads(bundle())
        head, body, _ = devices["GPU-0"].split(".")
        devices["GPU-0"] = f"{head}.{body}.{'A' * 128}"
        submods = {"GPU-0": digest_of(devices["GPU-0"])}
        overall = token({**OVERALL, "submods": submods})
        with refused(Fault.SIGNATURE, SIGNATURE, match="the token about GPU-0"):
            verify(json.dumps([[kind, overall], devices]).encode())


class TestBinding:
    def test_a_device_of_another_bundle_does_not_fit(self):
        first, second = (json.loads(bundle({"GPU-0": GPU | {"ueid": each}})) for each in "12")
        with refused(Fault.KEY_BINDING, BINDING, match="the token about GPU-0 has digest"):
            verify(json.dumps([first[0], second[1]]).encode())

    def test_a_device_too_many_or_too_few_is_refused(self):
        one, two = json.loads(bundle()), json.loads(bundle({"GPU-0": GPU, "GPU-1": GPU}))
        with refused(Fault.KEY_BINDING, BINDING, match="is about GPU-0, the bundle is about GPU-0"):
            verify(json.dumps([one[0], two[1]]).encode())
        with refused(Fault.KEY_BINDING, BINDING, match="is about GPU-0, GPU-1"):
            verify(json.dumps([two[0], one[1]]).encode())

    @pytest.mark.parametrize("changes", [{"eat_nonce": "00" * 32}, {"iss": "https://else"}])
    def test_a_device_token_for_another_challenge_is_refused(self, changes):
        with refused(Fault.KEY_BINDING, BINDING, match="another nonce or issuer"):
            verify(bundle({"GPU-0": GPU | changes}))

    def test_another_nonce_is_refused_with_both(self):
        with refused(Fault.NONCE, BINDING, match=f"{NONCE.hex()}, expected {'00' * 32}"):
            verify(nonce=bytes(32))

    @pytest.mark.parametrize("stated", [None, "abc", ["DIGEST", ["SHA-1", "00"]], ["DIGEST", []]])
    def test_a_submodule_is_a_digest(self, stated):
        with refused(Fault.MALFORMED, FORMAT, match="is not a SHA-256 digest"):
            verify(bundle(submods={"GPU-0": stated}))

    @pytest.mark.parametrize("nonce", [None, "", "zz" * 32, "00" * 7, "00" * 65, ["00" * 32], 5])
    def test_there_is_one_nonce(self, nonce):
        with refused(Fault.MALFORMED, FORMAT, match="eat_nonce"):
            verify(bundle({"GPU-0": GPU | {"eat_nonce": nonce}}, {"eat_nonce": nonce}))


class TestTimes:
    def test_a_token_ends_at_its_end(self):
        end = NOON + timedelta(hours=1)
        assert verify(at=end - timedelta(seconds=1))
        with refused(Fault.EXPIRED, APPRAISAL):
            verify(at=end)
        with refused(Fault.NOT_YET_VALID, APPRAISAL):
            verify(at=NOON - timedelta(seconds=1))

    def test_a_devices_token_has_times_of_its_own(self):
        with refused(Fault.EXPIRED, APPRAISAL):
            verify(bundle({"GPU-0": GPU | {"exp": ISSUED}}))

    @pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
    @pytest.mark.parametrize("value", [None, True, 1.5, "1", -1, 10**18])
    def test_times_are_whole_seconds(self, name, value):
        with refused(Fault.MALFORMED, FORMAT, match=name):
            verify(bundle(overall={name: value}))


class TestWhatIsSaid:
    @pytest.mark.parametrize("value", [False, None, 1, "true"])
    def test_the_whole_is_affirmed_or_it_is_a_concern(self, value):
        found = concerns(overall={"x-nvidia-overall-att-result": value})
        assert found == {"nvidia-nras.overall": Fault.RESULT_STATUS}

    @pytest.mark.parametrize(
        ("changes", "name", "fault"),
        [
            ({"measres": "fail"}, "nvidia-nras.measres", Fault.MEASUREMENT),
            ({"measres": None}, "nvidia-nras.measres", Fault.MEASUREMENT),
            ({"secboot": False}, "nvidia-nras.secboot", Fault.ATTRIBUTES),
            ({"secboot": 1}, "nvidia-nras.secboot", Fault.ATTRIBUTES),
            ({"x-nvidia-gpu-arch-check": False}, "nvidia-nras.gpu-arch-check", Fault.RESULT_STATUS),
            (
                {"x-nvidia-gpu-driver-rim-cert-chain": {**GOOD_CHAIN, "x-nvidia-cert-status": "x"}},
                "nvidia-nras.gpu-driver-rim-cert-chain",
                Fault.RESULT_STATUS,
            ),
            (
                {
                    "x-nvidia-gpu-attestation-report-cert-chain": {
                        **GOOD_CHAIN,
                        "x-nvidia-cert-ocsp-status": "revoked",
                    }
                },
                "nvidia-nras.gpu-attestation-report-cert-chain",
                Fault.RESULT_STATUS,
            ),
        ],
    )
    def test_whatever_is_not_good_is_a_concern(self, changes, name, fault):
        assert concerns(changes) == {name: fault}

    def test_a_difference_is_shown(self):
        record = [{"measurementSource": "driver", "index": 17, "runtimeValue": "ab"}]
        changes = {"measres": "fail", "x-nvidia-mismatch-measurement-records": record}
        (found,) = verify(bundle({"GPU-0": GPU | changes})).concerns
        assert "17" in found.detail
        assert "driver" in found.detail

    @pytest.mark.parametrize("value", ["enabled", "", None])
    def test_debugging_is_off_or_it_counts_as_on(self, value):
        if value == "":
            with refused(Fault.MALFORMED, FORMAT):
                verify(bundle({"GPU-0": GPU | {"dbgstat": value}}))
        else:
            assert verify(bundle({"GPU-0": GPU | {"dbgstat": value}})).debug is True


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        [["JWT", token(OVERALL)]],
        [["JWT", token(OVERALL)], {}],
        [["JWT", token(OVERALL)], []],
        [["JWT", 1], {"GPU-0": token(GPU)}],
        [["CWT", token(OVERALL)], {"GPU-0": token(GPU)}],
        [["JWT", token(OVERALL)], {"GPU-0": 1}],
        [["JWT", token(OVERALL)], {"a b": token(GPU)}],
        [["JWT", token(OVERALL)], {"": token(GPU)}],
        [["JWT", token(OVERALL)], {f"GPU-{n}": token(GPU) for n in range(MAX_DEVICES + 1)}],
        [["JWT", "a.b"], {"GPU-0": token(GPU)}],
        [["JWT", token([])], {"GPU-0": token(GPU)}],
    ],
)
def test_what_is_no_bundle_is_refused(document):
    with refused(Fault.MALFORMED, FORMAT):
        verify(json.dumps(document).encode())


def test_a_bundle_is_bounded():
    with refused(Fault.MALFORMED, FORMAT, match="at most"):
        verify(bundle().ljust(256 * 1024 + 1))
