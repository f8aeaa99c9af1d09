import hashlib

import pytest

from psa_attestation.errors import ErrorCode, Stage
from psa_attestation.evidence.software import mint_software_evidence
from psa_attestation.tokens.claims import Claims, SoftwareComponent
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.runtime import RuntimeClaims, mint_runtime_token
from psa_attestation.tokens.token import read_unverified_claims, verify_token
from support.psa_tokens import CHALLENGE, DEVICE, DEVICE_384, INSTANCE, key_for, refused
from veracruz_utils.policy import IsolationLayer

RUNTIME = {
    "challenge": CHALLENGE,
    "platform": "linux-software-root",
    "runtime_measurement": b"\x11" * 32,
    "runtime_version": "0.1.0",
    "certificate_digest": b"\x22" * 32,
    "policy_digest": b"\x33" * 32,
    "isolation": frozenset({IsolationLayer.SECCOMP, IsolationLayer.LANDLOCK}),
}
TOKEN = mint_runtime_token(key=DEVICE, **RUNTIME)
CLAIMS = verify_token(TOKEN, key_for=key_for, nonce=CHALLENGE)


def changed(**changes):
    return Claims(**{name: getattr(CLAIMS, name) for name in Claims.__slots__} | changes)


def test_a_token_says_everything_about_its_runtime():
    assert RuntimeClaims.of(CLAIMS) == RuntimeClaims(
        platform="linux-software-root",
        measurement=b"\x11" * 32,
        version="0.1.0",
        certificate_digest=b"\x22" * 32,
        policy_digest=b"\x33" * 32,
        instance_id=INSTANCE,
        challenge=CHALLENGE,
        isolation=frozenset({IsolationLayer.SECCOMP, IsolationLayer.LANDLOCK}),
    )


def test_a_token_that_does_not_say_leaves_no_layer_known():
    assert RuntimeClaims.of(changed(isolation=None)).isolation == frozenset()


@pytest.mark.parametrize("layers", [frozenset(), frozenset(IsolationLayer)])
def test_a_token_says_all_layers_and_says_none(layers):
    token = mint_runtime_token(key=DEVICE, **RUNTIME | {"isolation": layers})
    claims = verify_token(token, key_for=key_for, nonce=CHALLENGE)
    assert claims.isolation == layers
    assert RuntimeClaims.of(claims).isolation == layers


def test_a_token_is_laid_out_as_agreed():
    assert CLAIMS.client_id == 1
    assert CLAIMS.lifecycle == 0x3000
    assert CLAIMS.implementation_id == (
        hashlib.sha256(b"veracruz-platform:linux-software-root").digest()
    )
    assert CLAIMS.software_components == (
        SoftwareComponent(
            b"\x11" * 32, hashlib.sha256(b"veracruz-unsigned").digest(), "ARoT", "0.1.0", "sha-256"
        ),
    )


def test_a_token_carries_the_instance_id_of_its_key():
    token = mint_runtime_token(key=DEVICE_384, **RUNTIME)
    assert read_unverified_claims(token).instance_id == instance_id_of(DEVICE_384.public_key())


def test_a_token_fits_the_wire():
    largest = {"challenge": bytes(64), "isolation": frozenset(IsolationLayer)}
    assert len(mint_runtime_token(key=DEVICE, **RUNTIME | largest)) < 4096


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"challenge": bytes(31)}, ErrorCode.NONCE_LENGTH),
        ({"platform": "x" * 65}, ErrorCode.CLAIM_VALUE),
        ({"runtime_measurement": bytes(20)}, ErrorCode.HASH_LENGTH),
        ({"certificate_digest": bytes(48)}, ErrorCode.CLAIM_VALUE),
        ({"policy_digest": b""}, ErrorCode.CLAIM_VALUE),
    ],
)
def test_nothing_malformed_is_minted(change, code):
    with refused(code, Stage.CLAIMS):
        mint_runtime_token(key=DEVICE, **RUNTIME | change)


@pytest.mark.parametrize(
    "changes",
    [
        {"platform": None},
        {"platform": "sgx"},
        {"implementation_id": bytes(32)},
        {"certificate_digest": None},
        {"policy_digest": None},
        {"software_components": ()},
        {"software_components": CLAIMS.software_components * 2},
        {"software_components": (SoftwareComponent(bytes(32), bytes(32), "PRoT", "1"),)},
        {"software_components": (SoftwareComponent(bytes(32), bytes(32), "ARoT"),)},
    ],
)
def test_claims_that_are_not_about_one_runtime_are_refused(changes):
    with refused(ErrorCode.TYPE_CONFUSION, Stage.BINDING):
        RuntimeClaims.of(changed(**changes))


def test_evidence_of_the_root_attester_is_not_about_a_runtime():
    evidence = mint_software_evidence(
        root_key=DEVICE, measurement=bytes(32), version="1", binding=CHALLENGE
    )
    with refused(ErrorCode.TYPE_CONFUSION):
        RuntimeClaims.of(read_unverified_claims(evidence))
