import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from psa_attestation.errors import AttestationError
from psa_attestation.jose.jwk import jwk_of
from support.jwts import part
from support.throwaway_chain import Form, issue
from support.tpm_quotes import EC_KEY, other_rsa_key, rsa_key
from tabasco.verify.jose.keys import MAX_KEY_SET_BYTES, read_key_document

WEAK = rsa.generate_private_key(65537, 1024)


def rsa_jwk(key, **more):
    numbers = key.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {"kty": "RSA", "e": "AQAB", "n": part(numbers.n.to_bytes(size)), **more}


def x5c(key):
    return [base64.b64encode(issue("a key", None, Form(key=key)).der).decode()]


def read(*entries):
    return read_key_document(json.dumps({"keys": entries}).encode())


def test_rsa_keys_curve_keys_and_keys_in_certificates_are_read():
    found = read(
        rsa_jwk(rsa_key(), kid="a", alg="RS256", use="sig"),
        jwk_of(EC_KEY.public_key(), kid="b"),
        {"kty": "RSA", "kid": "c", "x5c": x5c(other_rsa_key())},
        {"kty": "EC", "kid": "d", "x5c": x5c(EC_KEY)},
        rsa_jwk(rsa_key(), kid="e", x5c=x5c(rsa_key())),
    )
    numbers = {kid: key.public_numbers() for kid, key in found.items()}
    assert numbers["a"] == numbers["e"] == rsa_key().public_key().public_numbers()
    assert numbers["b"] == numbers["d"] == EC_KEY.public_key().public_numbers()
    assert numbers["c"] == other_rsa_key().public_key().public_numbers()


def test_a_key_that_is_not_used_is_left_out_and_spoils_no_other():
    found = read(
        rsa_jwk(WEAK, kid="weak"),
        {"kty": "RSA", "kid": "weak too", "x5c": x5c(WEAK)},
        {"kty": "oct", "kid": "secret", "k": "AAAA"},
        rsa_jwk(rsa_key(), kid="for encryption", use="enc"),
        rsa_jwk(rsa_key(), kid="for encryption, too") | {"alg": "RSA-OAEP-256"},
        jwk_of(EC_KEY.public_key(), kid="for agreement") | {"alg": "ECDH-ES"},
        {"kty": "EC", "crv": "secp256k1", "kid": "bitcoin", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": "AA"},
        rsa_jwk(rsa_key(), kid="good"),
    )
    assert set(found) == {"good"}


@pytest.mark.parametrize(
    "entry",
    [
        rsa_jwk(rsa_key()),
        rsa_jwk(rsa_key(), kid=""),
        rsa_jwk(rsa_key(), kid="k" * 257),
        "key",
        rsa_jwk(rsa_key(), kid="a") | {"e": "Aw"},
        rsa_jwk(rsa_key(), kid="a") | {"n": "!"},
        rsa_jwk(rsa_key(), kid="a") | {"n": "A" * 3000},
        rsa_jwk(rsa_key(), kid="a", x5c=x5c(other_rsa_key())),
        {"kty": "RSA", "kid": "a", "x5c": []},
        {"kty": "RSA", "kid": "a", "x5c": ["AA=="]},
        {"kty": "RSA", "kid": "a", "x5c": [1]},
    ],
    ids=range(11),
)
def test_a_key_that_is_malformed_or_has_no_name_is_refused(entry):
    with pytest.raises(AttestationError) as caught:
        read(entry)
    assert caught.value.code in {"key-unsupported", "malformed"}


def test_two_keys_of_one_name_and_other_documents_are_refused():
    entry = rsa_jwk(rsa_key(), kid="a")
    for data in (b"[]", b"{", b'{"keys": {}}', json.dumps({"keys": [entry] * 2}).encode()):
        with pytest.raises(AttestationError):
            read_key_document(data)
    with pytest.raises(AttestationError):
        read_key_document(b" " * (MAX_KEY_SET_BYTES + 1))


def test_a_single_key_stands_for_any_and_for_its_own_name():
    single = json.dumps(rsa_jwk(rsa_key(), kid="a")).encode()
    assert set(read_key_document(single)) == {"*", "a"}
    with pytest.raises(AttestationError, match="not used"):
        read_key_document(json.dumps(rsa_jwk(WEAK)).encode())
    curve = ec.generate_private_key(ec.SECP384R1()).public_key()
    assert set(read_key_document(json.dumps(jwk_of(curve, kid="k")).encode())) == {"*", "k"}
