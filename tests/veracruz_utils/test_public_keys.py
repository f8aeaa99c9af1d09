"""Public keys: one form of each, and nothing else."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from support.enrolment import new_key, pem, spki
from veracruz_utils.key_files import digest_of, ec_key_of_pem, p256_key_of_pem, pem_of
from veracruz_utils.public_keys import (
    NIST_CURVES,
    P256,
    P384,
    KeyFormatError,
    der_of,
    ec_key,
    ec_key_of_der,
    p256_key_of_der,
)


def test_a_public_key_in_pem_is_read():
    key = new_key()
    assert p256_key_of_pem(pem(key)) == key.public_key()
    assert pem_of(key.public_key()) == pem(key)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a public key in PEM"),
        (b"\xff\x00", "not a public key in PEM"),
        (
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "not a public key in PEM",
        ),
        (pem(ec.generate_private_key(ec.SECP384R1())), "not a P-256 key"),
        (
            new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "holds a private key",
        ),
    ],
    ids=["empty", "noise", "damaged", "p384", "private"],
)
def test_a_file_that_is_no_p256_public_key_is_refused(content, complaint):
    with pytest.raises(KeyFormatError, match=f"^(?:is )?{complaint}"):
        p256_key_of_pem(content)


def test_a_key_in_der_is_read_in_its_one_encoding_only():
    good = spki(new_key())
    key = p256_key_of_der(good)
    assert der_of(key) == good
    assert digest_of(key) == hashlib.sha256(good).digest()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    compressed = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    assert load_der_public_key(compressed) == key, "the same key, otherwise"
    off_curve = good[:-1] + bytes([good[-1] ^ 1])
    other = spki(ec.generate_private_key(ec.SECP384R1()))
    for bad in (b"", good[:-1], good + b"\0", off_curve, good[:1] + b"\x81" + good[1:], other,
                compressed):  # fmt: skip
        with pytest.raises(KeyFormatError):
            p256_key_of_der(bad)


def test_a_key_on_another_curve_is_read_where_that_is_allowed():
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    assert ec_key_of_der(der_of(key), NIST_CURVES) == key
    assert ec_key_of_pem(pem_of(key), P384) == key
    with pytest.raises(KeyFormatError, match="is not a P-256 key"):
        ec_key_of_der(der_of(key), P256)
    with pytest.raises(KeyFormatError, match="is not a P-256, P-384 or P-521 key"):
        ec_key(ec.generate_private_key(ec.SECP256K1()).public_key(), NIST_CURVES)
