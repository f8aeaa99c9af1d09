import base64
import datetime as dt
import hashlib

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cbor.values import WritingError
from psa_attestation.consents.consent import MAX_CONSENT_BYTES, PolicyConsent
from psa_attestation.consents.signing import sign_consent
from support.policies import certificate

POLICY = bytes(range(32))
KEYS = {
    "ES256": (ec.generate_private_key(ec.SECP256R1()), -7),
    "ES384": (ec.generate_private_key(ec.SECP384R1()), -35),
    "ES512": (ec.generate_private_key(ec.SECP521R1()), -36),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), -8),
    "PS256": (rsa.generate_private_key(65537, 2048), -37),
}
BY_ALL = pytest.mark.parametrize("name", KEYS)


def certificate_of(name):
    return certificate(name, key=KEYS[name][0])


def consent_of(name, *, policy=POLICY, client_id=3, of=None):
    return PolicyConsent.of(policy, client_id, certificate_of(of or name))


def signed(name, **how):
    return sign_consent(consent_of(name, **how), KEYS[name][0])


def named(digest):
    return "ni:///sha-256;" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


@BY_ALL
def test_a_signed_consent_is_its_principals(name):
    assert consent_of(name).is_given_by(signed(name))


@BY_ALL
def test_it_is_the_signed_statement_that_the_module_documents(name):
    message = cbor2.loads(signed(name))
    protected, unprotected, payload, signature = message.value
    digest = hashlib.sha256(certificate_of(name)).digest()
    assert message.tag == 18
    assert unprotected == {}
    assert cbor2.loads(protected) == {
        1: KEYS[name][1],
        3: "application/vnd.veracruz.consent+cbor",
        15: {1: named(digest), 2: named(POLICY)},
        34: [-16, digest],
    }
    assert cbor2.loads(payload) == {0: "veracruz-consent-v1", 1: POLICY, 2: 3, 3: digest}
    assert len(signature) == consent_of(name).form.size


def prime(bits, offset):
    """The prime of so many bits of RFC 7919: of the digits of e, the first that is one."""
    term = digits = 1 << (bits - 66)
    number = 0
    while term:
        number += 1
        term //= number
        digits += term
    return (1 << bits) - (1 << bits - 64) + (((digits >> 64) + offset) << 64) - 1


def rsa_of_8192_bits():
    """A key of the largest size, of primes that need not be sought."""
    p, q, public = prime(6144, 15705020), prime(2048, 560316), 65537
    private = pow(public, -1, (p - 1) * (q - 1))
    parts = (private % (p - 1), private % (q - 1), pow(q, -1, p))
    numbers = rsa.RSAPrivateNumbers(p, q, private, *parts, rsa.RSAPublicNumbers(public, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def test_the_longest_fits():
    key = rsa_of_8192_bits()
    consent = PolicyConsent.of(POLICY, 2**32 - 1, certificate("longest", key=key))
    message = sign_consent(consent, key)
    assert consent.is_given_by(message)
    assert len(message) < MAX_CONSENT_BYTES / 2


@BY_ALL
def test_one_to_another_policy_by_another_or_under_another_number_is_not(name):
    consent = consent_of(name)
    assert not consent.is_given_by(signed(name, policy=bytes(32)))
    assert not consent.is_given_by(signed(name, client_id=4))
    for other in KEYS.keys() - {name}:
        assert not consent.is_given_by(signed(other))


def test_a_signature_by_another_key_of_the_same_kind_is_not():
    stranger = ec.generate_private_key(ec.SECP256R1())
    of_stranger = PolicyConsent.of(POLICY, 3, certificate("stranger", key=stranger))
    forged = consent_of("ES256").envelope + sign_consent(of_stranger, stranger)[-64:]
    assert not consent_of("ES256").is_given_by(forged)


@BY_ALL
@given(data=st.data())
def test_no_single_bit_of_it_can_be_changed(name, data):
    message = bytearray(signed(name))
    bit = data.draw(st.integers(0, len(message) * 8 - 1))
    message[bit // 8] ^= 1 << bit % 8
    assert not consent_of(name).is_given_by(bytes(message))


@BY_ALL
@given(junk=st.binary(max_size=300))
def test_arbitrary_bytes_are_none(name, junk):
    assert not consent_of(name).is_given_by(junk)
    assert not consent_of(name).is_given_by(consent_of(name).envelope + junk)


@BY_ALL
def test_nor_is_it_shortened_or_lengthened(name):
    message = signed(name)
    for wrong in (message[:-1], message + b"\0", message[1:], b""):
        assert not consent_of(name).is_given_by(wrong)


def test_nobody_signs_for_another():
    with pytest.raises(WritingError, match="not that of the certificate"):
        sign_consent(consent_of("ES256"), KEYS["EdDSA"][0])


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256K1()), ed448.Ed448PrivateKey.generate()]
)
def test_a_key_of_another_kind_signs_none(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other")])
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, moment, moment)
    algorithm = None if isinstance(key, ed448.Ed448PrivateKey) else hashes.SHA256()
    other = builder.sign(key, algorithm).public_bytes(Encoding.DER)
    with pytest.raises(WritingError):
        PolicyConsent.of(POLICY, 3, other)


@BY_ALL
def test_others_sign_the_same_thing(name):
    """By `cbor2` and `cryptography`, as a tool that knows the format and none of our code."""
    key, algorithm = KEYS[name]
    digest = hashlib.sha256(certificate_of(name)).digest()
    header = {
        1: algorithm,
        3: "application/vnd.veracruz.consent+cbor",
        15: {1: named(digest), 2: named(POLICY)},
        34: [-16, digest],
    }
    protected = cbor2.dumps(header, canonical=True)
    payload = cbor2.dumps({0: "veracruz-consent-v1", 1: POLICY, 2: 3, 3: digest}, canonical=True)
    data = cbor2.dumps(["Signature1", protected, b"", payload])
    elements = [protected, {}, payload, raw_signature(key, data)]
    message = cbor2.dumps(cbor2.CBORTag(18, elements))
    assert consent_of(name).is_given_by(message)


def raw_signature(key, data):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    by_size = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    der = key.sign(data, ec.ECDSA(by_size[key.key_size]))
    return b"".join(part.to_bytes((key.key_size + 7) // 8) for part in decode_dss_signature(der))
