"""Openings and receipts, without a network."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baja import make_certificate
from colima.runtime import ContentKind
from durango import CommitmentOpening, ContentError, Evidence, ReceiptError, judge, verify_receipt
from durango.receipts import receipt_line
from psa_attestation.receipts.receipt import InputCommitment, Receipt, RunDetails, RunEnd
from psa_attestation.receipts.signing import sign_receipt
from support.principal_rig import DAY, MEASUREMENT, Attester, Rig, key_der, now
from veracruz_utils.digest import Digest
from veracruz_utils.policy import RUNTIME_LAYERS
from veracruz_utils.secret import Secret

ATTESTER = Attester()
POLICY = Rig(ATTESTER).policy(streaming_order=[1])
ISOLATE = make_certificate(name="isolate", not_before=now() - DAY, not_after=now() + DAY)
CHALLENGE = b"c" * 32


def attestation(policy=POLICY):
    token = ATTESTER.token(ATTESTER.claims(CHALLENGE, ISOLATE.certificate, policy.digest))
    result = ATTESTER.result(ATTESTER.ear(token, CHALLENGE, now()))
    evidence = Evidence(CHALLENGE, token, result)
    return judge(evidence, policy, tabasco_key=key_der(ATTESTER.tabasco_key), at=now())


ATTESTATION = attestation()
OPENING = CommitmentOpening(2, 5, ContentKind.DATA, Digest.of(b"carol's"), Secret(b"s" * 32))
RECEIPT = Receipt(
    policy_digest=POLICY.digest.value,
    program_digest=POLICY.program_digest.value,
    number=1,
    previous_receipt=None,
    round=1,
    attempt=1,
    inputs=(
        InputCommitment(1, 0, "data", b"b" * 32),
        InputCommitment(2, 5, "data", OPENING.commitment),
        InputCommitment(1, 0, "stream", b"s" * 32),
    ),
    end=RunEnd.FINISHED,
    details=RunDetails(0, Digest.of(b"output").value, 7),
    readers=tuple(sorted(POLICY.result_readers)),
    strategy="JIT",
    engine="scripted 1.0",
    debug=False,
    isolation=tuple(sorted(RUNTIME_LAYERS)),
    measurement=MEASUREMENT,
    host_time=1_790_000_000,
)


def verified(receipt: Receipt = RECEIPT, *, signer=ISOLATE, **how) -> Receipt:
    signed = sign_receipt(receipt, signer.private_key, signer.certificate, salt=b"t" * 32)
    told = {"attestation": ATTESTATION, "policy": POLICY} | how
    return verify_receipt(signed.opened, **told)


def test_an_honest_receipt_holds():
    assert verified(output=Digest.of(b"output"), openings=[OPENING]) == RECEIPT


def test_nans_have_the_same_bits_if_the_policy_says_so():
    """A runtime may do more than it says: those before it said anything always did it."""
    receipt = replace(RECEIPT, canonical_nans=False)
    assert not verified(receipt).canonical_nans
    assert "bits of NaNs the processor's" in receipt_line(receipt, POLICY)
    assert "bits of NaNs the same everywhere" in receipt_line(RECEIPT, POLICY)
    exact = Rig(ATTESTER).policy(streaming_order=[1], terms={"deterministic": True})
    told = {"attestation": attestation(exact), "policy": exact}
    receipt = replace(RECEIPT, policy_digest=exact.digest.value)
    assert verified(receipt, **told) == receipt
    with pytest.raises(ReceiptError, match="NaNs is the processor's, expected the same everywhere"):
        verified(replace(receipt, canonical_nans=False), **told)


def test_a_receipt_by_another_certificate_is_refused():
    other = make_certificate(name="isolate", not_before=now() - DAY, not_after=now() + DAY)
    with pytest.raises(ReceiptError, match="not by the attested isolate"):
        verified(signer=other)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"policy_digest": b"x" * 32}, "policy"),
        ({"program_digest": b"x" * 32}, "program"),
        ({"strategy": "Interpretation"}, "execution strategy"),
        ({"inputs": RECEIPT.inputs[:1]}, "order of data is client 1, expected client 1, client 2"),
        ({"inputs": RECEIPT.inputs[1::-1]}, "order of data is client 2, client 1"),
        ({"inputs": RECEIPT.inputs[:2]}, "order of streams is nobody, expected client 1"),
        ({"details": RunDetails(0, b"x" * 32, 7)}, "result"),
        ({"details": RunDetails(0, None, 7)}, "result is none, expected"),
        ({"readers": (0,)}, "readers is client 0, expected"),
        ({"debug": True}, "debug is True, expected False"),
        ({"measurement": b"x" * 32}, "measurement"),
        ({"isolation": ("seccomp",)}, "isolation is seccomp, expected namespaces"),
    ],
)
def test_a_receipt_that_says_something_else_is_refused_naming_both_sides(change, named):
    with pytest.raises(ReceiptError, match=named):
        verified(replace(RECEIPT, **change), output=Digest.of(b"output"))


def test_an_input_the_program_did_not_see_is_not_in_the_receipt():
    for change in ({"client_id": 1}, {"package_id": 6}, {"kind": ContentKind.STREAM}):
        with pytest.raises(ReceiptError, match=r"did not see it|commitment to"):
            verified(openings=[replace(OPENING, **change)])


def test_another_content_or_salt_has_another_commitment():
    for change in ({"digest": Digest.of(b"other")}, {"salt": Secret(b"t" * 32)}):
        with pytest.raises(ReceiptError, match="commitment to data package 5 of client 2"):
            verified(openings=[replace(OPENING, **change)])


def test_an_opening_survives_its_file_and_does_not_show_its_salt():
    again = CommitmentOpening.from_json(OPENING.to_json())
    assert again == OPENING
    assert (b"s" * 32).hex() not in repr(OPENING)


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_opening(data):
    with pytest.raises(ContentError):
        CommitmentOpening.from_json(data)


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_no_receipt(data):
    with pytest.raises(ReceiptError):
        verify_receipt(data, attestation=ATTESTATION, policy=POLICY)


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"{}",
        b'{"client_id": 1.5}',
        b"[" * 100_000,
        OPENING.to_json().replace(b'"data"', b'"else"'),
        OPENING.to_json().replace(b"7373", b"XXXX"),
        OPENING.to_json().replace(b'"client_id": 2', b'"client_id": -2'),
        OPENING.to_json().replace(b'"client_id": 2', b'"client_id": true'),
    ],
)
def test_an_opening_with_a_field_that_cannot_be_is_refused(text):
    with pytest.raises(ContentError, match="not an opening file"):
        CommitmentOpening.from_json(text)
