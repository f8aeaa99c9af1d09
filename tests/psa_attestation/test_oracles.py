"""What we sign and read against another implementation of COSE, `cwt`.

It is no verifier for us: it reads what is ambiguous. Where we accept, it has to accept the same.
"""

from random import Random

import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from psa_attestation.cose.messages import parse, verify1
from psa_attestation.cose.signing import sign1
from psa_attestation.cose.verification import MacAlgorithm, MacKey
from psa_attestation.errors import AttestationError
from psa_attestation.results.appraisal import Appraisal, Tier
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import Ear, VerifierId
from support.evidence_mutation import changed_bytes
from support.mac0 import mac0
from support.psa_tokens import DEVICE, DEVICE_384, DEVICE_521, RFC9783_CLAIMS, sign1_by_hand
from veracruz_utils.secret import Secret

KEYS = {"ES256": DEVICE, "ES384": DEVICE_384, "ES512": DEVICE_521}
MACS = {"HS256": MacAlgorithm.HMAC_256, "HS384": MacAlgorithm.HMAC_384}
MACS |= {"HS512": MacAlgorithm.HMAC_512}
PAYLOAD = cbor2.dumps(dict(RFC9783_CLAIMS))
SECRET = bytes(range(64))


def theirs(key, alg):
    """The public half of `key` as the other implementation has keys."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return cwt.COSEKey.from_pem(pem, alg=alg)


def read_by_them(message, key):
    """The payload, as they see it."""
    return cwt.COSE.new().decode(message, key)


@pytest.mark.parametrize(("alg", "key"), KEYS.items())
def test_what_we_sign_they_read(alg, key):
    assert read_by_them(sign1(PAYLOAD, key), theirs(key, alg)) == PAYLOAD


@pytest.mark.parametrize(("alg", "key"), KEYS.items())
def test_what_they_sign_we_read(alg, key):
    numbers = key.private_numbers()
    size = (key.curve.key_size + 7) // 8
    point = numbers.public_numbers
    private = cwt.COSEKey.new(
        {
            1: 2,
            3: {"ES256": -7, "ES384": -35, "ES512": -36}[alg],
            -1: list(KEYS).index(alg) + 1,
            -2: point.x.to_bytes(size),
            -3: point.y.to_bytes(size),
            -4: numbers.private_value.to_bytes(size),
        }
    )
    message = cwt.COSE.new(alg_auto_inclusion=True).encode(PAYLOAD, private)
    assert verify1(message, key.public_key()) == PAYLOAD


@pytest.mark.parametrize(("alg", "algorithm"), MACS.items())
def test_macs_are_the_same_on_both_sides(alg, algorithm):
    ours = MacKey(Secret(SECRET), algorithm)
    key = cwt.COSEKey.from_symmetric_key(SECRET, alg=alg)
    assert read_by_them(mac0(PAYLOAD, ours), key) == PAYLOAD
    message = cwt.COSE.new(alg_auto_inclusion=True).encode(PAYLOAD, key)
    assert parse(message).verify(ours) == PAYLOAD


def test_a_result_is_a_token_they_read():
    ear = Ear(
        issued_at=1_790_000_000,
        expires_at=1_790_000_060,
        verifier=VerifierId("veracruz", "1"),
        submods={"isolate": Appraisal(Tier.AFFIRMING)},
        nonce=bytes(32),
    )
    claims = cbor2.loads(read_by_them(sign_ear(ear, DEVICE), theirs(DEVICE, "ES256")))
    assert (claims[6], claims[4], claims[266]) == (
        1_790_000_000,
        1_790_000_060,
        {"isolate": {1000: 2}},
    )


def test_whatever_we_read_they_read_as_the_same():
    random, key, accepted = Random(9), theirs(DEVICE, "ES256"), 0
    seeds = [sign1_by_hand(PAYLOAD), sign1_by_hand(PAYLOAD, unprotected={3: "type", "more": [1]})]
    for _ in range(400):
        message = changed_bytes(random, random.choice(seeds), seeds)
        try:
            payload = verify1(message, DEVICE.public_key())
        except AttestationError:
            continue
        accepted += 1
        assert read_by_them(message, key) == payload == PAYLOAD
    assert accepted


@pytest.mark.parametrize(
    "message",
    [
        sign1_by_hand(PAYLOAD, protected=b"\xa2\x01\x26\x01\x26"),
        sign1_by_hand(PAYLOAD, unprotected={1: -7}),
        sign1_by_hand(PAYLOAD, protected=b"\xbf\x01\x26\xff"),
        sign1_by_hand(PAYLOAD) + b"\0",
    ],
    ids=["alg-twice", "alg-in-both-buckets", "indefinite-header", "trailing-byte"],
)
def test_what_they_read_and_we_refuse(message):
    """Why the verifier is our own: each of these they read, and two readers could differ."""
    assert read_by_them(message, theirs(DEVICE, "ES256")) == PAYLOAD
    with pytest.raises(AttestationError):
        verify1(message, DEVICE.public_key())
