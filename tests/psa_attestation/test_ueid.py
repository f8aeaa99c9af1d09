import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.tokens.instance_id import INSTANCE_ID_BYTES, instance_id_of
from support.psa_tokens import DEVICE, DEVICE_384, DEVICE_521, STRANGER


@pytest.mark.parametrize("key", [DEVICE, DEVICE_384, DEVICE_521])
def test_an_instance_id_is_the_digest_of_the_point(key):
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    point = b"\x04" + numbers.x.to_bytes(size) + numbers.y.to_bytes(size)
    instance_id = instance_id_of(key.public_key())
    assert instance_id == b"\x01" + hashlib.sha256(point).digest()
    assert len(instance_id) == INSTANCE_ID_BYTES


def test_two_keys_have_two_instance_ids():
    assert instance_id_of(DEVICE.public_key()) != instance_id_of(STRANGER.public_key())


def test_the_instance_id_of_a_key_read_again_is_the_same():
    again = ec.EllipticCurvePublicNumbers(
        DEVICE.public_key().public_numbers().x,
        DEVICE.public_key().public_numbers().y,
        ec.SECP256R1(),
    ).public_key()
    assert instance_id_of(again) == instance_id_of(DEVICE.public_key())
