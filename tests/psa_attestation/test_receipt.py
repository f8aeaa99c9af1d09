import datetime as dt
import hashlib

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from colima import framing
from psa_attestation.cbor.values import WritingError
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.receipts.receipt import MAX_RECEIPT_BYTES, InputCommitment, Receipt, commit
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import verify_receipt
from support.psa_tokens import DEVICE, DEVICE_384, STRANGER, refused, sign1_by_hand


def certificate_of(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "isolate.example")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    end = start.replace(year=2036)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, start, end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATE = certificate_of(DEVICE)
DIGEST = hashlib.sha256(CERTIFICATE).digest()
RECEIPT = Receipt(
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
MEMBERS = {
    0: "veracruz-receipt-v1",
    1: b"\x01" * 32,
    2: b"\x02" * 32,
    3: [[1, 0, 0, b"\x03" * 32], [2, 1, 1, b"\x04" * 32]],
    4: b"\x05" * 32,
    5: 0,
    6: 1,
    7: "JIT",
    8: "wasmtime 50.0.1",
    9: 12,
    10: 34_567,
}
SIGNED = sign_receipt(RECEIPT, DEVICE, CERTIFICATE)


def changed(**changes):
    return Receipt(**{name: getattr(RECEIPT, name) for name in Receipt.__slots__} | changes)


def verify(data):
    return verify_receipt(data, certificate_digest=DIGEST)


def read(changes=(), *, without=None):
    members = {key: member for key, member in MEMBERS.items() if key != without}
    payload = cbor2.dumps(members | dict(changes))
    return verify(sign1_by_hand(payload, unprotected={33: CERTIFICATE}))


def test_a_signed_receipt_is_read_back():
    assert verify(SIGNED) == RECEIPT


def test_its_payload_is_what_the_module_documents():
    assert cbor2.loads(cbor2.loads(SIGNED).value[2]) == MEMBERS
    assert read() == RECEIPT


def test_fuel_that_was_not_counted_is_absent():
    receipt = changed(fuel=None)
    signed = sign_receipt(receipt, DEVICE, CERTIFICATE)
    assert verify(signed) == receipt
    assert 10 not in cbor2.loads(cbor2.loads(signed).value[2])


def test_a_round_without_inputs_has_a_receipt():
    assert verify(sign_receipt(changed(inputs=()), DEVICE, CERTIFICATE)).inputs == ()


def test_the_longest_receipt_fits_a_frame_of_the_wire():
    assert MAX_RECEIPT_BYTES < framing.MAX_RESPONSE_BYTES


def test_as_many_inputs_as_allowed_fit():
    inputs = (InputCommitment(2**32 - 1, 2**32 - 1, "data", b"\xff" * 32),) * 4096
    receipt = changed(inputs=inputs)
    assert verify(sign_receipt(receipt, DEVICE, CERTIFICATE)) == receipt


class TestCertificate:
    def test_the_attested_one_is_demanded(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH, Stage.BINDING):
            verify_receipt(SIGNED, certificate_digest=bytes(32))

    def test_that_of_somebody_else_is_refused(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH):
            verify(sign_receipt(RECEIPT, STRANGER, certificate_of(STRANGER)))

    def test_the_attested_one_with_anothers_signature_is_refused(self):
        forged = sign1_by_hand(cbor2.dumps(MEMBERS), STRANGER, unprotected={33: CERTIFICATE})
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            verify(forged)

    def test_another_one_of_the_same_key_is_refused(self):
        with refused(ErrorCode.CERTIFICATE_MISMATCH):
            verify(sign_receipt(RECEIPT, DEVICE, certificate_of(DEVICE)))

    def test_it_has_to_be_there(self):
        with refused(ErrorCode.MISSING_CLAIM):
            verify(sign1_by_hand(cbor2.dumps(MEMBERS)))

    @pytest.mark.parametrize("chain", [[CERTIFICATE], "text", 1, True, None])
    def test_it_is_one_byte_string(self, chain):
        with refused(ErrorCode.CLAIM_TYPE):
            verify(sign1_by_hand(cbor2.dumps(MEMBERS), unprotected={33: chain}))

    @pytest.mark.parametrize("garbage", [b"\x00", b"\x30\x00", CERTIFICATE[:-1]])
    def test_garbage_is_refused_even_if_it_was_attested(self, garbage):
        forged = sign1_by_hand(cbor2.dumps(MEMBERS), unprotected={33: garbage})
        with refused(ErrorCode.CERTIFICATE, Stage.KEY):
            verify_receipt(forged, certificate_digest=hashlib.sha256(garbage).digest())

    def test_its_key_is_on_p_256(self):
        for key in (DEVICE_384, rsa.generate_private_key(65537, 2048)):
            other = certificate_of(key)
            forged = sign1_by_hand(cbor2.dumps(MEMBERS), unprotected={33: other})
            with refused(ErrorCode.CERTIFICATE):
                verify_receipt(forged, certificate_digest=hashlib.sha256(other).digest())

    def test_nothing_is_signed_with_another_key(self):
        with pytest.raises(WritingError):
            sign_receipt(RECEIPT, STRANGER, CERTIFICATE)
        with pytest.raises(WritingError):
            sign_receipt(RECEIPT, DEVICE_384, certificate_of(DEVICE_384))


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
    ("changes", "code"),
    [
        ({11: 0}, ErrorCode.CLAIM_VALUE),
        ({"0": 0}, ErrorCode.CLAIM_VALUE),
        ({0: "veracruz-receipt-v2"}, ErrorCode.PROFILE_UNKNOWN),
        ({1: bytes(31)}, ErrorCode.CLAIM_VALUE),
        ({2: bytes(33)}, ErrorCode.CLAIM_VALUE),
        ({4: b""}, ErrorCode.CLAIM_VALUE),
        ({5: 2**31}, ErrorCode.CLAIM_VALUE),
        ({6: 0}, ErrorCode.CLAIM_VALUE),
        ({6: 2**32}, ErrorCode.CLAIM_VALUE),
        ({7: "x" * 33}, ErrorCode.CLAIM_VALUE),
        ({8: "x" * 65}, ErrorCode.CLAIM_VALUE),
        ({9: -1}, ErrorCode.CLAIM_VALUE),
        ({10: -1}, ErrorCode.CLAIM_VALUE),
        ({3: [[1, 0, 0]]}, ErrorCode.CLAIM_VALUE),
        ({3: [[1, 0, 0, bytes(32), 0]]}, ErrorCode.CLAIM_VALUE),
        ({3: [[1, 0, 2, bytes(32)]]}, ErrorCode.CLAIM_VALUE),
        ({3: [[-1, 0, 0, bytes(32)]]}, ErrorCode.CLAIM_VALUE),
        ({3: [[1, 2**32, 0, bytes(32)]]}, ErrorCode.CLAIM_VALUE),
        ({3: [[1, 0, 0, bytes(31)]]}, ErrorCode.CLAIM_VALUE),
        ({3: [[1, 0, True, bytes(32)]]}, ErrorCode.CLAIM_TYPE),
        ({3: [1]}, ErrorCode.CLAIM_TYPE),
    ],
)
def test_a_field_out_of_bounds_is_refused(changes, code):
    with refused(code, Stage.CLAIMS):
        read(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 0},
        {"policy_digest": b""},
        {"return_code": 2**31},
        {"run_ms": -1},
        {"engine": "x" * 65},
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
commitments = st.builds(
    InputCommitment, uint32, uint32, st.sampled_from(["data", "stream"]), digests
)


@given(
    st.builds(
        Receipt,
        policy_digest=digests,
        program_digest=digests,
        inputs=st.lists(commitments, max_size=5).map(tuple),
        output_digest=digests,
        return_code=st.integers(-(2**31), 2**31 - 1),
        round=st.integers(1, 2**32 - 1),
        strategy=st.text(max_size=32),
        engine=st.text(max_size=64),
        run_ms=uint64,
        fuel=st.none() | uint64,
    )
)
def test_every_receipt_is_read_back(receipt):
    assert verify(sign_receipt(receipt, DEVICE, CERTIFICATE)) == receipt


@given(st.binary(max_size=120))
def test_arbitrary_content_under_the_right_key_gives_our_error(payload):
    with pytest.raises(AttestationError):
        verify(sign1_by_hand(payload, unprotected={33: CERTIFICATE}))
