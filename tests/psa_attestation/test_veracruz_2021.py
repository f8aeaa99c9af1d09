import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cose.messages import verify1
from psa_attestation.errors import AttestationError, ErrorCode
from psa_attestation.tokens.veracruz_2021 import Claims2021, parse_2021_payload
from support.psa_tokens import DEVICE, refused, sign1_by_hand

CLAIMS = {
    -75008: b"\x01" * 32,
    -75006: b"\x02" * 32,
    -75010: b"\x03" * 32,
    -75001: b"enclave",
}
# Byte for byte as the original lays it out; offsets from reference: 8, 47, 86, 124.
PAYLOAD = bytes.fromhex(
    f"a43a000124ff5820{'01' * 32}3a000124fd5820{'02' * 32}"
    f"3a000125015820{'03' * 32}3a000124f847{b'enclave'.hex()}"
)


def test_the_payload_of_a_2021_token_is_read():
    assert len(PAYLOAD) == 131
    assert cbor2.dumps(CLAIMS) == PAYLOAD
    assert parse_2021_payload(PAYLOAD) == Claims2021(
        challenge=b"\x01" * 32,
        measurement=b"\x02" * 32,
        certificate_digest=b"\x03" * 32,
        enclave_name=b"enclave",
    )


def test_its_envelope_is_an_ordinary_one():
    assert verify1(sign1_by_hand(PAYLOAD), DEVICE.public_key()) == PAYLOAD


def test_a_native_token_has_an_empty_name_and_challenges_may_be_longer():
    for size in (32, 48, 64):
        claims = parse_2021_payload(cbor2.dumps(CLAIMS | {-75001: b"", -75008: bytes(size)}))
        assert (len(claims.challenge), claims.enclave_name) == (size, b"")


def test_the_order_of_the_claims_does_not_matter():
    backwards = cbor2.dumps(dict(reversed(CLAIMS.items())))
    assert parse_2021_payload(backwards) == parse_2021_payload(PAYLOAD)


@pytest.mark.parametrize("claim", list(CLAIMS))
def test_every_claim_has_to_be_there(claim):
    rest = {key: member for key, member in CLAIMS.items() if key != claim}
    with refused(ErrorCode.MISSING_CLAIM):
        parse_2021_payload(cbor2.dumps(rest))


@pytest.mark.parametrize("claim", list(CLAIMS))
@pytest.mark.parametrize("value", ["text", 1, True, None, [b""], {}])
def test_every_claim_is_a_byte_string(claim, value):
    with refused(ErrorCode.CLAIM_TYPE):
        parse_2021_payload(cbor2.dumps(CLAIMS | {claim: value}))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({-75008: bytes(31)}, ErrorCode.NONCE_LENGTH),
        ({-75006: bytes(48)}, ErrorCode.HASH_LENGTH),
        ({-75010: bytes(31)}, ErrorCode.HASH_LENGTH),
        ({-75001: bytes(65)}, ErrorCode.CLAIM_VALUE),
        ({-75000: b"profile"}, ErrorCode.CLAIM_VALUE),
        ({10: bytes(32)}, ErrorCode.CLAIM_VALUE),
    ],
)
def test_other_lengths_and_claims_are_refused(changes, code):
    with refused(code):
        parse_2021_payload(cbor2.dumps(CLAIMS | changes))


@given(st.binary(max_size=140))
def test_arbitrary_bytes_give_our_error(data):
    with pytest.raises(AttestationError):
        parse_2021_payload(data)
