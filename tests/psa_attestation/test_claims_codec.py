import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.claims_codec import decode_claims, encode_claims
from psa_attestation.tokens.lifecycle import Lifecycle
from support.psa_tokens import (
    CHALLENGE,
    INSTANCE,
    PROFILE_1_CLAIMS,
    RFC9783_CLAIMS,
    refused,
    with_claims,
)
from veracruz_utils.policy import IsolationLayer

RFC = frozenset({PsaProfile.RFC9783})
ALL = frozenset(PsaProfile)
PSA_2_0_0 = {265: "http://arm.com/psa/2.0.0"}
DIGEST = b"\x22" * 32


def read(changes=(), *, without=None, base=RFC9783_CLAIMS, profiles=ALL):
    return decode_claims(with_claims(dict(changes), without=without, base=base), profiles)


def read_legacy(changes=(), *, without=None):
    return read(changes, without=without, base=PROFILE_1_CLAIMS)


def test_the_claims_of_a_token_are_read():
    assert read() == Claims(
        profile=PsaProfile.RFC9783,
        nonce=CHALLENGE,
        client_id=1,
        instance_id=INSTANCE,
        implementation_id=b"\x33" * 32,
        lifecycle=0x3000,
        software_components=(
            SoftwareComponent(b"\x11" * 32, b"\x22" * 32, "ARoT", "0.1.0", "sha-256"),
        ),
    )
    assert read().lifecycle_state is Lifecycle.SECURED


def test_the_optional_claims_are_read():
    claims = read(
        {
            268: bytes(8),
            2398: "1234567890123-12345",
            2400: "https://verifier.example",
            -76000: "example",
            -76001: DIGEST,
            -76002: DIGEST,
            -76003: ["landlock", "seccomp"],
        }
    )
    assert (claims.boot_seed, claims.certification_reference) == (bytes(8), "1234567890123-12345")
    assert claims.verification_service == "https://verifier.example"
    assert claims.platform == "example"
    assert claims.certificate_digest == claims.policy_digest == DIGEST
    assert claims.isolation == {IsolationLayer.LANDLOCK, IsolationLayer.SECCOMP}
    assert read().isolation is None


@pytest.mark.parametrize("claim", list(RFC9783_CLAIMS))
def test_every_mandatory_claim_has_to_be_there(claim):
    with refused(ErrorCode.MISSING_CLAIM, Stage.CLAIMS):
        read(without=claim)


@pytest.mark.parametrize("claim", [*RFC9783_CLAIMS, 268, 2398, 2400, *range(-76003, -75999)])
@pytest.mark.parametrize(
    "value", [True, False, None, 1.0, 12288.0, {}, {1: 2}, cbor2.CBORTag(999, b"")], ids=repr
)
def test_no_claim_is_of_another_type(claim, value):
    with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
        read({claim: value})


@pytest.mark.parametrize("claim", [10, 256, 2396, 268, -76001, -76002])
@pytest.mark.parametrize("value", [1, "text of exactly thirty-two chars."])
def test_a_claim_of_bytes_is_no_number_and_no_text(claim, value):
    with refused(ErrorCode.CLAIM_TYPE):
        read({claim: value})


@pytest.mark.parametrize("claim", [265, 2394, 2395, 2398, 2399, 2400, -76000, -76003])
def test_a_claim_of_another_type_is_no_bytes(claim):
    with refused(ErrorCode.CLAIM_TYPE):
        read({claim: b"\x01"})


@pytest.mark.parametrize(
    ("claim", "value", "code"),
    [
        (10, b"", ErrorCode.NONCE_LENGTH),
        (10, bytes(31), ErrorCode.NONCE_LENGTH),
        (10, bytes(33), ErrorCode.NONCE_LENGTH),
        (10, bytes(65), ErrorCode.NONCE_LENGTH),
        (10, [CHALLENGE], ErrorCode.NONCE_MUST_BE_SINGLE),
        (10, [CHALLENGE, CHALLENGE], ErrorCode.NONCE_MUST_BE_SINGLE),
        (2394, 0, ErrorCode.CLIENT_ID_ZERO),
        (2394, 2**31, ErrorCode.CLIENT_ID_RANGE),
        (2394, -(2**31) - 1, ErrorCode.CLIENT_ID_RANGE),
        (256, INSTANCE[:32], ErrorCode.INSTANCE_ID_LENGTH),
        (256, INSTANCE + b"\x00", ErrorCode.INSTANCE_ID_LENGTH),
        (256, b"", ErrorCode.INSTANCE_ID_LENGTH),
        (256, b"\x02" + INSTANCE[1:], ErrorCode.INSTANCE_ID_TYPE),
        (256, b"\x00" + INSTANCE[1:], ErrorCode.INSTANCE_ID_TYPE),
        (2396, bytes(31), ErrorCode.IMPLEMENTATION_ID_LENGTH),
        (2396, bytes(33), ErrorCode.IMPLEMENTATION_ID_LENGTH),
        (2395, -1, ErrorCode.LIFECYCLE_RANGE),
        (2395, 0x10000, ErrorCode.LIFECYCLE_RANGE),
        (2395, 0x0100, ErrorCode.LIFECYCLE_RANGE),
        (2395, 0x3100, ErrorCode.LIFECYCLE_RANGE),
        (2395, 0x7000, ErrorCode.LIFECYCLE_RANGE),
        (2395, 0x13000, ErrorCode.LIFECYCLE_RANGE),
        (268, bytes(7), ErrorCode.BOOT_SEED_LENGTH),
        (268, bytes(33), ErrorCode.BOOT_SEED_LENGTH),
        (2398, "1234567890123", ErrorCode.CERTIFICATION_REFERENCE),
        (2398, "1234567890123-1234", ErrorCode.CERTIFICATION_REFERENCE),
        (2398, "1234567890123-12345\n", ErrorCode.CERTIFICATION_REFERENCE),
        (2398, "\u0661" * 13 + "-12345", ErrorCode.CERTIFICATION_REFERENCE),
        (2399, [], ErrorCode.SW_COMPONENTS_EMPTY),
        (2399, [{2: DIGEST, 5: DIGEST}] * 65, ErrorCode.CLAIM_VALUE),
        (2399, [1], ErrorCode.CLAIM_TYPE),
        (2399, [{5: DIGEST}], ErrorCode.SW_COMPONENT_MEASUREMENT),
        (2399, [{2: DIGEST}], ErrorCode.SW_COMPONENT_SIGNER),
        (2399, [{2: bytes(20), 5: DIGEST}], ErrorCode.HASH_LENGTH),
        (2399, [{2: DIGEST, 5: bytes(33)}], ErrorCode.HASH_LENGTH),
        (2399, [{2: "text", 5: DIGEST}], ErrorCode.CLAIM_TYPE),
        (2399, [{2: DIGEST, 5: DIGEST, 1: 7}], ErrorCode.CLAIM_TYPE),
        (2399, [{2: DIGEST, 5: DIGEST, 4: b"1"}], ErrorCode.CLAIM_TYPE),
        (2399, [{2: DIGEST, 5: DIGEST, 6: True}], ErrorCode.CLAIM_TYPE),
        (2399, [{2: DIGEST, 5: DIGEST}, {2: DIGEST}], ErrorCode.SW_COMPONENT_SIGNER),
        (265, "tag:psacertified.org,2023:psa#TFM", ErrorCode.PROFILE_UNKNOWN),
        (265, "", ErrorCode.PROFILE_UNKNOWN),
        (265, "PSA_IOT_PROFILE_1", ErrorCode.PROFILE_UNKNOWN),
        (2400, "x" * 1025, ErrorCode.CLAIM_VALUE),
        (-76000, "x" * 65, ErrorCode.CLAIM_VALUE),
        (-76001, bytes(31), ErrorCode.CLAIM_VALUE),
        (-76002, bytes(33), ErrorCode.CLAIM_VALUE),
        (-76003, ["seccomp", "landlock"], ErrorCode.CLAIM_VALUE),
        (-76003, ["seccomp", "seccomp"], ErrorCode.CLAIM_VALUE),
        (-76003, ["Seccomp"], ErrorCode.CLAIM_VALUE),
        (-76003, ["seccomp "], ErrorCode.CLAIM_VALUE),
        (-76003, [""], ErrorCode.CLAIM_VALUE),
        (-76003, ["landlock", "x" * 65], ErrorCode.CLAIM_VALUE),
        (-76003, ["landlock", "zzz"], ErrorCode.CLAIM_VALUE),
        (-76003, [f"{number:03}" for number in range(10)], ErrorCode.CLAIM_VALUE),
        (-76003, "seccomp", ErrorCode.CLAIM_TYPE),
        (-76003, [1], ErrorCode.CLAIM_TYPE),
        (-76003, [b"seccomp"], ErrorCode.CLAIM_TYPE),
        (-76003, [["seccomp"]], ErrorCode.CLAIM_TYPE),
        (-76003, {"seccomp": True}, ErrorCode.CLAIM_TYPE),
    ],
)
def test_a_claim_beyond_its_limits_is_refused(claim, value, code):
    with refused(code, Stage.CLAIMS):
        read({claim: value})


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (10, bytes(48)),
        (10, bytes(64)),
        (2394, -1),
        (2394, 2**31 - 1),
        (2394, -(2**31)),
        (2395, 0x30FF),
        (2395, 0x0000),
        (2395, 0x60FF),
        (268, bytes(8)),
        (268, bytes(32)),
        (2399, [{2: bytes(48), 5: bytes(64)}]),
        (2399, [{2: DIGEST, 5: DIGEST}] * 64),
        (2399, [{2: DIGEST, 5: DIGEST, 3: 1, 77: "later"}]),
        (-76000, "x" * 64),
        (-76003, []),
        (-76003, sorted(IsolationLayer)),
    ],
)
def test_a_claim_at_its_limits_is_read(claim, value):
    assert read({claim: value}).profile is PsaProfile.RFC9783


def test_claims_nobody_knows_are_ignored():
    unknown = {70001: {"x": [1, 2.5, None]}, "text": 1, b"bytes": cbor2.CBORTag(37, bytes(16))}
    assert read(unknown) == read()


def test_a_nested_duplicate_key_is_refused_even_in_an_unknown_claim():
    payload = with_claims({})
    forged = bytes((payload[0] + 1,)) + payload[1:] + bytes.fromhex("1a00011171" + "a201000100")
    with refused(ErrorCode.DUPLICATE_KEY, Stage.ENCODING):
        decode_claims(forged, ALL)


@pytest.mark.parametrize("payload", [b"\x80", b"\x00", b"\x40", b"\xf6", b"\xd8\x20\xa0"])
def test_claims_that_are_no_map_are_refused(payload):
    with refused(ErrorCode.MALFORMED):
        decode_claims(payload, ALL)


class TestProfiles:
    def test_the_intermediate_profile_is_read_where_it_is_allowed(self):
        claims = read(PSA_2_0_0 | {2397: bytes(32)}, profiles=frozenset({PsaProfile.PSA_2_0_0}))
        assert claims.profile is PsaProfile.PSA_2_0_0
        assert claims.boot_seed == bytes(32)

    def test_the_oldest_profile_is_read_where_it_is_allowed(self):
        claims = read_legacy()
        assert claims.profile is PsaProfile.PSA_IOT_1
        assert (claims.nonce, claims.client_id, claims.boot_seed) == (CHALLENGE, -1, b"\x44" * 32)

    def test_the_oldest_profile_need_not_be_named(self):
        assert read_legacy(without=-75000) == read_legacy()

    @pytest.mark.parametrize("base", [RFC9783_CLAIMS | PSA_2_0_0, PROFILE_1_CLAIMS])
    def test_older_profiles_are_refused_where_they_are_not_allowed(self, base):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            read(base=base, profiles=RFC)

    def test_an_unnamed_old_profile_is_refused_where_it_is_not_allowed(self):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            read(base=PROFILE_1_CLAIMS, without=-75000, profiles=RFC)

    def test_the_newest_profile_is_refused_where_it_is_not_allowed(self):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            read(profiles=ALL - RFC)

    @pytest.mark.parametrize("claim", sorted(PROFILE_1_CLAIMS))
    def test_a_claim_of_the_oldest_profile_in_a_newer_token_is_refused(self, claim):
        for base in (RFC9783_CLAIMS, RFC9783_CLAIMS | PSA_2_0_0):
            with refused(ErrorCode.MIXED_PROFILES):
                read({claim: PROFILE_1_CLAIMS[claim]}, base=base)

    @pytest.mark.parametrize("claim", [*sorted(RFC9783_CLAIMS), 268, 2397, 2398, 2400])
    def test_a_newer_claim_in_a_token_of_the_oldest_profile_is_refused(self, claim):
        with refused(ErrorCode.MIXED_PROFILES):
            read_legacy({claim: RFC9783_CLAIMS.get(claim, bytes(32))})

    def test_the_boot_seed_has_the_key_of_its_profile(self):
        with refused(ErrorCode.MIXED_PROFILES):
            read({2397: bytes(32)})
        with refused(ErrorCode.MIXED_PROFILES):
            read(PSA_2_0_0 | {268: bytes(32)})

    def test_a_profile_under_the_key_of_another_is_unknown(self):
        with refused(ErrorCode.PROFILE_UNKNOWN):
            read_legacy({-75000: "tag:psacertified.org,2023:psa#tfm"})

    def test_our_own_claims_belong_to_the_newest_profile(self):
        foreign = {-76000: "example", -76001: b"anything", -76002: 7, -76003: "anything"}
        claims = read(PSA_2_0_0 | foreign)
        assert (claims.platform, claims.certificate_digest, claims.policy_digest) == (None,) * 3
        assert claims.isolation is None

    @pytest.mark.parametrize("claim", [-75001, -75002, -75003, -75004, -75006, -75008, -75009])
    def test_every_mandatory_claim_of_the_oldest_profile_has_to_be_there(self, claim):
        with refused(ErrorCode.MISSING_CLAIM):
            read_legacy(without=claim)

    @pytest.mark.parametrize("size", [8, 31, 33])
    def test_the_oldest_boot_seed_has_32_bytes(self, size):
        with refused(ErrorCode.BOOT_SEED_LENGTH):
            read_legacy({-75004: bytes(size)})

    @pytest.mark.parametrize("reference", ["1234567890123", "1234567890123-12345"])
    def test_the_oldest_hardware_version_has_either_form(self, reference):
        assert read_legacy({-75005: reference}).certification_reference == reference

    @pytest.mark.parametrize("reference", ["123456789012", "a234567890123", "1234567890123-"])
    def test_the_oldest_hardware_version_has_no_other_form(self, reference):
        with refused(ErrorCode.CERTIFICATION_REFERENCE):
            read_legacy({-75005: reference})

    def test_the_oldest_profile_may_say_that_it_has_no_measurements(self):
        assert read_legacy({-75007: 1}, without=-75006).software_components == ()

    def test_it_may_not_say_so_and_give_them(self):
        with refused(ErrorCode.CLAIM_VALUE):
            read_legacy({-75007: 1})

    @pytest.mark.parametrize(
        ("value", "code"),
        [(0, ErrorCode.CLAIM_VALUE), (2, ErrorCode.CLAIM_VALUE), (True, ErrorCode.CLAIM_TYPE)],
    )
    def test_it_says_so_with_a_one(self, value, code):
        with refused(code):
            read_legacy({-75007: value}, without=-75006)

    def test_newer_profiles_always_have_measurements(self):
        with refused(ErrorCode.MIXED_PROFILES):
            read({-75007: 1}, without=2399)


hash_values = st.sampled_from([32, 48, 64]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
texts = st.text(max_size=40)
components = st.builds(
    SoftwareComponent,
    measurement=hash_values,
    signer_id=hash_values,
    measurement_type=st.none() | texts,
    version=st.none() | texts,
    description=st.none() | texts,
)
digests = st.binary(min_size=32, max_size=32)
claim_sets = st.builds(
    Claims,
    profile=st.just(PsaProfile.RFC9783),
    nonce=hash_values,
    client_id=st.integers(-(2**31), 2**31 - 1).filter(bool),
    instance_id=digests.map(lambda digest: b"\x01" + digest),
    implementation_id=digests,
    lifecycle=st.sampled_from(list(Lifecycle)).map(lambda state: state.number + 7),
    software_components=st.lists(components, min_size=1, max_size=4).map(tuple),
    boot_seed=st.none() | st.binary(min_size=8, max_size=32),
    certification_reference=st.none() | st.from_regex(r"[0-9]{13}-[0-9]{5}", fullmatch=True),
    verification_service=st.none() | texts,
    platform=st.none() | texts,
    certificate_digest=st.none() | digests,
    policy_digest=st.none() | digests,
    isolation=st.none() | st.frozensets(st.sampled_from(IsolationLayer)),
)


@given(claim_sets)
def test_claims_that_are_written_are_read_back(claims):
    assert decode_claims(encode_claims(claims), RFC) == claims


@given(st.dictionaries(st.sampled_from([*RFC9783_CLAIMS, *PROFILE_1_CLAIMS, 268]), st.binary()))
def test_arbitrary_claims_give_a_value_or_our_error(members):
    with contextlib.suppress(AttestationError):
        decode_claims(cbor2.dumps(members), ALL)
