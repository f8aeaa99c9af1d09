import dataclasses

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.results.appraisal import Appraisal, Tier, TrustVector
from psa_attestation.results.ear import check_time, sign_ear, verify_ear
from psa_attestation.results.ear_claims import EAR_PROFILE, Ear, VerifierId
from psa_attestation.tokens.token import verify_token
from support.mac0 import mac0
from support.psa_tokens import (
    CHALLENGE,
    DEVICE,
    DEVICE_384,
    STRANGER,
    key_for,
    refused,
    sign1_by_hand,
    with_claims,
)
from veracruz_utils.secret import Secret

NONCE = bytes(range(100, 132))
NOW = 1_790_000_000
EAR = Ear(
    issued_at=NOW - 60,
    expires_at=NOW + 240,
    verifier=VerifierId("https://veracruz.example", "tabasco 0.1.0"),
    submods={
        "sonora": Appraisal(
            Tier.WARNING,
            TrustVector(instance_identity=2, executables=3, hardware=32),
            ("first", "second"),
            CHALLENGE,
        ),
        "device": Appraisal(Tier.NONE),
    },
    nonce=NONCE,
    raw_evidence=b"evidence",
)
MEMBERS = {
    4: NOW + 240,
    6: NOW - 60,
    10: NONCE,
    265: EAR_PROFILE,
    266: {"sonora": {1000: 2, 1001: {0: 2, 2: 3}, 1003: ["policy"], 10: CHALLENGE}},
    1002: b"evidence",
    1004: {0: "developer", 1: "build"},
}


def changed(**changes):
    return Ear(**{name: getattr(EAR, name) for name in Ear.__slots__} | changes)


def verify(data, **changes):
    return verify_ear(data, **{"key": DEVICE.public_key(), "nonce": NONCE, "at": NOW} | changes)


def read(changes=(), *, without=None, **others):
    members = {key: member for key, member in MEMBERS.items() if key != without}
    return verify(sign1_by_hand(cbor2.dumps(members | dict(changes))), **others)


def with_appraisal(changes=(), *, without=None):
    appraisal = {key: part for key, part in MEMBERS[266]["sonora"].items() if key != without}
    return read({266: {"sonora": appraisal | dict(changes)}}).submods["sonora"]


def test_a_signed_result_is_read_back():
    assert verify(sign_ear(EAR, DEVICE)) == EAR
    assert verify(sign_ear(EAR, DEVICE_384), key=DEVICE_384.public_key()) == EAR


def test_a_result_of_others_is_read():
    assert read() == Ear(
        issued_at=NOW - 60,
        expires_at=NOW + 240,
        verifier=VerifierId("developer", "build"),
        submods={
            "sonora": Appraisal(
                Tier.AFFIRMING,
                TrustVector(instance_identity=2, executables=3),
                ("policy",),
                CHALLENGE,
            )
        },
        nonce=NONCE,
        raw_evidence=b"evidence",
    )


def test_a_result_that_says_no_is_a_valid_result():
    assert with_appraisal({1000: 96, 1001: {2: 33}}).status is Tier.CONTRAINDICATED


def test_what_nobody_knows_is_ignored():
    assert read({-70000: {"x": cbor2.CBORTag(1, 2)}, "text": 1.5}) == read()
    assert with_appraisal({-70002: {"akpub": b""}}) == with_appraisal()


MEASURED = {"pcr4": bytes(32), "pcr11": b"\x11" * 32, "measurement": b"\x48" * 48}


class TestMachine:
    def test_what_hardware_measured_is_read(self):
        assert with_appraisal({-76004: MEASURED}).machine == MEASURED
        assert with_appraisal().machine == {}

    def test_nothing_measured_is_not_said(self):
        written = cbor2.loads(cbor2.loads(sign_ear(EAR, DEVICE)).value[2])
        assert not any(-76004 in part for part in written[266].values())

    @pytest.mark.parametrize(
        "machine",
        [
            {},
            [],
            b"",
            {4: bytes(32)},
            {"": bytes(32)},
            {"p" * 33: bytes(32)},
            {"pcr\n4": bytes(32)},
            {"pcr4": "00" * 32},
            {"pcr4": [bytes(32)]},
            {"pcr4": bytes(31)},
            {"pcr4": b""},
            {"pcr4": bytes(65)},
            {f"pcr{number}": bytes(32) for number in range(33)},
        ],
    )
    def test_anything_else_is_refused(self, machine):
        with pytest.raises(AttestationError) as caught:
            with_appraisal({-76004: machine})
        assert caught.value.stage is Stage.CLAIMS


class TestSignature:
    def test_only_the_verifiers_key_will_do(self):
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            verify(sign_ear(EAR, STRANGER))

    def test_a_key_in_the_header_is_not_looked_at(self):
        payload = cbor2.dumps(MEMBERS)
        for header in ({4: b"another"}, {33: b"certificate"}, {-1: {1: 2}}):
            assert verify(sign1_by_hand(payload, unprotected=header)) == read()
            with refused(ErrorCode.SIGNATURE):
                verify(sign1_by_hand(payload, STRANGER, unprotected=header))

    def test_a_mac_keyed_with_the_public_key_is_refused(self):
        x963 = DEVICE.public_key().public_numbers().x.to_bytes(32)
        with refused(ErrorCode.TYPE_CONFUSION):
            verify(mac0(cbor2.dumps(MEMBERS), MacKey(Secret(x963))))

    def test_no_algorithm_is_refused(self):
        payload = cbor2.dumps(MEMBERS)
        for protected in ({}, {1: None}, {1: "none"}, {1: 0}):
            with pytest.raises(AttestationError):
                verify(sign1_by_hand(payload, protected=protected))

    def test_the_signature_comes_before_the_claims(self):
        with refused(ErrorCode.SIGNATURE):
            verify(sign1_by_hand(b"\x00", STRANGER))

    def test_a_token_is_no_result_and_a_result_no_token(self):
        with refused(ErrorCode.PROFILE_UNKNOWN):
            verify(sign1_by_hand(with_claims({})))
        with refused(ErrorCode.PROFILE_UNKNOWN):
            verify_token(sign_ear(EAR, DEVICE), key_for=key_for, nonce=NONCE)


class TestTime:
    @pytest.mark.parametrize("at", [NOW - 60, NOW, NOW + 239])
    def test_a_result_is_valid_from_issue_to_expiry(self, at):
        assert verify(sign_ear(EAR, DEVICE), at=at) == EAR

    def test_it_is_void_from_the_second_of_its_expiry(self):
        with refused(ErrorCode.EXPIRED, Stage.FRESHNESS):
            verify(sign_ear(EAR, DEVICE), at=NOW + 240)

    def test_it_is_void_before_its_issue(self):
        with refused(ErrorCode.NOT_YET_VALID, Stage.FRESHNESS):
            verify(sign_ear(EAR, DEVICE), at=NOW - 61)

    def test_clocks_may_differ_by_what_the_caller_allows(self):
        data = sign_ear(EAR, DEVICE)
        assert verify(data, at=NOW - 65, leeway_s=5) == EAR
        assert verify(data, at=NOW + 244, leeway_s=5) == EAR
        with refused(ErrorCode.NOT_YET_VALID):
            verify(data, at=NOW - 66, leeway_s=5)
        with refused(ErrorCode.EXPIRED):
            verify(data, at=NOW + 245, leeway_s=5)

    def test_a_start_of_validity_counts(self):
        assert read({5: NOW}) == read()
        with refused(ErrorCode.NOT_YET_VALID):
            read({5: NOW + 1})

    @pytest.mark.parametrize("claim", [4, 5, 6])
    @pytest.mark.parametrize("value", [float(NOW), "now", True, None, cbor2.CBORTag(1, NOW)])
    def test_a_time_is_an_integer(self, claim, value):
        with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
            read({claim: value})

    @pytest.mark.parametrize("changes", [{6: -1}, {4: 2**53}, {4: NOW - 60}, {4: 0}])
    def test_a_time_that_makes_no_sense_is_refused(self, changes):
        with refused(ErrorCode.CLAIM_VALUE):
            read(changes)


class TestNonce:
    @pytest.mark.parametrize("nonce", [b"", NONCE[:31], bytes(32), NONCE + b"\x00"])
    def test_a_result_for_another_nonce_is_refused(self, nonce):
        with refused(ErrorCode.NONCE_MISMATCH, Stage.FRESHNESS):
            verify(sign_ear(EAR, DEVICE), nonce=nonce)

    def test_the_nonce_of_the_evidence_is_not_that_of_the_result(self):
        with refused(ErrorCode.NONCE_MISMATCH):
            verify(sign_ear(EAR, DEVICE), nonce=CHALLENGE)

    def test_a_result_without_a_nonce_is_refused(self):
        with refused(ErrorCode.MISSING_CLAIM):
            verify(sign_ear(changed(nonce=None), DEVICE))

    @pytest.mark.parametrize(
        ("nonce", "code"),
        [
            (bytes(7), ErrorCode.NONCE_LENGTH),
            (bytes(65), ErrorCode.NONCE_LENGTH),
            ([NONCE], ErrorCode.NONCE_MUST_BE_SINGLE),
            ("text of some length", ErrorCode.CLAIM_TYPE),
        ],
    )
    def test_a_nonce_of_another_form_is_refused(self, nonce, code):
        with refused(code):
            read({10: nonce})
        with refused(code):
            with_appraisal({10: nonce})


class TestClaims:
    @pytest.mark.parametrize("claim", [4, 6, 10, 265, 266, 1004])
    def test_what_is_mandatory_has_to_be_there(self, claim):
        with refused(ErrorCode.MISSING_CLAIM):
            read(without=claim)

    @pytest.mark.parametrize("claim", [10, 265, 266, 1002, 1004])
    @pytest.mark.parametrize("value", [True, 1, 1.0, None, cbor2.CBORTag(999, {})])
    def test_what_is_there_is_of_its_type(self, claim, value):
        with refused(ErrorCode.CLAIM_TYPE):
            read({claim: value})

    @pytest.mark.parametrize(
        "profile",
        [
            "tag:github.com,2023:veraison/EAR",
            "tag:ietf.org,2026:rats/ear#02",
            "",
            EAR_PROFILE + " ",
        ],
    )
    def test_other_profiles_are_refused(self, profile):
        with refused(ErrorCode.PROFILE_UNKNOWN):
            read({265: profile})

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({266: {}}, ErrorCode.SUBMODS_EMPTY),
            ({266: {1: {1000: 2}}}, ErrorCode.CLAIM_TYPE),
            ({266: {"": {1000: 2}}}, ErrorCode.CLAIM_VALUE),
            ({266: {"x" * 257: {1000: 2}}}, ErrorCode.CLAIM_VALUE),
            ({266: {str(n): {1000: 2} for n in range(17)}}, ErrorCode.CLAIM_VALUE),
            ({266: {"sonora": 2}}, ErrorCode.CLAIM_TYPE),
            ({266: {"good": {1000: 2}, "bad": {}}}, ErrorCode.MISSING_CLAIM),
            ({1004: {}}, ErrorCode.MISSING_CLAIM),
            ({1004: {0: "developer"}}, ErrorCode.MISSING_CLAIM),
            ({1004: {0: "developer", 1: 2}}, ErrorCode.CLAIM_TYPE),
            ({1004: {0: "x" * 257, 1: ""}}, ErrorCode.CLAIM_VALUE),
            ({1002: bytes(32 * 1024 + 1)}, ErrorCode.CLAIM_VALUE),
        ],
    )
    def test_what_is_out_of_bounds_is_refused(self, changes, code):
        with refused(code, Stage.CLAIMS):
            read(changes)

    def test_claims_that_are_no_map_are_refused(self):
        with refused(ErrorCode.CLAIM_TYPE):
            verify(sign1_by_hand(b"\x80"))

    def test_a_repeated_claim_is_refused(self):
        payload = cbor2.dumps(MEMBERS)
        with refused(ErrorCode.DUPLICATE_KEY, Stage.ENCODING):
            verify(sign1_by_hand(bytes((payload[0] + 1,)) + payload[1:] + b"\x06\x00"))

    def test_a_repeated_claim_in_an_appraisal_is_refused(self):
        payload = cbor2.dumps(MEMBERS)
        twice = payload.replace(b"\xa2\x00\x02\x02\x03", b"\xa3\x00\x02\x02\x03\x02\x02")
        assert twice != payload
        with refused(ErrorCode.DUPLICATE_KEY):
            verify(sign1_by_hand(twice))


class TestAppraisal:
    @pytest.mark.parametrize("status", list(Tier))
    @pytest.mark.parametrize("claim", [0, 1, -1, 2, 31, -32, 32, 95, -96, 96, 127, -97, -128])
    def test_the_status_is_never_better_than_the_vectors_worst(self, status, claim):
        appraisal = {1000: int(status), 1001: {0: 2, 3: claim}}
        if status >= TrustVector(instance_identity=2, file_system=claim).worst:
            assert with_appraisal(appraisal).status is status
        else:
            with refused(ErrorCode.STATUS_BETTER_THAN_VECTOR, Stage.CLAIMS):
                with_appraisal(appraisal)

    def test_the_status_has_to_be_there(self):
        with refused(ErrorCode.MISSING_CLAIM):
            with_appraisal(without=1000)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({1000: 1}, ErrorCode.CLAIM_VALUE),
            ({1000: 3}, ErrorCode.CLAIM_VALUE),
            ({1000: -2}, ErrorCode.CLAIM_VALUE),
            ({1000: 97}, ErrorCode.CLAIM_VALUE),
            ({1000: True}, ErrorCode.CLAIM_TYPE),
            ({1000: 2.0}, ErrorCode.CLAIM_TYPE),
            ({1000: "affirming"}, ErrorCode.CLAIM_TYPE),
            ({1001: {}}, ErrorCode.CLAIM_VALUE),
            ({1001: []}, ErrorCode.CLAIM_TYPE),
            ({1001: {8: 2}}, ErrorCode.CLAIM_VALUE),
            ({1001: {-1: 2}}, ErrorCode.CLAIM_VALUE),
            ({1001: {"hardware": 2}}, ErrorCode.CLAIM_TYPE),
            ({1001: {4: 128}}, ErrorCode.CLAIM_VALUE),
            ({1001: {4: -129}}, ErrorCode.CLAIM_VALUE),
            ({1001: {4: True}}, ErrorCode.CLAIM_TYPE),
            ({1001: {4: 2.0}}, ErrorCode.CLAIM_TYPE),
            ({1003: []}, ErrorCode.CLAIM_VALUE),
            ({1003: "policy"}, ErrorCode.CLAIM_TYPE),
            ({1003: [1]}, ErrorCode.CLAIM_TYPE),
            ({1003: ["p"] * 65}, ErrorCode.CLAIM_VALUE),
        ],
    )
    def test_what_is_out_of_bounds_is_refused(self, changes, code):
        with refused(code, Stage.CLAIMS):
            with_appraisal(changes)

    def test_vector_and_policies_may_be_missing(self):
        assert with_appraisal(without=1001).trust_vector == TrustVector()
        assert with_appraisal(without=1003).policy_ids == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"submods": {}}, ErrorCode.SUBMODS_EMPTY),
        ({"expires_at": EAR.issued_at}, ErrorCode.CLAIM_VALUE),
        ({"issued_at": float(NOW)}, ErrorCode.CLAIM_TYPE),
        ({"nonce": b"short"}, ErrorCode.NONCE_LENGTH),
        (
            {"submods": {"x": Appraisal(Tier.AFFIRMING, TrustVector(hardware=97))}},
            ErrorCode.STATUS_BETTER_THAN_VECTOR,
        ),
    ],
)
def test_nothing_is_signed_that_would_be_refused(changes, code):
    with refused(code):
        sign_ear(changed(**changes), DEVICE)


SIGNED = sign_ear(EAR, DEVICE)


@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_no_single_bit_of_a_result_can_be_changed(bit):
    forged = bytearray(SIGNED)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationError):
        verify(bytes(forged))


int8 = st.none() | st.integers(-128, 127)
appraisals = st.builds(
    lambda vector, policies, nonce, worse, machine: Appraisal(
        max(vector.worst, worse), vector, policies, nonce, machine
    ),
    st.builds(TrustVector, *[int8] * 8),
    st.lists(st.text(max_size=20), max_size=3).map(tuple),
    st.none() | st.binary(min_size=8, max_size=64),
    st.sampled_from(Tier),
    st.dictionaries(
        st.sampled_from(["pcr4", "measurement", "rtmr0", "x" * 32]),
        st.sampled_from([32, 48, 64]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    ),
)


@given(st.dictionaries(st.text(min_size=1, max_size=20), appraisals, min_size=1, max_size=4))
def test_appraisals_that_are_signed_are_read_back(submods):
    ear = changed(submods=submods)
    assert verify(sign_ear(ear, DEVICE)) == ear


@given(st.binary(max_size=120))
def test_arbitrary_claims_of_the_verifier_give_our_error(payload):
    with pytest.raises(AttestationError):
        verify(sign1_by_hand(payload))


def test_times_are_told_as_people_read_them():
    ended = dataclasses.replace(EAR, expires_at=EAR.issued_at + 1)
    with pytest.raises(AttestationError, match=r"expired at 2\d{3}-\d\d-\d\dT.*Z, it is 2\d{3}-"):
        check_time(ended, 0, ended.expires_at + 3600, 0)
    with pytest.raises(AttestationError, match=r"expired at .*Z, it is second 1{15}:"):
        check_time(ended, 0, int("1" * 15), 0)
