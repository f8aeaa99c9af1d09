"""What we sign and read against another implementation of COSE, `pycose` over `cbor2`.

It is no verifier for us: it reads what is ambiguous. Where we accept, it has to accept the same.
"""

from random import Random

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from psa_attestation.cose.messages import parse, verify1
from psa_attestation.cose.signing import sign1
from psa_attestation.cose.verification import MacAlgorithm, MacKey
from psa_attestation.errors import AttestationError
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.results.appraisal import Appraisal, Tier
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import Ear, VerifierId
from support.evidence_mutation import changed_bytes
from support.mac0 import mac0
from support.psa_tokens import DEVICE, DEVICE_384, DEVICE_521, RFC9783_CLAIMS, sign1_by_hand
from support.receipts import CERTIFICATE, HEADER, MEMBERS, RECEIPT, SALT
from veracruz_utils.secret import Secret

KEYS = {"Es256": DEVICE, "Es384": DEVICE_384, "Es512": DEVICE_521}
MACS = {"HMAC256": MacAlgorithm.HMAC_256, "HMAC384": MacAlgorithm.HMAC_384}
MACS |= {"HMAC512": MacAlgorithm.HMAC_512}
PAYLOAD = cbor2.dumps(dict(RFC9783_CLAIMS))
SECRET = bytes(range(64))
SIGNED = sign_receipt(RECEIPT, DEVICE, CERTIFICATE, salt=SALT).opened


def theirs(key):
    """`key` as the other implementation has keys, with its private half."""
    from pycose.keys import EC2Key  # noqa: PLC0415 - a test tool, and its import is slow

    numbers = key.private_numbers()
    size = (key.curve.key_size + 7) // 8
    return EC2Key(
        crv={256: "P_256", 384: "P_384", 521: "P_521"}[key.curve.key_size],
        x=numbers.public_numbers.x.to_bytes(size),
        y=numbers.public_numbers.y.to_bytes(size),
        d=numbers.private_value.to_bytes(size),
    )


def theirs_public(key):
    """A public P-256 key as the other implementation has them."""
    from pycose.keys import EC2Key  # noqa: PLC0415

    numbers = key.public_numbers()
    return EC2Key(crv="P_256", x=numbers.x.to_bytes(32), y=numbers.y.to_bytes(32))


def made_by_them(kind, algorithm, key):
    from pycose import algorithms, headers, messages  # noqa: PLC0415

    header = {headers.Algorithm: getattr(algorithms, algorithm)}
    return getattr(messages, kind)(phdr=header, payload=PAYLOAD, key=key).encode()


def read_by_them(message, key):
    """The payload, as they see it; an AssertionError if it is not authentic to them."""
    from pycose.messages import Mac0Message, Sign1Message  # noqa: PLC0415

    tagged = cbor2.loads(message)  # they expect lists and dicts in tags, cbor2 6 gives frozen ones
    protected, unprotected, payload, proof = tagged.value
    kind = {18: Sign1Message, 17: Mac0Message}[tagged.tag]
    elements = [protected, dict(unprotected), payload, proof]
    read = kind.from_cose_obj(elements, allow_unknown_attributes=True)
    read.key = key
    assert read.verify_signature() if tagged.tag == 18 else read.verify_tag()
    return read.payload


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_what_we_sign_they_read(key):
    assert read_by_them(sign1(PAYLOAD, key), theirs(key)) == PAYLOAD


@pytest.mark.parametrize(("algorithm", "key"), KEYS.items())
def test_what_they_sign_we_read(algorithm, key):
    message = made_by_them("Sign1Message", algorithm, theirs(key))
    assert verify1(message, key.public_key()) == PAYLOAD


@pytest.mark.parametrize(("name", "algorithm"), MACS.items())
def test_macs_are_the_same_on_both_sides(name, algorithm):
    from pycose.keys import SymmetricKey  # noqa: PLC0415
    from pycose.keys.keyparam import SymKpK  # noqa: PLC0415

    ours, key = MacKey(Secret(SECRET), algorithm), SymmetricKey(SECRET[:32])
    key.store[SymKpK] = SECRET  # longer than its constructor takes: a hash's key is as long as it
    assert read_by_them(mac0(PAYLOAD, ours), key) == PAYLOAD
    assert parse(made_by_them("Mac0Message", name, key)).verify(ours) == PAYLOAD


def test_a_result_is_a_token_they_read():
    ear = Ear(
        issued_at=1_790_000_000,
        expires_at=1_790_000_060,
        verifier=VerifierId("veracruz", "1"),
        submods={"isolate": Appraisal(Tier.AFFIRMING)},
        nonce=bytes(32),
    )
    claims = cbor2.loads(read_by_them(sign_ear(ear, DEVICE), theirs(DEVICE)))
    assert (claims[6], claims[4], claims[266]) == (
        1_790_000_000,
        1_790_000_060,
        {"isolate": {1000: 2}},
    )


def test_a_receipt_is_a_signed_statement_they_read():
    """All that a tool needs that knows SCITT and none of our formats; `support.receipts` has it."""
    from pycose.headers import ContentType  # noqa: PLC0415
    from pycose.messages import Sign1Message  # noqa: PLC0415

    protected, unprotected, payload, proof = cbor2.loads(SIGNED).value
    read = Sign1Message.from_cose_obj(
        [protected, dict(unprotected), payload, proof], allow_unknown_attributes=True
    )
    header = read.phdr | read.uhdr
    headers = {getattr(key, "identifier", key): value for key, value in header.items()}
    (certificate,) = (value for key, value in headers.items() if key == 33)
    issuer = x509.load_der_x509_certificate(certificate)
    # The issuer's certificate, by its hash in the signed part of the header, has signed it.
    assert headers[34] == [-16, issuer.fingerprint(hashes.SHA256())]
    read.key = theirs_public(issuer.public_key())
    assert read.verify_signature()
    assert header[ContentType] == "application/vnd.veracruz.receipt+cbor"
    assert headers[15] == HEADER[15]
    assert cbor2.loads(read.payload) == MEMBERS


def test_whatever_we_read_they_read_as_the_same():
    random, key, accepted = Random(9), theirs(DEVICE), 0
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
        sign1_by_hand(PAYLOAD, protected={1: -7, 4: b"one"}, unprotected={4: b"other"}),
        sign1_by_hand(PAYLOAD, protected={1: -7, 2: [99], 99: 1}),
        sign1_by_hand(PAYLOAD, protected=b"\xbf\x01\x26\xff"),
        sign1_by_hand(PAYLOAD) + b"\0",
    ],
    ids=[
        "alg-twice",
        "kid-in-both-buckets",
        "critical-unknown",
        "indefinite-header",
        "trailing-byte",
    ],
)
def test_what_they_read_and_we_refuse(message):
    """Why the verifier is our own: each of these they read, and two readers could differ."""
    assert read_by_them(message, theirs(DEVICE)) == PAYLOAD
    with pytest.raises(AttestationError):
        verify1(message, DEVICE.public_key())
