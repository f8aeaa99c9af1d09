"""The gate: one honest passage, and for every checked field an attestation that lies about it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from durango import Evidence, GateCheck, GateError, judge
from durango.chain import chain_lines
from psa_attestation.cose.signing import sign1
from psa_attestation.evidence.software import implementation_id_of
from psa_attestation.results.appraisal import Appraisal, Tier
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import VerifierId
from psa_attestation.tokens.claims import SoftwareComponent
from psa_attestation.tokens.claims_codec import encode_claims
from psa_attestation.tokens.token import mint_token
from support.principal_rig import DAY, MEASUREMENT, Attester, Rig, key_der, now
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    AcceptedPlatform,
    IsolationLayer,
    PinnedRegister,
    Policy,
)

ATTESTER = Attester()
RIG = Rig(ATTESTER)
POLICY = RIG.policy()
CHALLENGE = b"c" * 32
CERTIFICATE = b"the isolate's certificate"
AT = now()
HONEST = ATTESTER.claims(CHALLENGE, CERTIFICATE, POLICY.digest)


def evidence(*, claims=HONEST, ear=None, token=None, challenge=CHALLENGE) -> Evidence:
    """An attestation over `claims`, whose result `ear` makes from the honest one."""
    token = ATTESTER.token(claims) if token is None else token
    honest = ATTESTER.ear(token, CHALLENGE, AT)
    return Evidence(challenge, token, ATTESTER.result(ear(honest) if ear else honest))


def judged(found: Evidence, *, policy=POLICY, at=AT, key=None):
    return judge(found, policy, tabasco_key=key or key_der(ATTESTER.tabasco_key), at=at)


def refused(check: GateCheck, found: Evidence, **how) -> GateError:
    with pytest.raises(GateError) as caught:
        judged(found, **how)
    assert caught.value.check == check
    assert caught.value.exit_code == 3
    return caught.value


def test_an_honest_attestation_passes_and_says_what_was_checked():
    found = judged(evidence())
    assert found.platform == LINUX_SOFTWARE
    assert found.measurement == MEASUREMENT
    assert found.version == "0.1.0"
    assert found.certificate_digest == Digest.of(CERTIFICATE)
    assert found.policy_digest == POLICY.digest
    assert found.instance_id == HONEST.instance_id
    assert found.verifier == "veracruz tabasco 0.1.0"
    assert (found.issued_at, found.expires_at) == (AT, AT + timedelta(seconds=300))
    assert [passed.check for passed in found.checks] == [
        GateCheck.RESULT_SIGNATURE,
        GateCheck.RESULT_CHALLENGE,
        GateCheck.RESULT_TIME,
        GateCheck.RESULT_SUBJECT,
        GateCheck.RESULT_STATUS,
        GateCheck.TOKEN_CHALLENGE,
        GateCheck.PLATFORM,
        GateCheck.MEASUREMENT,
        GateCheck.POLICY,
        GateCheck.LIFECYCLE,
        GateCheck.ISOLATION,
        GateCheck.CERTIFICATE,
    ]


def test_whatever_names_the_software_root_says_that_it_protects_nothing_against_the_owner():
    (platform,) = [
        found for found in judged(evidence()).checks if found.check == GateCheck.PLATFORM
    ]
    assert "software root of trust" in platform.found
    assert "protects nothing against the owner" in platform.found


# (1) the signature


def test_a_result_signed_by_another_key_is_refused():
    stranger = ec.generate_private_key(ec.SECP256R1())
    token = ATTESTER.token(HONEST)
    forged = Evidence(CHALLENGE, token, sign_ear(ATTESTER.ear(token, CHALLENGE, AT), stranger))
    error = refused(GateCheck.RESULT_SIGNATURE, forged)
    assert str(Digest.of(key_der(ATTESTER.tabasco_key))) in str(error)


def test_a_result_that_is_the_token_itself_is_refused():
    token = ATTESTER.token(HONEST)
    refused(GateCheck.RESULT_SIGNATURE, Evidence(CHALLENGE, token, token))


def test_a_token_that_tabascos_own_key_signed_is_still_no_result():
    token = mint_token(HONEST, ATTESTER.tabasco_key)
    refused(GateCheck.RESULT_FORM, Evidence(CHALLENGE, token, token))


@pytest.mark.parametrize("result", [b"", b"\xd2\x84", b"not cbor"])
def test_a_result_that_is_garbage_is_refused(result):
    refused(GateCheck.RESULT_SIGNATURE, Evidence(CHALLENGE, ATTESTER.token(HONEST), result))


def test_every_flipped_bit_of_a_result_is_refused():
    honest = evidence()
    for index in range(len(honest.result)):
        spoilt = bytearray(honest.result)
        spoilt[index] ^= 1
        with pytest.raises(GateError):
            judged(replace(honest, result=bytes(spoilt)))


@pytest.mark.parametrize("key", [b"", b"no key", key_der(ec.generate_private_key(ec.SECP384R1()))])
def test_a_pinned_key_that_is_no_p256_key_is_refused(key):
    with pytest.raises(GateError) as caught:
        judge(evidence(), POLICY, tabasco_key=key, at=AT)
    assert caught.value.check == GateCheck.RESULT_SIGNATURE


# (2) the result's challenge


def test_a_result_for_another_challenge_is_refused_as_a_replay():
    error = refused(GateCheck.RESULT_CHALLENGE, evidence(ear=lambda e: replace(e, nonce=b"x" * 32)))
    assert CHALLENGE.hex() in str(error)
    assert (b"x" * 32).hex() in str(error)


def test_a_result_without_a_challenge_is_refused():
    refused(GateCheck.RESULT_FORM, evidence(ear=lambda e: replace(e, nonce=None)))


# (3) the result's time


def test_an_expired_result_is_refused():
    error = refused(GateCheck.RESULT_TIME, evidence(), at=AT + timedelta(seconds=331))
    assert "expired" in str(error)


def test_a_result_from_the_future_is_refused():
    refused(GateCheck.RESULT_TIME, evidence(), at=AT - timedelta(seconds=31))


def test_clocks_may_differ_by_half_a_minute():
    assert judged(evidence(), at=AT - timedelta(seconds=30))
    assert judged(evidence(), at=AT + timedelta(seconds=329))


# (4) what the result is about


def test_a_result_on_another_token_is_refused():
    other = ATTESTER.token(replace(HONEST, boot_seed=b"another boot"))
    error = refused(
        GateCheck.RESULT_SUBJECT, evidence(ear=lambda e: replace(e, raw_evidence=other))
    )
    assert str(Digest.of(other)) in str(error)
    assert str(Digest.of(ATTESTER.token(HONEST))) not in str(error)  # signatures are random


def test_a_result_that_does_not_say_what_it_is_about_is_refused():
    refused(GateCheck.RESULT_SUBJECT, evidence(ear=lambda e: replace(e, raw_evidence=None)))


# (5) the status


@pytest.mark.parametrize("status", [Tier.NONE, Tier.WARNING, Tier.CONTRAINDICATED])
def test_a_result_that_does_not_affirm_is_refused(status):
    submods = {"runtime": Appraisal(status)}
    error = refused(GateCheck.RESULT_STATUS, evidence(ear=lambda e: replace(e, submods=submods)))
    assert status.name.lower() in str(error)


def test_one_part_that_is_not_affirmed_spoils_the_whole():
    submods = {"runtime": Appraisal(Tier.AFFIRMING), "root": Appraisal(Tier.WARNING)}
    error = refused(GateCheck.RESULT_STATUS, evidence(ear=lambda e: replace(e, submods=submods)))
    assert "'root'" in str(error)


# (6) to (12) the token


@pytest.mark.parametrize("token", [b"", b"\xd2", b"x" * 100])
def test_a_token_that_is_garbage_is_refused_even_if_tabasco_vouches_for_it(token):
    refused(GateCheck.TOKEN_FORM, evidence(token=token))


def test_a_token_over_another_challenge_is_refused_as_a_replay():
    old = replace(HONEST, nonce=b"o" * 32)
    error = refused(GateCheck.TOKEN_CHALLENGE, evidence(claims=old))
    assert CHALLENGE.hex() in str(error)
    assert (b"o" * 32).hex() in str(error)


def test_a_platform_the_policy_does_not_name_is_refused():
    other = replace(HONEST, platform="nitro", implementation_id=implementation_id_of("nitro"))
    error = refused(GateCheck.PLATFORM, evidence(claims=other))
    assert "found nitro" in str(error)
    assert LINUX_SOFTWARE in str(error)


def test_the_software_root_does_not_pass_for_hardware():
    policy = RIG.policy(platforms=[AcceptedPlatform("nitro", frozenset({MEASUREMENT}))])
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    error = refused(GateCheck.PLATFORM, evidence(claims=claims), policy=policy)
    assert "software root of trust" in str(error)
    assert "expected nitro" in str(error)


def test_a_token_that_names_no_platform_is_refused():
    refused(GateCheck.TOKEN_FORM, evidence(claims=replace(HONEST, platform=None)))


def test_a_measurement_the_policy_does_not_name_is_refused():
    component = replace(HONEST.software_components[0], measurement=b"m" * 32)
    error = refused(
        GateCheck.MEASUREMENT, evidence(claims=replace(HONEST, software_components=(component,)))
    )
    assert (b"m" * 32).hex() in str(error)
    assert MEASUREMENT.hex() in str(error)


def test_a_measurement_named_for_another_platform_only_is_refused():
    policy = RIG.policy(
        platforms=[
            AcceptedPlatform(LINUX_SOFTWARE, frozenset({b"l" * 32})),
            AcceptedPlatform("nitro", frozenset({MEASUREMENT})),
        ]
    )
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    refused(GateCheck.MEASUREMENT, evidence(claims=claims), policy=policy)


# (9) the machine

PCR4, PCR11 = b"\x44" * 32, b"\x11" * 32
ON_TPM = RIG.policy(
    platforms=[
        AcceptedPlatform(
            "tpm",
            frozenset({MEASUREMENT}),
            (
                PinnedRegister("pcr4", frozenset({PCR4, b"\x55" * 32})),
                PinnedRegister("pcr11", frozenset({PCR11})),
            ),
        )
    ]
)
TOLD = {"pcr0": bytes(32), "pcr4": PCR4, "pcr11": PCR11}


def on_tpm(machine, *, policy=ON_TPM, submods=None):
    """An attestation of an isolate in a machine of which a TPM measured this."""
    claims = replace(
        ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest),
        platform="tpm",
        implementation_id=implementation_id_of("tpm"),
    )
    told = submods or {"runtime": Appraisal(Tier.AFFIRMING, machine=machine)}
    return evidence(claims=claims, ear=lambda honest: replace(honest, submods=told))


def test_a_machine_that_was_measured_as_the_policy_says_passes_register_by_register():
    found = judged(on_tpm(TOLD), policy=ON_TPM)
    checks = [each for each in found.checks if each.check == GateCheck.MACHINE]
    assert [each.found for each in checks] == [f"pcr4 {PCR4.hex()}", f"pcr11 {PCR11.hex()}"]
    assert "my policy names for pcr4 on tpm" in checks[0].against
    assert [(each.name, each.value, each.pinned) for each in found.machine] == [
        ("pcr0", bytes(32), False),
        ("pcr4", PCR4, True),
        ("pcr11", PCR11, True),
    ]


def test_any_of_the_values_of_a_register_will_do():
    assert judged(on_tpm(TOLD | {"pcr4": b"\x55" * 32}), policy=ON_TPM)


@pytest.mark.parametrize("register", ["pcr4", "pcr11"])
@pytest.mark.parametrize("value", [bytes(32), b"\x44" * 31 + b"\x45", b"\x44" * 48])
def test_another_value_of_a_register_is_refused_with_both_and_the_remedy(register, value):
    error = refused(GateCheck.MACHINE, on_tpm(TOLD | {register: value}), policy=ON_TPM)
    assert f"found {register} {value.hex()}" in str(error)
    for accepted in {"pcr4": [PCR4, b"\x55" * 32], "pcr11": [PCR11]}[register]:
        assert accepted.hex() in error.expected
    assert "which my policy names for tpm" in error.expected
    assert "sonora machine measure" in error.remedy


def test_values_of_two_registers_do_not_change_places():
    swapped = TOLD | {"pcr4": PCR11, "pcr11": PCR4}
    refused(GateCheck.MACHINE, on_tpm(swapped), policy=ON_TPM)


@pytest.mark.parametrize(
    ("machine", "tells"),
    [
        ({}, "it tells nothing of the machine"),
        ({"pcr4": PCR4}, "does not tell pcr11: it tells pcr4"),
        ({"pcr11": PCR11}, "does not tell pcr4"),
        ({"PCR4": PCR4, "pcr11": PCR11}, "does not tell pcr4"),
    ],
)
def test_a_register_that_is_not_told_is_refused(machine, tells):
    error = refused(GateCheck.MACHINE, on_tpm(machine), policy=ON_TPM)
    assert tells in error.found
    assert "enrol again" in error.remedy


def test_a_machine_told_of_two_parts_counts_for_none():
    part = Appraisal(Tier.AFFIRMING, machine=TOLD)
    for submods in ({"runtime": part, "other": part}, {"runtime": part, "zero": part}):
        refused(GateCheck.MACHINE, on_tpm({}, submods=submods), policy=ON_TPM)
    alone = {"runtime": part, "other": Appraisal(Tier.AFFIRMING)}
    assert judged(on_tpm({}, submods=alone), policy=ON_TPM)


VALUES = [PCR4, PCR11, b"\x55" * 32, bytes(32)]
REGISTERS = st.dictionaries(
    st.sampled_from(["pcr0", "pcr4", "pcr11"]), st.sampled_from(VALUES), max_size=3
)


@settings(deadline=None)
@given(told=REGISTERS, pinned=REGISTERS)
def test_a_machine_passes_when_every_pinned_register_has_its_value_and_only_then(told, pinned):
    registers = tuple(PinnedRegister(name, frozenset({each})) for name, each in pinned.items())
    policy = RIG.policy(platforms=[AcceptedPlatform("tpm", frozenset({MEASUREMENT}), registers)])
    if all(told.get(name) == value for name, value in pinned.items()):
        found = judged(on_tpm(told, policy=policy), policy=policy).machine
        assert {each.name: each.value for each in found} == told
        assert {each.name for each in found if each.pinned} == set(pinned)
    else:
        refused(GateCheck.MACHINE, on_tpm(told, policy=policy), policy=policy)


def test_a_policy_that_pins_nothing_accepts_any_machine_and_tells_what_it_was():
    policy = RIG.policy(platforms=[AcceptedPlatform("tpm", frozenset({MEASUREMENT}))])
    for machine in ({}, TOLD):
        found = judged(on_tpm(machine, policy=policy), policy=policy)
        assert GateCheck.MACHINE not in [each.check for each in found.checks]
        assert {each.name: each.value for each in found.machine} == machine
        assert not any(each.pinned for each in found.machine)


def test_what_is_pinned_on_one_platform_is_not_asked_for_on_another():
    both = RIG.policy(
        platforms=[*ON_TPM.platforms, AcceptedPlatform("nitro", frozenset({MEASUREMENT}))]
    )
    claims = replace(
        ATTESTER.claims(CHALLENGE, CERTIFICATE, both.digest),
        platform="nitro",
        implementation_id=implementation_id_of("nitro"),
    )
    assert judged(evidence(claims=claims), policy=both)


@pytest.mark.parametrize("machine", [TOLD, {}])
def test_both_chains_are_told_from_the_hardware_to_the_key_of_the_isolate(machine):
    policy = RIG.policy(platforms=[AcceptedPlatform("tpm", frozenset({MEASUREMENT}))])
    pinning = ON_TPM if machine else policy
    found = judged(on_tpm(machine, policy=pinning), policy=pinning)
    told = "\n".join(chain_lines(found))
    parts = [
        "hardware root",
        "tpm",
        *([PCR4.hex(), PCR11.hex(), "also measured: pcr0"] if machine else ["nothing is told"]),
        "-> Sonora's key",
        found.instance_id.hex(),
        "-> runtime image",
        MEASUREMENT.hex(),
        "-> isolate",
        str(pinning.digest),
        str(found.certificate_digest),
    ]
    places = [told.index(each) for each in parts]
    assert places == sorted(places)


def test_the_chain_of_the_software_root_begins_with_nothing():
    lines = chain_lines(judged(evidence()))
    assert "none: linux-software-root" in lines[0]
    assert "protects nothing against the owner" in lines[1]
    assert "nothing measures a machine on linux-software-root" in lines[3]


def test_a_second_software_component_is_refused():
    more = SoftwareComponent(b"m" * 32, b"u" * 32, "ARoT", "1", "sha-256")
    both = (*HONEST.software_components, more)
    refused(GateCheck.TOKEN_FORM, evidence(claims=replace(HONEST, software_components=both)))


def test_a_policy_that_differs_by_one_byte_is_refused():
    other = Policy.parse(POLICY.raw + b" ", at=AT)
    error = refused(GateCheck.POLICY, evidence(), policy=other)
    assert str(POLICY.digest) in str(error)
    assert str(other.digest) in str(error)
    assert "byte for byte" in str(error)


def test_a_token_without_a_policy_is_refused():
    refused(GateCheck.TOKEN_FORM, evidence(claims=replace(HONEST, policy_digest=None)))


@pytest.mark.parametrize("lifecycle", [0x0000, 0x1000, 0x2000, 0x4000, 0x5000, 0x6000])
def test_an_isolate_that_is_not_secured_is_refused_even_under_a_debug_policy(lifecycle):
    policy = RIG.policy(debug=True)
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    error = refused(
        GateCheck.LIFECYCLE, evidence(claims=replace(claims, lifecycle=lifecycle)), policy=policy
    )
    assert "expected secured" in str(error)


@pytest.mark.parametrize("layer", IsolationLayer)
def test_an_isolate_that_lacks_a_layer_the_policy_asks_for_is_refused(layer):
    policy = RIG.policy(isolation=frozenset(IsolationLayer))
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    others = frozenset(IsolationLayer) - {layer}
    error = refused(
        GateCheck.ISOLATION, evidence(claims=replace(claims, isolation=others)), policy=policy
    )
    found, _, expected = str(error).partition("expected")
    assert layer not in found
    assert all(other in found for other in others)
    assert f"{layer} is not in force" in expected
    assert "sonora doctor" in expected
    every = replace(claims, isolation=frozenset(IsolationLayer))
    assert judged(evidence(claims=every), policy=policy).isolation == frozenset(IsolationLayer)


@pytest.mark.parametrize("isolation", [None, frozenset()])
def test_an_isolate_of_which_no_layer_is_known_is_refused(isolation):
    error = refused(GateCheck.ISOLATION, evidence(claims=replace(HONEST, isolation=isolation)))
    assert "found no layer" in str(error)


def test_more_layers_than_the_policy_asks_for_are_welcome():
    policy = RIG.policy(isolation=frozenset({IsolationLayer.SECCOMP}))
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    every = replace(claims, isolation=frozenset(IsolationLayer))
    assert judged(evidence(claims=every), policy=policy)


def test_a_policy_that_asks_for_no_layer_accepts_an_isolate_without_any():
    policy = RIG.policy(isolation=frozenset())
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    found = judged(evidence(claims=replace(claims, isolation=None)), policy=policy)
    assert found.isolation == frozenset()


def test_a_layer_that_this_version_does_not_know_is_not_read():
    payload = encode_claims(HONEST).replace(b"not-dumpable", b"not-readable")
    refused(GateCheck.TOKEN_FORM, evidence(token=sign1(payload, ATTESTER.sonora_key)))


def test_a_token_without_a_certificate_is_refused():
    refused(GateCheck.TOKEN_FORM, evidence(claims=replace(HONEST, certificate_digest=None)))


def test_a_hostile_verifier_name_does_not_reach_the_terminal_raw():
    name = VerifierId("\x1b[2Jevil", "1")
    found = judged(evidence(ear=lambda e: replace(e, verifier=name)))
    assert "\x1b" not in found.verifier


@settings(max_examples=50, deadline=None)
@given(challenge=st.binary(max_size=64), token=st.binary(max_size=64), result=st.binary())
def test_arbitrary_evidence_is_refused_and_nothing_else_happens(challenge, token, result):
    with pytest.raises(GateError):
        judged(Evidence(challenge, token, result))


def test_the_policy_of_2021_passes_the_same_gate():
    policy = RIG.policy_2021()
    claims = ATTESTER.claims(CHALLENGE, CERTIFICATE, policy.digest)
    assert judged(evidence(claims=claims), policy=policy).policy_digest == policy.digest


def test_a_later_policy_of_the_same_people_is_another_policy():
    later = RIG.policy(expires_at=now() + 2 * DAY)
    refused(GateCheck.POLICY, evidence(), policy=later)
