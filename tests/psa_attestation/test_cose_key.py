import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cose.keys import decode_cose_key, key_of_point
from psa_attestation.errors import AttestationError, ErrorCode
from support.psa_tokens import DEVICE, DEVICE_384, DEVICE_521, refused


def point(key, form=PublicFormat.UncompressedPoint):
    return key.public_key().public_bytes(Encoding.X962, form)


def members(key, crv):
    data = point(key)[1:]
    half = len(data) // 2
    return {1: 2, -1: crv, -2: data[:half], -3: data[half:]}


@pytest.mark.parametrize(("key", "crv"), [(DEVICE, 1), (DEVICE_384, 2), (DEVICE_521, 3)])
def test_a_key_is_read_in_both_forms(key, crv):
    assert decode_cose_key(cbor2.dumps(members(key, crv))) == key.public_key()
    assert decode_cose_key(cbor2.dumps(members(key, crv) | {3: -7, 2: b"k"})) == key.public_key()
    assert key_of_point(point(key)) == key.public_key()


@pytest.mark.parametrize(
    "changes",
    [
        {1: 1},
        {1: True},
        {1: "EC2"},
        {-1: 8},
        {-1: 2},
        {-1: "P-256"},
        {-1: True},
        {-2: bytes(31)},
        {-2: bytes(32)},
        {-2: 5},
        {-3: True},
        {-3: False},
        {-3: bytes(33)},
    ],
)
def test_a_key_that_is_none_is_refused(changes):
    with refused(ErrorCode.KEY_UNSUPPORTED):
        decode_cose_key(cbor2.dumps(members(DEVICE, 1) | changes))


def test_a_point_that_is_not_on_its_curve_is_refused_as_such():
    with pytest.raises(AttestationError, match="is not on secp256r1"):
        key_of_point(b"\x04" + bytes(63) + b"\x01")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(65),
        point(DEVICE)[:-1],
        point(DEVICE) + b"\x00",
        point(DEVICE, PublicFormat.CompressedPoint),
        b"\x06" + point(DEVICE)[1:],
        b"\x04" + bytes(64),
    ],
)
def test_a_point_of_another_form_is_refused(data):
    with refused(ErrorCode.KEY_UNSUPPORTED):
        key_of_point(data)


def test_a_repeated_member_is_refused():
    data = cbor2.dumps(members(DEVICE, 1))
    with refused(ErrorCode.DUPLICATE_KEY):
        decode_cose_key(bytes((data[0] + 1,)) + data[1:] + b"\x01\x02")


@given(st.binary(max_size=80))
def test_arbitrary_bytes_give_our_error(data):
    for read in (decode_cose_key, key_of_point):
        with pytest.raises(AttestationError):
            read(data)
