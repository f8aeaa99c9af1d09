"""Reference values are signed in the form that Tabasco imports, from a key that it knows."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sonora_machine.errors import MachineError
from sonora_machine.measure.corim import sign_reference_values
from sonora_machine.measure.predictions import Prediction
from tabasco.errors import TabascoError
from tabasco.registry.bundles import Provider, read_bundle

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PREDICTIONS = [
    Prediction("tpm", {"pcr4": (b"4" * 32,), "pcr9": (b"9" * 32,)}, (), ""),
    Prediction("tdx", {"rtmr2": (b"a" * 48, b"b" * 48)}, (), ""),
]


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def provider(key):
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Provider("builder", public, 0)


def signed(key):
    return sign_reference_values(
        PREDICTIONS, key, label="machine 0.1.0", signer="builder", at=NOON, lifetime=DAY
    )


def test_tabasco_reads_every_value_under_its_name(key, provider):
    found, bundle = read_bundle(signed(key), [provider], at=NOON)
    assert found is provider
    assert [(str(each.kind), each.measurement, each.value) for each in bundle.values] == [
        ("tpm", "pcr4", b"4" * 32),
        ("tpm", "pcr9", b"9" * 32),
        ("tdx", "rtmr2", b"a" * 48),
        ("tdx", "rtmr2", b"b" * 48),
    ]
    assert {each.label for each in bundle.values} == {"machine 0.1.0"}
    assert {each.not_after for each in bundle.values} == {NOON + DAY}
    assert bundle.version == int(NOON.timestamp())  # a later file replaces this one


def test_it_is_believed_from_its_signer_in_its_time_alone(key, provider):
    other = signed(ec.generate_private_key(ec.SECP256R1()))
    for data, at in ((other, NOON), (signed(key), NOON + 2 * DAY), (signed(key), NOON - DAY)):
        with pytest.raises(TabascoError, match="not signed by a registered provider"):
            read_bundle(data, [provider], at=at)


def test_a_key_on_a_curve_of_which_tabasco_knows_no_provider_is_refused():
    with pytest.raises(MachineError, match=r"the key is on secp384r1, .* on P-256"):
        signed(ec.generate_private_key(ec.SECP384R1()))
