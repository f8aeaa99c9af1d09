import hashlib
from dataclasses import replace

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
    RunDetails,
    RunEnd,
    commit,
    commit_details,
)
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import closed_digest, verify_receipt
from support.psa_tokens import DEVICE, DEVICE_384, STRANGER, refused, sign1_by_hand
from support.receipts import (
    CERTIFICATE,
    DETAILS,
    DIGEST,
    HEADER,
    MEMBERS,
    RECEIPT,
    SALT,
    certificate_of,
    changed,
    signed_by_hand,
)

FIRST = {"number": 1, "previous_receipt": None}
FAILED = RunDetails()


def signed(receipt, *, key=DEVICE, certificate=CERTIFICATE, salt=SALT):
    return sign_receipt(receipt, key, certificate, salt=salt)


MESSAGE = signed(RECEIPT)
SIGNED, CLOSED = MESSAGE.opened, MESSAGE.closed


def verify(data):
    return verify_receipt(data, certificate_digest=DIGEST)


def read(changes=(), *, without=(), **how):
    members = {key: member for key, member in MEMBERS.items() if key not in without}
    return verify(signed_by_hand(cbor2.dumps(members | dict(changes)), **how))


def payload_of(signed):
    return cbor2.loads(cbor2.loads(signed).value[2])


def test_a_signed_receipt_is_read_back():
    assert verify(SIGNED) == RECEIPT


def test_its_payload_is_what_the_module_documents():
    assert payload_of(SIGNED) == MEMBERS
    assert read() == RECEIPT


def test_what_there_is_none_of_is_absent():
    receipt = changed(**FIRST, seed=None, privacy=None)
    message = signed(receipt).opened
    assert verify(message) == receipt
    assert MEMBERS.keys() - payload_of(message).keys() == {4, 16, 17}


def test_that_nans_kept_their_bits_is_said_and_that_they_did_not_is_not():
    message = signed(changed(canonical_nans=False)).opened
    assert payload_of(message) == MEMBERS | {19: False}
    assert not verify(message).canonical_nans
    assert verify(SIGNED).canonical_nans


def test_a_round_without_inputs_has_a_receipt():
    assert verify(signed(changed(inputs=())).opened).inputs == ()


def test_the_longest_receipt_fits_a_frame_of_the_wire():
    assert MAX_RECEIPT_BYTES < framing.MAX_RESPONSE_BYTES


def test_as_much_of_everything_as_allowed_fits():
    receipt = changed(
        number=2**32 - 1,
        round=2**32 - 1,
        attempt=2**32 - 1,
        strategy="s" * 32,
        engine="e" * 64,
        host_time=2**64 - 1,
        inputs=(InputCommitment(2**32 - 1, 2**32 - 1, "data", b"\xff" * 32),) * 4096,
        readers=(2**32 - 1,) * 4096,
        isolation=("\N{PILE OF POO}" * 32,) * 16,
        details=RunDetails(0, bytes(32), 2**64 - 1, 2**64 - 1),
        privacy=PrivacyBalance("1" * 64, "2" * 64, "3" * 64, "4" * 64),
    )
    assert verify(signed(receipt).opened) == receipt


class TestDetails:
    """What readers alone learn of a run: disclosed beside what is signed, or not."""

    def test_a_closed_receipt_does_not_have_them(self):
        assert verify(CLOSED) == changed(details=None)
        for secret in (SALT, DETAILS, b"\x05" * 32):
            assert secret in SIGNED
            assert secret not in CLOSED

    def test_both_are_the_same_receipt_to_the_one_after_it(self):
        assert closed_digest(SIGNED) == closed_digest(CLOSED) == hashlib.sha256(CLOSED).digest()

    def test_they_are_in_the_header_as_the_module_documents(self):
        unprotected = cbor2.loads(SIGNED).value[1]
        disclosed = unprotected["veracruz-details"]
        assert unprotected.keys() == {33, "veracruz-details"}
        assert list(disclosed) == [SALT, DETAILS]
        assert dict(cbor2.loads(CLOSED).value[1]) == {33: CERTIFICATE}

    def test_another_salt_is_another_commitment_to_the_same(self):
        other = signed(RECEIPT, salt=b"t" * 32)
        assert payload_of(other.closed)[9] != MEMBERS[9]
        assert verify(other.opened) == RECEIPT

    def test_what_there_is_none_of_is_absent(self):
        receipt = changed(details=RunDetails(return_code=0, run_ms=1))
        message = signed(receipt)
        assert cbor2.loads(message.details) == {0: 0, 2: 1}
        assert verify(message.opened) == receipt

    @pytest.mark.parametrize(
        ("end", "details"),
        [
            (RunEnd.FINISHED, RunDetails(return_code=0, output_digest=b"o" * 32)),
            (RunEnd.WITHHELD, RunDetails()),
        ],
    )
    def test_under_privacy_neither_duration_nor_how_a_run_failed_need_be_told(self, end, details):
        balance = PrivacyBalance("0.5", "0.5", "0", "0")
        receipt = changed(end=end, details=details, privacy=balance)
        assert verify(signed(receipt).opened) == receipt
        with pytest.raises(WritingError):
            changed(end=end, details=details, privacy=None)

    @pytest.mark.parametrize("end", [RunEnd.TRAPPED, RunEnd.LIMIT_REACHED, RunEnd.GUEST_LOST])
    def test_a_run_that_did_not_return_has_none(self, end):
        message = signed(changed(end=end, details=FAILED))
        assert cbor2.loads(message.details) == {}
        assert verify(message.opened).end is end

    def test_a_result_that_was_withheld_leaves_no_digest_of_it(self):
        receipt = changed(end=RunEnd.WITHHELD, details=RunDetails(0, None, 12))
        assert verify(signed(receipt).opened) == receipt

    @pytest.mark.parametrize(
        ("details", "code"),
        [
            ((b"t" * 32, DETAILS), ErrorCode.CLAIM_VALUE),
            ((SALT, DETAILS + b"\0"), ErrorCode.CLAIM_VALUE),
            ((SALT, bytes(128)), ErrorCode.CLAIM_VALUE),
            ((SALT, bytes(129)), ErrorCode.CLAIM_VALUE),
            ((SALT[:31], DETAILS), ErrorCode.CLAIM_VALUE),
            ((SALT,), ErrorCode.CLAIM_VALUE),
            ((SALT, DETAILS, b""), ErrorCode.CLAIM_VALUE),
            ((SALT, {0: 0}), ErrorCode.CLAIM_TYPE),
            ("text", ErrorCode.CLAIM_TYPE),
            (b"bytes", ErrorCode.CLAIM_TYPE),
        ],
    )
    def test_others_than_the_receipt_is_about_are_refused(self, details, code):
        with refused(code, Stage.CLAIMS):
            read(details=details)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({4: 0}, ErrorCode.CLAIM_VALUE),
            ({0: 2**31}, ErrorCode.CLAIM_VALUE),
            ({0: -1}, ErrorCode.CLAIM_VALUE),
            ({0: True}, ErrorCode.CLAIM_TYPE),
            ({1: bytes(31)}, ErrorCode.CLAIM_VALUE),
            ({1: "text"}, ErrorCode.CLAIM_TYPE),
            ({2: -1}, ErrorCode.CLAIM_VALUE),
            ({3: 1.0}, ErrorCode.CLAIM_TYPE),
        ],
    )
    def test_a_field_of_them_that_cannot_be_is_refused(self, changes, code):
        details = cbor2.dumps(cbor2.loads(DETAILS) | changes)
        with refused(code, Stage.CLAIMS):
            read({9: commit_details(SALT, details)}, details=(SALT, details))

    @pytest.mark.parametrize("field", [0, 2])
    def test_one_that_a_run_that_returned_needs_is_missed(self, field):
        details = cbor2.dumps({k: v for k, v in cbor2.loads(DETAILS).items() if k != field})
        with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
            read({9: commit_details(SALT, details)}, without=[17], details=(SALT, details))

    def test_of_a_map_that_says_one_twice_none_is_read(self):
        details = b"\xa2\x00\x00\x00\x01"
        with refused(ErrorCode.DUPLICATE_KEY):
            read({9: commit_details(SALT, details)}, details=(SALT, details))

    def test_a_commitment_is_the_documented_transcript(self):
        assert commit_details(SALT, DETAILS) == MEMBERS[9]


def test_a_header_parameter_that_nobody_signs_and_nobody_knows_is_refused():
    message = cbor2.loads(SIGNED)
    protected, _, payload, proof = message.value
    more = {33: CERTIFICATE, "more": 1}
    with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
        verify(cbor2.dumps(cbor2.CBORTag(18, [protected, more, payload, proof])))


class TestHeader:
    """What tools of others read: RFC 9943 section 6, RFC 9597, RFC 9360, RFC 6920."""

    def test_it_is_that_of_a_signed_statement(self):
        protected, *_ = cbor2.loads(SIGNED).value
        assert cbor2.loads(protected) == HEADER

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
            verify(signed(RECEIPT, key=STRANGER, certificate=certificate_of(STRANGER)).opened)

    def test_the_attested_one_with_anothers_signature_is_refused(self):
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            verify(signed_by_hand(cbor2.dumps(MEMBERS), key=STRANGER))

    def test_another_one_of_the_same_key_is_refused(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH):
            verify(signed(RECEIPT, certificate=certificate_of(DEVICE)).opened)

    def test_it_has_to_be_there(self):
        with refused(ErrorCode.MISSING_CLAIM):
            verify(sign1_by_hand(cbor2.dumps(MEMBERS)))

    @pytest.mark.parametrize("chain", [[CERTIFICATE], "text", 1, True, None])
    def test_it_is_one_byte_string(self, chain):
        with refused(ErrorCode.CLAIM_TYPE):
            verify(signed_by_hand(cbor2.dumps(MEMBERS), certificate=chain))

    @pytest.mark.parametrize(
        ("found", "code"),
        [(b"", ErrorCode.CLAIM_VALUE), (b"x", ErrorCode.CERTIFICATE_MISMATCH)],
    )
    def test_it_is_not_empty(self, found, code):
        message = signed_by_hand(cbor2.dumps(MEMBERS), certificate=found)
        with refused(code):
            verify(message)
        if found:
            assert len(closed_digest(message)) == 32
        else:
            with refused(code):
                closed_digest(message)

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
            signed(RECEIPT, key=STRANGER)
        with pytest.raises(WritingError):
            signed(RECEIPT, key=DEVICE_384, certificate=certificate_of(DEVICE_384))


def test_nothing_is_signed_without_details_or_a_salt():
    with pytest.raises(WritingError):
        signed(changed(details=None))
    with pytest.raises(WritingError):
        signed(RECEIPT, salt=bytes(31))


@pytest.mark.parametrize("field", sorted(MEMBERS.keys() - {4, 16, 17}))
def test_every_field_that_is_not_said_to_be_absent_at_times_has_to_be_there(field):
    with refused(ErrorCode.MISSING_CLAIM, Stage.CLAIMS):
        read(without=[field])


@pytest.mark.parametrize(
    ("changes", "code"),
    [({}, ErrorCode.MISSING_CLAIM), ({9: bytes(31)}, ErrorCode.CLAIM_VALUE),
     ({9: "text"}, ErrorCode.CLAIM_TYPE)],
)  # fmt: skip
def test_a_closed_receipt_has_the_commitment_to_its_details(changes, code):
    with refused(code, Stage.CLAIMS):
        read(changes, without=[9], details=None)


@pytest.mark.parametrize("field", MEMBERS)
@pytest.mark.parametrize("value", [None, 1.0, -1.5])
def test_every_field_is_of_its_type(field, value):
    with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
        read({field: value})


@pytest.mark.parametrize("field", MEMBERS)
def test_a_boolean_is_no_number_and_a_number_no_boolean(field):
    with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
        read({field: 1 if field == 13 else True})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({20: 0}, ErrorCode.CLAIM_VALUE),
        ({"0": 0}, ErrorCode.CLAIM_VALUE),
        ({0: "veracruz-receipt-v3"}, ErrorCode.PROFILE_UNKNOWN),
        ({0: "x" * 32}, ErrorCode.PROFILE_UNKNOWN),
        ({0: "x" * 33}, ErrorCode.CLAIM_VALUE),
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
        ({8: 6}, ErrorCode.CLAIM_VALUE),
        ({8: -1}, ErrorCode.CLAIM_VALUE),
        ({8: 1}, ErrorCode.CLAIM_VALUE),
        ({8: 4}, ErrorCode.CLAIM_VALUE),
        ({8: 5}, ErrorCode.CLAIM_VALUE),
        ({9: bytes(31)}, ErrorCode.CLAIM_VALUE),
        ({9: bytes(32)}, ErrorCode.CLAIM_VALUE),
        ({10: [-1]}, ErrorCode.CLAIM_VALUE),
        ({10: [2**32]}, ErrorCode.CLAIM_VALUE),
        ({10: [0] * 4097}, ErrorCode.CLAIM_VALUE),
        ({11: "x" * 33}, ErrorCode.CLAIM_VALUE),
        ({12: "x" * 65}, ErrorCode.CLAIM_VALUE),
        ({14: ["x"] * 17}, ErrorCode.CLAIM_VALUE),
        ({14: ["x" * 33]}, ErrorCode.CLAIM_VALUE),
        ({14: [1]}, ErrorCode.CLAIM_TYPE),
        ({15: bytes(48)}, ErrorCode.CLAIM_VALUE),
        ({16: bytes(16)}, ErrorCode.CLAIM_VALUE),
        ({17: {}}, ErrorCode.CLAIM_VALUE),
        ({17: MEMBERS[17] | {4: "0"}}, ErrorCode.CLAIM_VALUE),
        ({17: MEMBERS[17] | {0: ""}}, ErrorCode.CLAIM_VALUE),
        ({17: MEMBERS[17] | {3: "1" * 65}}, ErrorCode.CLAIM_VALUE),
        ({17: MEMBERS[17] | {2: 0}}, ErrorCode.CLAIM_TYPE),
        ({18: -1}, ErrorCode.CLAIM_VALUE),
        ({19: True}, ErrorCode.CLAIM_VALUE),
        ({19: 0}, ErrorCode.CLAIM_TYPE),
    ],
)
def test_a_field_out_of_bounds_is_refused(changes, code):
    with refused(code, Stage.CLAIMS):
        read(changes)


@pytest.mark.parametrize("how", [{}, {"details": None}])
def test_a_second_receipt_names_the_first(how):
    with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
        read(without=[4], **how)


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
        {"end": RunEnd.TRAPPED},
        {"end": RunEnd.WITHHELD},
        {"end": RunEnd.ERROR_CODE},
        {"details": FAILED},
        {"engine": "x" * 65},
        {"engine": "wasmtime\nok  everything is fine"},
        {"isolation": ("\x1b]0;title",)},
        {"strategy": "x" * 33},
        {"isolation": ("x" * 33,)},
        {"isolation": ("x",) * 17},
        {"readers": (-1,)},
        {"readers": (0,) * 4097},
        {"host_time": 2**64},
        {"host_time": -1},
        {"inputs": (InputCommitment(0, 0, "data", bytes(32)),) * 4097},
    ],
)
def test_nothing_is_signed_that_would_be_refused(changes):
    with pytest.raises(WritingError):
        signed(changed(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"return_code": 2**31},
        {"output_digest": b""},
        {"run_ms": -1},
        {"fuel": 2**64},
    ],
)
def test_nor_details_that_would_be_refused(changes):
    with pytest.raises(WritingError):
        RunDetails(**changes)


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
numbers = st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,9})?", fullmatch=True)
codes = st.integers(-(2**31), 2**31 - 1).filter(bool)
fuels = st.none() | uint64
ends = st.one_of(
    st.tuples(
        st.just(RunEnd.FINISHED),
        st.builds(RunDetails, st.just(0), st.none() | digests, uint64, fuels),
    ),
    st.tuples(
        st.just(RunEnd.WITHHELD), st.builds(RunDetails, st.just(0), st.none(), uint64, fuels)
    ),
    st.tuples(st.just(RunEnd.ERROR_CODE), st.builds(RunDetails, codes, st.none(), uint64, fuels)),
    st.tuples(st.sampled_from([end for end in RunEnd if not end.returned]), st.just(RunDetails())),
)
places = st.just({"number": 1, "previous_receipt": None}) | st.fixed_dictionaries(
    {"number": st.integers(2, 2**32 - 1), "previous_receipt": digests}
)


def words(most: int):
    return st.text(st.characters(categories=["L", "N", "P"]), max_size=most)


others = st.fixed_dictionaries(
    {
        "policy_digest": digests,
        "program_digest": digests,
        "round": from_one,
        "attempt": from_one,
        "inputs": st.lists(commitments, max_size=5).map(tuple),
        "readers": st.lists(uint32, max_size=5).map(tuple),
        "strategy": words(32),
        "engine": words(64),
        "debug": st.booleans(),
        "isolation": st.lists(words(32), max_size=16).map(tuple),
        "measurement": digests,
        "host_time": uint64,
        "seed": st.none() | digests,
        "privacy": st.none() | st.builds(PrivacyBalance, numbers, numbers, numbers, numbers),
        "canonical_nans": st.booleans(),
    }
)


@given(ends, places, others, digests)
def test_every_receipt_is_read_back_open_and_closed(ended, place, other, salt):
    end, details = ended
    receipt = Receipt(end=end, details=details, **place, **other)
    message = signed(receipt, salt=salt)
    assert verify(message.opened) == receipt
    assert verify(message.closed) == replace(receipt, details=None)


@given(st.binary(max_size=120))
def test_arbitrary_content_under_the_right_key_gives_our_error(payload):
    with pytest.raises(AttestationError):
        verify(signed_by_hand(payload))
