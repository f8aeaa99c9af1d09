import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.veracruz_2021 import Claims2021, is_2021_token, verify_2021_token
from support.mac0 import mac0
from support.psa_tokens import (
    DEVICE,
    PROFILE_1_CLAIMS,
    RFC9783_CLAIMS,
    STRANGER,
    refused,
    sign1_by_hand,
)
from veracruz_utils.secret import Secret

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


def read(payload, *, nonce=None):
    return verify_2021_token(sign1_by_hand(payload), key=DEVICE.public_key(), nonce=nonce)


def test_the_payload_of_a_2021_token_is_read():
    assert len(PAYLOAD) == 131
    assert cbor2.dumps(CLAIMS) == PAYLOAD
    assert read(PAYLOAD) == Claims2021(
        challenge=b"\x01" * 32,
        measurement=b"\x02" * 32,
        certificate_digest=b"\x03" * 32,
        enclave_name=b"enclave",
    )


def test_a_token_of_another_key_is_refused():
    with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
        verify_2021_token(sign1_by_hand(PAYLOAD, STRANGER), key=DEVICE.public_key(), nonce=None)


def test_its_challenge_is_compared_where_one_was_sent():
    assert read(PAYLOAD, nonce=b"\x01" * 32) == read(PAYLOAD)
    with refused(ErrorCode.NONCE_MISMATCH, Stage.FRESHNESS):
        read(PAYLOAD, nonce=b"\x02" * 32)


def test_a_mac_authenticates_it_as_well():
    key = MacKey(Secret(bytes(32)))
    assert verify_2021_token(mac0(PAYLOAD, key), key=key, nonce=None) == read(PAYLOAD)


def test_it_is_told_apart_by_its_four_claims():
    assert is_2021_token(sign1_by_hand(PAYLOAD))
    others = [RFC9783_CLAIMS, PROFILE_1_CLAIMS, CLAIMS | {10: bytes(32)}, {}]
    assert not any(is_2021_token(sign1_by_hand(cbor2.dumps(dict(each)))) for each in others)
    assert not is_2021_token(b"\xd2\x00")


def test_a_native_token_has_an_empty_name_and_challenges_may_be_longer():
    for size in (32, 48, 64):
        claims = read(cbor2.dumps(CLAIMS | {-75001: b"", -75008: bytes(size)}))
        assert (len(claims.challenge), claims.enclave_name) == (size, b"")


def test_the_order_of_the_claims_does_not_matter():
    backwards = cbor2.dumps(dict(reversed(CLAIMS.items())))
    assert read(backwards) == read(PAYLOAD)


@pytest.mark.parametrize("claim", list(CLAIMS))
def test_every_claim_has_to_be_there(claim):
    rest = {key: member for key, member in CLAIMS.items() if key != claim}
    with refused(ErrorCode.MISSING_CLAIM):
        read(cbor2.dumps(rest))


@pytest.mark.parametrize("claim", list(CLAIMS))
@pytest.mark.parametrize("value", ["text", 1, True, None, [b""], {}])
def test_every_claim_is_a_byte_string(claim, value):
    with refused(ErrorCode.CLAIM_TYPE):
        read(cbor2.dumps(CLAIMS | {claim: value}))


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
        read(cbor2.dumps(CLAIMS | changes))


@given(st.binary(max_size=140))
def test_arbitrary_bytes_give_our_error(data):
    with pytest.raises(AttestationError):
        read(data)
