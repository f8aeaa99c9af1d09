"""Asking the bridge and Tabasco over real gRPC, and keeping the answer."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

import colima
from colima import sinaloa
from durango import (
    AttestationFileError,
    GateCheck,
    GateError,
    ProtocolError,
    SavedAttestation,
    TabascoKeyError,
    attest,
    parse_tabasco_key,
)
from psa_attestation.cbor.encoding import encode
from support.patience import PATIENCE_S
from support.principal_rig import key_der, key_pem, now
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import RefusedError, UnreachableError

NOWHERE = Address("127.0.0.1", 1)


def test_an_honest_isolate_is_attested(rig):
    found = attest(rig.isolate.policy)
    assert found.certificate_digest == Digest.of(rig.isolate.identity.certificate)
    assert found.policy_digest == rig.isolate.policy.digest


def test_every_attestation_has_a_challenge_of_its_own(rig):
    challenges = {attest(rig.isolate.policy).evidence.challenge for _ in range(3)}
    assert len(challenges) == 3
    assert {len(challenge) for challenge in challenges} == {32}


def test_a_replayed_token_does_not_get_past_tabasco(rig):
    old = attest(rig.isolate.policy).evidence.token
    rig.attest_raw = lambda _: colima.encode(sinaloa.AttestResponse(old))
    with pytest.raises(RefusedError, match="tabasco at 127"):
        attest(rig.isolate.policy)


def test_a_replayed_result_does_not_get_past_the_gate(rig):
    old = attest(rig.isolate.policy).evidence
    rig.spoil_ear = lambda ear: replace(ear, nonce=old.challenge)
    with pytest.raises(GateError) as caught:
        attest(rig.isolate.policy)
    assert caught.value.check == GateCheck.RESULT_CHALLENGE


def test_an_isolate_with_another_policy_is_refused(rig):
    mine = rig.isolate.policy
    rig.launch(rig.policy(debug=True))
    with pytest.raises(GateError) as caught:
        attest(mine)
    assert caught.value.check == GateCheck.POLICY


@pytest.mark.parametrize("answer", [b"", b"\xff" * 100, b"\x0a\x05abc"])
def test_a_bridge_that_talks_nonsense_is_named(rig, answer):
    rig.attest_raw = lambda _: answer
    with pytest.raises((ProtocolError, RefusedError), match=r"(sinaloa|tabasco) at 127"):
        attest(rig.isolate.policy)


def test_a_bridge_that_is_down_is_named_with_a_remedy(rig):
    with pytest.raises(UnreachableError, match=r"sinaloa at 127\.0\.0\.1:1 cannot be reached"):
        attest(rig.isolate.policy, sinaloa=NOWHERE)


def test_a_tabasco_that_is_down_is_named_with_a_remedy(rig):
    with pytest.raises(UnreachableError, match=r"tabasco at 127\.0\.0\.1:1 cannot be reached"):
        attest(rig.isolate.policy, tabasco=NOWHERE)


def test_a_bridge_that_does_not_answer_is_given_up(rig):
    answered = threading.Event()
    rig.attest_raw = lambda _: bytes(answered.wait(PATIENCE_S))
    try:
        with pytest.raises(UnreachableError, match="did not answer in time"):
            attest(rig.isolate.policy, timeout_s=0.1)
    finally:
        answered.set()


def test_a_policy_of_2021_needs_tabascos_key_from_elsewhere(rig):
    policy = rig.launch(rig.policy_2021())
    with pytest.raises(TabascoKeyError, match="--tabasco-key"):
        attest(policy)
    key = key_der(rig.attester.tabasco_key)
    assert attest(policy, tabasco_key=key).policy_digest == policy.digest


def test_a_given_key_never_replaces_the_policys(rig):
    stranger = key_der(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(TabascoKeyError, match="the policy names"):
        attest(rig.isolate.policy, tabasco_key=stranger)
    same = key_der(rig.attester.tabasco_key)
    assert attest(rig.isolate.policy, tabasco_key=same)


def test_a_saved_attestation_is_judged_anew(rig):
    policy = rig.isolate.policy
    attestation = attest(policy)
    saved = SavedAttestation.parse(SavedAttestation.of(attestation, at=now()).to_bytes())
    assert saved.verify(policy, at=now()) == attestation
    with pytest.raises(GateError, match="result time"):
        saved.verify(policy, at=now() + timedelta(hours=1))
    with pytest.raises(GateError, match="policy"):
        saved.verify(rig.policy(debug=True), at=now())


def test_a_saved_attestation_is_nothing_without_tabascos_signature(rig):
    saved = SavedAttestation.of(attest(rig.isolate.policy), at=now())
    forger = ec.generate_private_key(ec.SECP256R1())
    rig.attester.tabasco_key, honest = forger, rig.attester.tabasco_key
    ear = rig.attester.ear(saved.evidence.token, saved.evidence.challenge, now())
    forged = replace(saved, evidence=replace(saved.evidence, result=rig.attester.result(ear)))
    rig.attester.tabasco_key = honest
    with pytest.raises(GateError, match="result signature"):
        forged.verify(rig.isolate.policy, at=now())


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_attestation_file(data):
    with pytest.raises(AttestationFileError):
        SavedAttestation.parse(data)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "veracruz-attestation-2"},
        {"challenge": "text"},
        {"attested_at": -1},
        {"attested_at": 1 << 60},
        {"more": 1},
    ],
)
def test_a_file_of_another_make_is_no_attestation_file(change):
    members = {
        "format": "veracruz-attestation-1",
        "challenge": b"c" * 32,
        "token": b"t",
        "result": b"r",
        "attested_at": 1_800_000_000,
    }
    assert SavedAttestation.parse(encode(members))
    with pytest.raises(AttestationFileError):
        SavedAttestation.parse(encode(members | change))


def test_tabascos_key_is_read_from_pem():
    key = ec.generate_private_key(ec.SECP256R1())
    assert parse_tabasco_key(key_pem(key), name="key") == key_der(key)


def test_what_is_not_tabascos_public_key_is_told_apart():
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(TabascoKeyError, match="holds a private key"):
        parse_tabasco_key(private, name="file.pem")
    with pytest.raises(TabascoKeyError, match="is not a public key in PEM"):
        parse_tabasco_key(b"hello", name="file.pem")
    with pytest.raises(TabascoKeyError, match="P-256"):
        parse_tabasco_key(key_pem(ec.generate_private_key(ec.SECP384R1())), name="file.pem")
