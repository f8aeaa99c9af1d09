import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.values import WritingError
from psa_attestation.errors import ErrorCode
from psa_attestation.jose.jwk import decode_key_set, encode_key_set, jwk_of, public_key_of
from support.psa_tokens import DEVICE, DEVICE_384, DEVICE_521, refused

JWK = jwk_of(DEVICE.public_key(), kid="one")


@pytest.mark.parametrize("key", [DEVICE, DEVICE_384, DEVICE_521])
def test_a_key_is_written_and_read_back(key):
    public = key.public_key()
    assert public_key_of(dict(jwk_of(public, kid="k"))) == public
    assert decode_key_set(encode_key_set({"k": public})) == {"k": public}


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "RSA"},
        {"kty": "oct"},
        {"crv": "secp256k1"},
        {"crv": "P-384"},
        {"crv": 1},
        {"x": JWK["y"]},  # not on the curve
        {"x": 5},
        {"x": ""},
        {"y": JWK["y"][:-3]},
        {"alg": "ES384"},
        {"alg": "HS256"},
    ],
)
def test_a_key_that_is_none_is_refused(changes):
    with refused(ErrorCode.KEY_UNSUPPORTED):
        public_key_of(dict(JWK) | changes)


def test_a_coordinate_has_one_form():
    for x in (JWK["x"] + "=", JWK["x"] + "\n", JWK["x"][:-1] + "/"):
        with refused(ErrorCode.MALFORMED):
            public_key_of(dict(JWK) | {"x": x})


def test_a_private_part_is_not_looked_at():
    assert public_key_of(dict(JWK) | {"d": "AA"}) == DEVICE.public_key()


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"keys": {}},
        {"keys": [1]},
        {"keys": [JWK, JWK]},
        {"keys": [{**JWK, "kid": ""}]},
        {"keys": [{**JWK, "kid": 1}]},
        {"keys": [{name: JWK[name] for name in ("kty", "crv", "x", "y")}]},
        {"keys": [{**JWK, "use": "enc"}]},
        {"keys": [{**JWK, "kid": str(n)} for n in range(65)]},
    ],
)
def test_a_set_in_which_a_key_cannot_be_named_is_refused(document):
    with refused(ErrorCode.KEY_UNSUPPORTED):
        decode_key_set(json.dumps(document).encode())


def test_a_set_is_as_large_as_keys_with_their_certificates_make_it():
    keys = [{**JWK, "kid": str(number), "x5c": ["A" * 4000]} for number in range(48)]
    document = json.dumps({"keys": keys}).encode()
    assert len(decode_key_set(document)) == 48
    with refused(ErrorCode.SIZE_LIMIT):
        decode_key_set(document.ljust(256 * 1024 + 1))


def test_an_empty_set_has_no_keys():
    assert decode_key_set(b'{"keys": []}') == {}


def test_other_curves_are_not_written():
    with pytest.raises(WritingError):
        jwk_of(ec.derive_private_key(9, ec.SECP256K1()).public_key(), kid="k")
