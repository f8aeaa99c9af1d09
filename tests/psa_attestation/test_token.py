import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.lifecycle import Lifecycle
from psa_attestation.tokens.token import (
    MAX_TOKEN_BYTES,
    mint_token,
    read_unverified_claims,
    verify_token,
)
from support.mac0 import mac0
from support.psa_tokens import (
    CHALLENGE,
    DEVICE,
    DEVICE_384,
    DEVICE_521,
    INSTANCE,
    PROFILE_1_CLAIMS,
    STRANGER,
    key_for,
    refused,
    sign1_by_hand,
    with_claims,
)
from veracruz_utils.secret import Secret

CLAIMS = Claims(
    profile=PsaProfile.RFC9783,
    nonce=CHALLENGE,
    client_id=1,
    instance_id=INSTANCE,
    implementation_id=b"\x33" * 32,
    lifecycle=0x3000,
    software_components=(SoftwareComponent(b"\x11" * 32, b"\x22" * 32, "ARoT", "0.1.0"),),
    platform="example",
    certificate_digest=b"\x44" * 32,
    policy_digest=b"\x55" * 32,
)
TOKEN = mint_token(CLAIMS, DEVICE)
MAC_KEY = MacKey(Secret(bytes(32)))


def changed(**changes):
    fields = {name: getattr(CLAIMS, name) for name in Claims.__slots__}
    return Claims(**fields | changes)


def verify(token, **changes):
    return verify_token(token, **{"key_for": key_for, "nonce": CHALLENGE} | changes)


def test_a_minted_token_verifies_to_its_claims():
    assert verify(TOKEN) == CLAIMS


@pytest.mark.parametrize("key", [DEVICE, DEVICE_384, DEVICE_521])
@pytest.mark.parametrize("size", [32, 48, 64])
def test_every_curve_and_every_length_of_challenge_serves(key, size):
    claims = changed(nonce=bytes(size), instance_id=instance_id_of(key.public_key()))
    token = mint_token(claims, key)
    assert verify(token, key_for=lambda _: key.public_key(), nonce=bytes(size)) == claims


def test_a_token_with_a_mac_verifies_with_the_registered_symmetric_key():
    token = mac0(with_claims({}), MAC_KEY)
    assert verify(token, key_for=lambda _: MAC_KEY).instance_id == INSTANCE


def test_the_instance_id_is_looked_up_and_not_recomputed():
    claims = changed(instance_id=b"\x01" + bytes(32))
    token = mint_token(claims, DEVICE)
    keys = {claims.instance_id: DEVICE.public_key()}
    assert verify(token, key_for=keys.get) == claims


class TestOrder:
    """Each token has two faults; the earlier check reports."""

    def test_the_envelope_comes_before_the_claims(self):
        with refused(ErrorCode.TRAILING_BYTES, Stage.ENCODING):
            verify(sign1_by_hand(with_claims({10: b""})) + b"\x00")

    def test_the_claims_come_before_the_key(self):
        with refused(ErrorCode.CLIENT_ID_ZERO, Stage.CLAIMS):
            verify(sign1_by_hand(with_claims({2394: 0})), key_for=lambda _: None)

    def test_a_malformed_token_is_never_looked_up(self):
        asked = []
        with refused(ErrorCode.CLIENT_ID_ZERO):
            verify(sign1_by_hand(with_claims({2394: 0})), key_for=asked.append)
        assert asked == []

    def test_the_key_comes_before_the_signature(self):
        with refused(ErrorCode.UNKNOWN_INSTANCE, Stage.KEY):
            verify(mint_token(CLAIMS, STRANGER), key_for=lambda _: None)

    def test_the_signature_comes_before_freshness(self):
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            verify(mint_token(changed(nonce=bytes(32)), STRANGER))

    def test_freshness_comes_before_the_lifecycle(self):
        with refused(ErrorCode.NONCE_MISMATCH, Stage.FRESHNESS):
            verify(mint_token(changed(nonce=bytes(32), lifecycle=0x5000), DEVICE))

    def test_the_lifecycle_comes_last(self):
        with refused(ErrorCode.LIFECYCLE_UNTRUSTED, Stage.LIFECYCLE):
            verify(mint_token(changed(lifecycle=0x5000), DEVICE))


@pytest.mark.parametrize("nonce", [b"", CHALLENGE[:31], CHALLENGE + b"\x00", bytes(32), bytes(64)])
def test_a_token_for_another_challenge_is_refused(nonce):
    with refused(ErrorCode.NONCE_MISMATCH):
        verify(TOKEN, nonce=nonce)


def test_a_token_of_a_registered_device_signed_by_another_registered_device_is_refused():
    keys = {INSTANCE: DEVICE, instance_id_of(STRANGER.public_key()): STRANGER}
    with refused(ErrorCode.SIGNATURE):
        verify(
            mint_token(CLAIMS, STRANGER),
            key_for=lambda instance_id: keys[instance_id].public_key(),
        )


def test_a_certificate_in_the_header_does_not_make_a_key_trusted():
    token = sign1_by_hand(with_claims({}), STRANGER, unprotected={33: b"\x30\x82", 4: b"kid"})
    with refused(ErrorCode.SIGNATURE):
        verify(token)


def test_a_mac_is_refused_where_a_public_key_is_registered_and_the_reverse():
    with refused(ErrorCode.TYPE_CONFUSION):
        verify(mac0(with_claims({}), MAC_KEY))
    with refused(ErrorCode.TYPE_CONFUSION):
        verify(TOKEN, key_for=lambda _: MAC_KEY)


class TestLifecycle:
    UNTRUSTED = (
        Lifecycle.UNKNOWN,
        Lifecycle.ASSEMBLY_AND_TEST,
        Lifecycle.PSA_ROT_PROVISIONING,
        Lifecycle.RECOVERABLE_PSA_ROT_DEBUG,
        Lifecycle.DECOMMISSIONED,
    )

    @pytest.mark.parametrize("number", [0x3000, 0x3001, 0x30FF])
    def test_secured_devices_are_trusted(self, number):
        assert verify(mint_token(changed(lifecycle=number), DEVICE)).lifecycle == number

    @pytest.mark.parametrize("state", [*UNTRUSTED, Lifecycle.NON_PSA_ROT_DEBUG])
    def test_all_others_are_not(self, state):
        with refused(ErrorCode.LIFECYCLE_UNTRUSTED, Stage.LIFECYCLE):
            verify(mint_token(changed(lifecycle=state.number), DEVICE))

    def test_debug_outside_the_root_of_trust_can_be_allowed(self):
        token = mint_token(changed(lifecycle=0x4000), DEVICE)
        allowed = frozenset({Lifecycle.NON_PSA_ROT_DEBUG})
        assert verify(token, lifecycles=allowed).lifecycle == 0x4000
        with refused(ErrorCode.LIFECYCLE_UNTRUSTED):
            verify(TOKEN, lifecycles=allowed)

    @pytest.mark.parametrize("state", UNTRUSTED)
    def test_no_other_state_can_be_allowed(self, state):
        token = mint_token(changed(lifecycle=state.number), DEVICE)
        with refused(ErrorCode.LIFECYCLE_UNTRUSTED):
            verify(token, lifecycles=frozenset(Lifecycle))

    def test_allowing_nothing_refuses_everything(self):
        with refused(ErrorCode.LIFECYCLE_UNTRUSTED):
            verify(TOKEN, lifecycles=frozenset())


class TestProfiles:
    LEGACY = sign1_by_hand(with_claims({}, base=PROFILE_1_CLAIMS))

    def test_older_profiles_are_refused_unless_named(self):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED, Stage.CLAIMS):
            verify(self.LEGACY)
        claims = verify(self.LEGACY, profiles=frozenset({PsaProfile.PSA_IOT_1}))
        assert claims.profile is PsaProfile.PSA_IOT_1

    def test_allowing_none_refuses_all(self):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            verify(TOKEN, profiles=frozenset())


class TestSize:
    def test_a_token_longer_than_the_limit_is_refused(self):
        with refused(ErrorCode.SIZE_LIMIT, Stage.ENCODING):
            verify(bytes(MAX_TOKEN_BYTES + 1))

    def test_a_token_longer_than_the_limit_is_not_minted(self):
        component = SoftwareComponent(b"\x11" * 64, b"\x22" * 64)
        with refused(ErrorCode.SIZE_LIMIT, Stage.ENCODING):
            mint_token(changed(software_components=(component,) * 60), DEVICE)

    @pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xc1"])
    def test_deep_nesting_in_the_claims_is_refused(self, opening):
        bomb = bytes((0xA8,)) + with_claims({})[1:] + b"\x19\xff\xff" + opening * 3000 + b"\x00"
        with refused(ErrorCode.NESTING_LIMIT, Stage.ENCODING):
            verify(sign1_by_hand(bomb))


class TestMinting:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"profile": PsaProfile.PSA_2_0_0}, ErrorCode.PROFILE_NOT_ALLOWED),
            ({"profile": PsaProfile.PSA_IOT_1}, ErrorCode.PROFILE_UNKNOWN),
            ({"nonce": bytes(31)}, ErrorCode.NONCE_LENGTH),
            ({"client_id": 0}, ErrorCode.CLIENT_ID_ZERO),
            ({"client_id": True}, ErrorCode.CLAIM_TYPE),
            ({"instance_id": bytes(33)}, ErrorCode.INSTANCE_ID_TYPE),
            ({"implementation_id": bytes(16)}, ErrorCode.IMPLEMENTATION_ID_LENGTH),
            ({"lifecycle": 0x3100}, ErrorCode.LIFECYCLE_RANGE),
            ({"software_components": ()}, ErrorCode.SW_COMPONENTS_EMPTY),
            ({"boot_seed": b"short"}, ErrorCode.BOOT_SEED_LENGTH),
            ({"certification_reference": "1"}, ErrorCode.CERTIFICATION_REFERENCE),
            ({"platform": "x" * 65}, ErrorCode.CLAIM_VALUE),
            ({"certificate_digest": bytes(31)}, ErrorCode.CLAIM_VALUE),
            ({"policy_digest": b""}, ErrorCode.CLAIM_VALUE),
        ],
    )
    def test_nothing_is_minted_that_would_be_refused(self, change, code):
        with refused(code, Stage.CLAIMS):
            mint_token(changed(**change), DEVICE)


def test_unverified_claims_are_read_without_a_key_but_not_without_form():
    assert read_unverified_claims(mint_token(CLAIMS, STRANGER)) == CLAIMS
    with refused(ErrorCode.NONCE_LENGTH):
        read_unverified_claims(sign1_by_hand(with_claims({10: b""})))
    with refused(ErrorCode.PROFILE_NOT_ALLOWED):
        read_unverified_claims(TestProfiles.LEGACY)


def test_no_part_of_a_token_is_a_token():
    for size in range(len(TOKEN)):
        with pytest.raises(AttestationError):
            verify(TOKEN[:size])


def test_the_error_names_both_challenges():
    with pytest.raises(AttestationError) as caught:
        verify(TOKEN, nonce=bytes(32))
    assert CHALLENGE.hex() in str(caught.value)
    assert bytes(32).hex() in str(caught.value)
    assert str(caught.value).endswith("[nonce-mismatch]")


@given(st.integers(0, len(TOKEN) * 8 - 1))
def test_no_single_bit_of_a_token_can_be_changed(bit):
    forged = bytearray(TOKEN)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationError):
        verify(bytes(forged))


@given(st.binary(min_size=1, max_size=8), st.integers(0, len(TOKEN)))
def test_nothing_can_be_inserted_into_a_token(extra, position):
    with pytest.raises(AttestationError):
        verify(TOKEN[:position] + extra + TOKEN[position:])


@given(st.binary(max_size=300))
def test_arbitrary_claims_of_a_registered_device_give_our_error(payload):
    with pytest.raises(AttestationError):
        verify(sign1_by_hand(payload))
