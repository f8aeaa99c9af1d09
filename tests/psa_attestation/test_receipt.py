import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from colima import framing
from psa_attestation.cbor.values import WritingError
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.receipts.receipt import (
    MAX_RECEIPT_BYTES,
    InputCommitment,
    PrivacyBalance,
    Receipt,
    RunEnd,
    commit,
)
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import verify_receipt
from support.psa_tokens import DEVICE, DEVICE_384, STRANGER, refused, sign1_by_hand
from support.receipts import (
    CERTIFICATE,
    DIGEST,
    HEADER,
    MEMBERS,
    RECEIPT,
    certificate_of,
    changed,
    signed_by_hand,
)

SIGNED = sign_receipt(RECEIPT, DEVICE, CERTIFICATE)
FIRST = {"number": 1, "previous_receipt": None}
FAILED = {"return_code": None, "run_ms": None, "output_digest": None}


def verify(data):
    return verify_receipt(data, certificate_digest=DIGEST)


def read(changes=(), *, without=()):
    members = {key: member for key, member in MEMBERS.items() if key not in without}
    return verify(signed_by_hand(cbor2.dumps(members | dict(changes))))


def payload_of(signed):
    return cbor2.loads(cbor2.loads(signed).value[2])


def test_a_signed_receipt_is_read_back():
    assert verify(SIGNED) == RECEIPT


def test_its_payload_is_what_the_module_documents():
    assert payload_of(SIGNED) == MEMBERS
    assert read() == RECEIPT


def test_what_there_is_none_of_is_absent():
    receipt = changed(**FIRST, fuel=None, seed=None, privacy=None, output_digest=None)
    signed = sign_receipt(receipt, DEVICE, CERTIFICATE)
    assert verify(signed) == receipt
    assert MEMBERS.keys() - payload_of(signed).keys() == {4, 10, 15, 19, 20}


@pytest.mark.parametrize("end", [RunEnd.TRAPPED, RunEnd.LIMIT_REACHED, RunEnd.GUEST_LOST])
def test_a_run_that_did_not_return_has_a_receipt_without_code_time_and_result(end):
    signed = sign_receipt(changed(end=end, **FAILED), DEVICE, CERTIFICATE)
    assert verify(signed).end is end
    assert MEMBERS.keys() - payload_of(signed).keys() == {9, 10, 14}


def test_a_result_that_was_withheld_leaves_no_digest_of_it():
    receipt = changed(end=RunEnd.WITHHELD, output_digest=None)
    assert verify(sign_receipt(receipt, DEVICE, CERTIFICATE)) == receipt


def test_a_round_without_inputs_has_a_receipt():
    assert verify(sign_receipt(changed(inputs=()), DEVICE, CERTIFICATE)).inputs == ()


def test_the_longest_receipt_fits_a_frame_of_the_wire():
    assert MAX_RECEIPT_BYTES < framing.MAX_RESPONSE_BYTES


def test_as_many_inputs_readers_and_layers_as_allowed_fit():
    receipt = changed(
        inputs=(InputCommitment(2**32 - 1, 2**32 - 1, "data", b"\xff" * 32),) * 4096,
        readers=(2**32 - 1,) * 4096,
        isolation=("\N{PILE OF POO}" * 32,) * 16,
    )
    assert verify(sign_receipt(receipt, DEVICE, CERTIFICATE)) == receipt


class TestHeader:
    """What tools of others read: RFC 9943 section 6, RFC 9597, RFC 9360, RFC 6920."""

    def test_it_is_that_of_a_signed_statement(self):
        protected, unprotected, _, _ = cbor2.loads(SIGNED).value
        assert cbor2.loads(protected) == HEADER
        assert unprotected == {33: CERTIFICATE}

    @pytest.mark.parametrize(
        "header",
        [
            {1: -7},
            HEADER | {3: "application/cbor"},
            HEADER | {15: HEADER[15] | {1: HEADER[15][2]}},
            HEADER | {15: HEADER[15] | {2: HEADER[15][1]}},
            HEADER | {15: HEADER[15] | {6: 1_790_000_000}},
            HEADER | {34: [-16, bytes(32)]},
            HEADER | {34: [-15, DIGEST[:8]]},
            HEADER | {1: -9},
            HEADER | {4: b"key"},
        ],
        ids=["none", "type", "iss", "sub", "more-claims", "x5t", "x5t-short", "alg", "kid"],
    )
    def test_one_that_says_anything_else_is_refused(self, header):
        with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
            verify(signed_by_hand(cbor2.dumps(MEMBERS), header=header))

    def test_a_policy_in_it_that_is_not_the_receipts_is_refused(self):
        with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
            read({1: b"\x02" * 32})


class TestCertificate:
    def test_the_attested_one_is_demanded(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH, Stage.BINDING):
            verify_receipt(SIGNED, certificate_digest=bytes(32))

    def test_that_of_somebody_else_is_refused(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH):
            verify(sign_receipt(RECEIPT, STRANGER, certificate_of(STRANGER)))

    def test_the_attested_one_with_anothers_signature_is_refused(self):
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            verify(signed_by_hand(cbor2.dumps(MEMBERS), key=STRANGER))

    def test_another_one_of_the_same_key_is_refused(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH):
            verify(sign_receipt(RECEIPT, DEVICE, certificate_of(DEVICE)))

    def test_it_has_to_be_there(self):
        with refused(ErrorCode.MISSING_CLAIM):
            verify(sign1_by_hand(cbor2.dumps(MEMBERS)))

    @pytest.mark.parametrize("chain", [[CERTIFICATE], "text", 1, True, None])
    def test_it_is_one_byte_string(self, chain):
        with refused(ErrorCode.CLAIM_TYPE):
            verify(signed_by_hand(cbor2.dumps(MEMBERS), certificate=chain))

    def test_it_has_to_be_a_certificate(self):
        garbage = b"not a certificate"
        forged = signed_by_hand(cbor2.dumps(MEMBERS), certificate=garbage)
        with refused(ErrorCode.CERTIFICATE, Stage.KEY):
            verify_receipt(forged, certificate_digest=hashlib.sha256(garbage).digest())

    def test_its_key_is_on_p_256(self):
        for key in (DEVICE_384, rsa.generate_private_key(65537, 2048)):
            other = certificate_of(key)
            forged = signed_by_hand(cbor2.dumps(MEMBERS), certificate=other)
            with refused(ErrorCode.CERTIFICATE):
                verify_receipt(forged, certificate_digest=hashlib.sha256(other).digest())

    def test_nothing_is_signed_with_another_key(self):
        with pytest.raises(WritingError):
            sign_receipt(RECEIPT, STRANGER, CERTIFICATE)
        with pytest.raises(WritingError):
            sign_receipt(RECEIPT, DEVICE_384, certificate_of(DEVICE_384))


@pytest.mark.parametrize("field", sorted(MEMBERS.keys() - {4, 9, 10, 14, 15, 19, 20}))
def test_every_field_that_is_not_said_to_be_absent_at_times_has_to_be_there(field):
    with refused(ErrorCode.MISSING_CLAIM, Stage.CLAIMS):
        read(without=[field])


@pytest.mark.parametrize("field", MEMBERS)
@pytest.mark.parametrize("value", [None, 1.0, -1.5])
def test_every_field_is_of_its_type(field, value):
    with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
        read({field: value})


@pytest.mark.parametrize("field", MEMBERS)
def test_a_boolean_is_no_number_and_a_number_no_boolean(field):
    with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
        read({field: 1 if field == 16 else True})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({22: 0}, ErrorCode.CLAIM_VALUE),
        ({"0": 0}, ErrorCode.CLAIM_VALUE),
        ({0: "veracruz-receipt-v3"}, ErrorCode.PROFILE_UNKNOWN),
        ({1: bytes(31)}, ErrorCode.CLAIM_VALUE),
        ({2: bytes(33)}, ErrorCode.CLAIM_VALUE),
        ({3: 0}, ErrorCode.CLAIM_VALUE),
        ({3: 1}, ErrorCode.CLAIM_VALUE),
        ({4: b""}, ErrorCode.CLAIM_VALUE),
        ({5: 0}, ErrorCode.CLAIM_VALUE),
        ({5: 2**32}, ErrorCode.CLAIM_VALUE),
        ({6: 0}, ErrorCode.CLAIM_VALUE),
        ({7: [[1, 0, 0]]}, ErrorCode.CLAIM_VALUE),
        ({7: [[1, 0, 0, bytes(32), 0]]}, ErrorCode.CLAIM_VALUE),
        ({7: [[1, 0, 2, bytes(32)]]}, ErrorCode.CLAIM_VALUE),
        ({7: [[-1, 0, 0, bytes(32)]]}, ErrorCode.CLAIM_VALUE),
        ({7: [[1, 2**32, 0, bytes(32)]]}, ErrorCode.CLAIM_VALUE),
        ({7: [[1, 0, 0, bytes(31)]]}, ErrorCode.CLAIM_VALUE),
        ({7: [[1, 0, True, bytes(32)]]}, ErrorCode.CLAIM_TYPE),
        ({7: [1]}, ErrorCode.CLAIM_TYPE),
        ({8: 5}, ErrorCode.CLAIM_VALUE),
        ({8: -1}, ErrorCode.CLAIM_VALUE),
        ({8: 1}, ErrorCode.CLAIM_VALUE),
        ({8: 4}, ErrorCode.CLAIM_VALUE),
        ({9: 2**31}, ErrorCode.CLAIM_VALUE),
        ({10: bytes(31)}, ErrorCode.CLAIM_VALUE),
        ({11: [-1]}, ErrorCode.CLAIM_VALUE),
        ({11: [2**32]}, ErrorCode.CLAIM_VALUE),
        ({11: [0] * 4097}, ErrorCode.CLAIM_VALUE),
        ({12: "x" * 33}, ErrorCode.CLAIM_VALUE),
        ({13: "x" * 65}, ErrorCode.CLAIM_VALUE),
        ({14: -1}, ErrorCode.CLAIM_VALUE),
        ({15: -1}, ErrorCode.CLAIM_VALUE),
        ({17: ["x"] * 17}, ErrorCode.CLAIM_VALUE),
        ({17: ["x" * 33]}, ErrorCode.CLAIM_VALUE),
        ({17: [1]}, ErrorCode.CLAIM_TYPE),
        ({18: bytes(48)}, ErrorCode.CLAIM_VALUE),
        ({19: bytes(16)}, ErrorCode.CLAIM_VALUE),
        ({20: {}}, ErrorCode.CLAIM_VALUE),
        ({20: MEMBERS[20] | {4: "0"}}, ErrorCode.CLAIM_VALUE),
        ({20: MEMBERS[20] | {0: ""}}, ErrorCode.CLAIM_VALUE),
        ({20: MEMBERS[20] | {3: "1" * 65}}, ErrorCode.CLAIM_VALUE),
        ({20: MEMBERS[20] | {2: 0}}, ErrorCode.CLAIM_TYPE),
        ({21: -1}, ErrorCode.CLAIM_VALUE),
    ],
)
def test_a_field_out_of_bounds_is_refused(changes, code):
    with refused(code, Stage.CLAIMS):
        read(changes)


@pytest.mark.parametrize("field", [4, 9, 14])
def test_a_field_that_this_receipt_needs_is_missed(field):
    with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
        read(without=[field])


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 0},
        {"attempt": 2**32},
        {"number": 1},
        {"previous_receipt": None},
        {"policy_digest": b""},
        {"seed": bytes(31)},
        {"measurement": bytes(33)},
        {"return_code": 2**31},
        {"return_code": None},
        {"run_ms": -1},
        {"run_ms": None},
        {"end": RunEnd.TRAPPED},
        {"end": RunEnd.WITHHELD},
        {"engine": "x" * 65},
        {"strategy": "x" * 33},
        {"isolation": ("x" * 33,)},
        {"isolation": ("x",) * 17},
        {"readers": (-1,)},
        {"readers": (0,) * 4097},
        {"host_time": 2**64},
        {"inputs": (InputCommitment(0, 0, "data", bytes(32)),) * 4097},
    ],
)
def test_nothing_is_signed_that_would_be_refused(changes):
    with pytest.raises(WritingError):
        sign_receipt(changed(**changes), DEVICE, CERTIFICATE)


@pytest.mark.parametrize("changes", [(-1, 0, b"c" * 32), (0, 2**32, b"c" * 32), (0, 0, b"c" * 31)])
def test_nor_an_input_that_would_be_refused(changes):
    client_id, package_id, commitment = changes
    with pytest.raises(WritingError):
        InputCommitment(client_id, package_id, "data", commitment)


@pytest.mark.parametrize("number", ["", "1" * 65])
def test_nor_a_balance_that_would_be_refused(number):
    with pytest.raises(WritingError):
        PrivacyBalance("0.5", number, "0", "0")


def test_a_commitment_is_the_documented_transcript():
    parts = [b"veracruz-input-commitment-v1", b"s" * 32, b"d" * 32]
    transcript = b"".join(len(part).to_bytes(8) + part for part in parts)
    assert commit(b"s" * 32, b"d" * 32) == hashlib.sha256(transcript).digest()


def test_a_commitment_depends_on_salt_and_digest():
    commitments = {
        commit(salt, digest)
        for salt in (b"s" * 32, b"t" * 32, b"s" * 31)
        for digest in (b"d" * 32, b"e" * 32, b"sd" + b"d" * 31)
    }
    assert len(commitments) == 9


@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_no_single_bit_of_a_receipt_can_be_changed(bit):
    forged = bytearray(SIGNED)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationError):
        verify(bytes(forged))


digests = st.binary(min_size=32, max_size=32)
uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
from_one = st.integers(1, 2**32 - 1)
commitments = st.builds(
    InputCommitment, uint32, uint32, st.sampled_from(["data", "stream"]), digests
)
numbers = st.text(min_size=1, max_size=64)
ends = st.one_of(
    st.fixed_dictionaries(
        {
            "end": st.just(RunEnd.RETURNED),
            "return_code": st.integers(-(2**31), 2**31 - 1),
            "run_ms": uint64,
            "output_digest": st.none() | digests,
        }
    ),
    st.fixed_dictionaries(
        {
            "end": st.just(RunEnd.WITHHELD),
            "return_code": st.integers(-(2**31), 2**31 - 1),
            "run_ms": uint64,
            "output_digest": st.none(),
        }
    ),
    st.fixed_dictionaries(
        {
            "end": st.sampled_from([end for end in RunEnd if not end.returned]),
            "return_code": st.none(),
            "run_ms": st.none(),
            "output_digest": st.none(),
        }
    ),
)
places = st.just({"number": 1, "previous_receipt": None}) | st.fixed_dictionaries(
    {"number": st.integers(2, 2**32 - 1), "previous_receipt": digests}
)
others = st.fixed_dictionaries(
    {
        "policy_digest": digests,
        "program_digest": digests,
        "round": from_one,
        "attempt": from_one,
        "inputs": st.lists(commitments, max_size=5).map(tuple),
        "readers": st.lists(uint32, max_size=5).map(tuple),
        "strategy": st.text(max_size=32),
        "engine": st.text(max_size=64),
        "debug": st.booleans(),
        "isolation": st.lists(st.text(max_size=32), max_size=16).map(tuple),
        "measurement": digests,
        "host_time": uint64,
        "fuel": st.none() | uint64,
        "seed": st.none() | digests,
        "privacy": st.none() | st.builds(PrivacyBalance, numbers, numbers, numbers, numbers),
    }
)


@given(ends, places, others)
def test_every_receipt_is_read_back(end, place, other):
    receipt = Receipt(**end, **place, **other)
    assert verify(sign_receipt(receipt, DEVICE, CERTIFICATE)) == receipt


@given(st.binary(max_size=120))
def test_arbitrary_content_under_the_right_key_gives_our_error(payload):
    with pytest.raises(AttestationError):
        verify(signed_by_hand(payload))
