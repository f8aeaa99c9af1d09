"""Receipts of the first format stay readable; nothing writes them any more."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.receipts.receipt import InputCommitment
from psa_attestation.receipts.verification import verify_receipt
from psa_attestation.receipts.version_1 import ReceiptV1
from support.psa_tokens import refused, sign1_by_hand
from support.receipts import CERTIFICATE, DIGEST, MEMBERS_V1

RECEIPT = ReceiptV1(
    policy_digest=b"\x01" * 32,
    program_digest=b"\x02" * 32,
    inputs=(
        InputCommitment(1, 0, "data", b"\x03" * 32),
        InputCommitment(2, 1, "stream", b"\x04" * 32),
    ),
    output_digest=b"\x05" * 32,
    return_code=0,
    round=1,
    strategy="JIT",
    engine="wasmtime 50.0.1",
    run_ms=12,
    fuel=34_567,
)


def signed(payload):
    return sign1_by_hand(payload, unprotected={33: CERTIFICATE})


def read(changes=(), *, without=None):
    members = {key: member for key, member in MEMBERS_V1.items() if key != without}
    payload = cbor2.dumps(members | dict(changes))
    return verify_receipt(signed(payload), certificate_digest=DIGEST)


def test_one_is_read():
    assert read() == RECEIPT


def test_fuel_that_was_not_counted_is_absent():
    assert read(without=10).fuel is None


@pytest.mark.parametrize("field", range(10))
def test_every_field_but_fuel_has_to_be_there(field):
    with refused(ErrorCode.MISSING_CLAIM, Stage.CLAIMS):
        read(without=field)


@pytest.mark.parametrize("field", range(11))
@pytest.mark.parametrize("value", [True, None, 1.0, {}, -1.5])
def test_every_field_is_of_its_type(field, value):
    with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
        read({field: value})


@pytest.mark.parametrize(
    "changes",
    [
        {11: 0},
        {"0": 0},
        {1: bytes(31)},
        {2: bytes(33)},
        {3: [[1, 0, 2, bytes(32)]]},
        {4: b""},
        {5: 2**31},
        {6: 0},
        {6: 2**32},
        {7: "x" * 33},
        {8: "x" * 65},
        {9: -1},
        {10: -1},
    ],
)
def test_a_field_out_of_bounds_is_refused(changes):
    with refused(ErrorCode.CLAIM_VALUE, Stage.CLAIMS):
        read(changes)


def test_fields_may_be_as_large_as_are_read():
    found = read({6: 2**32 - 1, 7: "x" * 32, 8: "x" * 64})
    assert (found.round, found.strategy, found.engine) == (2**32 - 1, "x" * 32, "x" * 64)


def test_its_content_under_the_name_of_todays_format_is_refused():
    with pytest.raises(AttestationError):
        read({0: "veracruz-receipt-v2"})


@given(st.binary(max_size=120))
def test_arbitrary_content_under_the_right_key_gives_our_error(payload):
    with pytest.raises(AttestationError):
        verify_receipt(signed(payload), certificate_digest=DIGEST)
