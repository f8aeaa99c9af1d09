"""Public areas of keys: what makes one an attestation key, attribute by attribute."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tpm_keys import ATTRIBUTES, der, ecc_area
from support.tpm_quotes import EC_KEY, rsa_key, sized
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.tpm.key_area import attestation_key

MODULUS = rsa_key().public_key().public_numbers().n


def rsa_area(*, bits=2048, exponent=0, scheme=b"\x00\x14\x00\x0b", kind=1, modulus=MODULUS):
    return (
        struct.pack(">HHI", kind, 0x0B, ATTRIBUTES) + sized(b"") + b"\x00\x10" + scheme
        + struct.pack(">HI", bits, exponent) + sized(modulus.to_bytes(256))
    )  # fmt: skip


def refusal(call):
    with pytest.raises(EvidenceError) as caught:
        call()
    return caught.value


def flipped(bit):
    area = bytearray(ecc_area())
    area[bit // 8 % len(area)] ^= 1 << bit % 8
    return bytes(area)


@pytest.mark.parametrize(
    ("area", "key"),
    [(ecc_area(), EC_KEY), (ecc_area(policy=bytes(64)), EC_KEY), (rsa_area(), rsa_key()),
     (rsa_area(exponent=65537), rsa_key())],
)  # fmt: skip
def test_a_restricted_signing_key_is_one_by_its_name(area, key):
    found = attestation_key(area)
    assert found.public_key == der(key)
    assert found.name == b"\x00\x0b" + hashlib.sha256(area).digest()


def test_the_name_is_by_the_hash_that_the_area_names():
    area = ecc_area(name_hash=0x0C)
    assert attestation_key(area).name == b"\x00\x0c" + hashlib.sha384(area).digest()


def test_who_may_use_it_is_for_its_owner_to_say():
    area = ecc_area(attributes=ATTRIBUTES & ~(1 << 6) | 1 << 7 | 1 << 2, policy=bytes(32))
    assert attestation_key(area).public_key == der(EC_KEY)


@pytest.mark.parametrize(
    ("bit", "said"),
    [
        (1, "not fixedTPM"),
        (4, "not fixedParent"),
        (5, "not sensitiveDataOrigin"),
        (16, "not restricted"),
        (18, "not sign"),
        (17, "is decrypt"),
        (19, "is x509sign"),
        *((bit, "not known here") for bit in (0, 3, 8, 9, 12, 13, 14, 15, *range(20, 32))),
    ],
)
def test_every_other_attribute_makes_it_none(bit, said):
    error = refusal(lambda: attestation_key(ecc_area(attributes=ATTRIBUTES ^ 1 << bit)))
    assert (error.fault, error.stage) == (Fault.ATTRIBUTES, VerificationStage.BINDING)
    assert said in error.detail


@pytest.mark.parametrize(
    ("area", "said"),
    [
        (ecc_area(scheme=b"\x00\x10"), "scheme 0x0010"),
        (ecc_area(scheme=b"\x00\x14\x00\x0b"), "scheme 0x0014"),
        (ecc_area(scheme=b"\x00\x18\x00\x04"), "hash 0x0004"),
        (ecc_area(name_hash=0x04), "hash 0x0004"),
        (ecc_area(symmetric=b"\x00\x06\x00\x80\x00\x43"), "symmetric algorithm"),
        (ecc_area(curve=2), "another curve"),
        (ecc_area(kdf=0x20), "derives keys"),
        (rsa_area(scheme=b"\x00\x18\x00\x0b"), "scheme 0x0018"),
        (rsa_area(scheme=b"\x00\x15\x00\x0b"), "scheme 0x0015"),
        (rsa_area(kind=8), "type 0x0008"),
    ],
)
def test_a_key_of_another_kind_is_none(area, said):
    error = refusal(lambda: attestation_key(area))
    assert error.fault is Fault.ATTRIBUTES
    assert said in error.detail


@pytest.mark.parametrize(
    "area",
    [ecc_area(x=5), ecc_area(policy=bytes(65)), rsa_area(bits=3072), rsa_area(exponent=3),
     rsa_area(exponent=65536), rsa_area(exponent=65538), rsa_area(bits=3, modulus=5), b"",
     bytes(2000)],
)  # fmt: skip
def test_what_is_no_key_is_malformed(area):
    assert refusal(lambda: attestation_key(area)).fault in {Fault.MALFORMED, Fault.ATTRIBUTES}


def test_nothing_may_follow_or_be_missing():
    area = ecc_area()
    assert refusal(lambda: attestation_key(area + b"\0")).fault is Fault.TRAILING_BYTES
    for end in range(len(area)):
        assert refusal(lambda end=end: attestation_key(area[:end])).fault in {
            Fault.MALFORMED,
            Fault.ATTRIBUTES,
        }


@given(st.binary(max_size=200) | st.integers(0, 7 * 90).map(flipped))
def test_any_bytes_are_a_key_or_refused(data):
    try:
        attestation_key(data)
    except EvidenceError:
        return
