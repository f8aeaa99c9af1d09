import hashlib
import json
from pathlib import Path
from types import MappingProxyType

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError
from psa_attestation.jose.jwk import public_key_of
from support.cca_tokens import (
    CHALLENGE,
    INSTANCE,
    PLATFORM,
    PLATFORM_KEY,
    REALM,
    REALM_KEY,
    Recipe,
    collection,
    point,
)
from support.claim_forms import cca_from_json
from support.mac0 import mac0
from support.refused_evidence import refused
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.arm.cca import parse_cca, verify_cca
from tabasco.verify.arm.cca_claims import decode_platform, decode_realm
from veracruz_utils.secret import Secret

REPOSITORY = Path(__file__).parents[4]
OWN = REPOSITORY / "tests" / "vectors" / "cca"
SHARED = REPOSITORY.parent / "shared" / "vectors" / "cca"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors/cca is not there")
OTHER = ec.derive_private_key(0xBAD, ec.SECP384R1())


def key_for(instance_id):
    return PLATFORM_KEY.public_key() if instance_id == INSTANCE else None


def verify(data=None, **changes):
    return verify_cca(Recipe().token() if data is None else data, **{"key_for": key_for} | changes)


class TestPublishedTokens:
    KEY = public_key_of(json.loads((OWN / "platform.jwk").read_text()))

    def verify(self, data, key=KEY):
        return verify_cca(data, key_for=lambda _: key)

    @pytest.mark.parametrize("name", ["bound-399.cbor", "bound-907.cbor"])
    def test_a_bound_token_is_accepted(self, name):
        proven = self.verify((OWN / name).read_bytes())
        assert str(proven.facts["lifecycle"]) == "0x3003"
        appraise(proven, Acceptance())

    def test_a_realm_of_another_key_is_refused_though_both_signatures_hold(self):
        data = (OWN / "unbound-399.cbor").read_bytes()
        token = parse_cca(data)
        token.platform_message.verify(self.KEY)
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
            self.verify(data)

    @pytest.mark.parametrize("name", ["bound-399.cbor", "bound-907.cbor"])
    def test_no_sampled_bit_of_a_signed_part_can_be_changed(self, name):
        data = (OWN / name).read_bytes()
        token = parse_cca(data)
        for message in (token.platform_message, token.realm_message):
            for signed in (message.protected, message.payload, message.proof):
                start = data.index(signed)
                for bit in range(0, len(signed) * 8, 97):
                    forged = bytearray(data)
                    forged[start + bit // 8] ^= 1 << bit % 8
                    with pytest.raises(EvidenceError):
                        self.verify(bytes(forged))

    def test_it_is_refused_when_cut_anywhere_or_prolonged(self):
        data = (OWN / "bound-399.cbor").read_bytes()
        for length in (*range(0, len(data), 61), len(data) - 1):
            with refused(Fault.MALFORMED, VerificationStage.FORMAT):
                parse_cca(data[:length])
        with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
            parse_cca(data + b"\x00")

    @needs_shared
    def test_every_signed_vector_gets_its_verdict(self):
        def pem(name):
            return load_pem_private_key((SHARED / name).read_bytes(), None).public_key()

        def anchor(name):
            return public_key_of(json.loads((SHARED / name).read_text())[0]["pkey"])

        def read(name):
            return (SHARED / name).read_bytes()

        platform = pem("tfm-cca-platform.pem")
        accepted = [
            ("tfm-cca-token-907.cbor", platform),
            ("tfm-cca-example-legacy.cbor", platform),
            ("cca-token-02.cbor", anchor("cca-ta-02-ok.json")),
            ("cca-trustee-example.cbor", anchor("cca-trustee-tastore.json")),
        ]
        for name, key in accepted:
            appraise(self.verify(read(name), key), Acceptance())
            with refused(Fault.SIGNATURE if key.key_size == 384 else Fault.UNSUPPORTED_ALGORITHM):
                self.verify(read(name), pem("tfm-cca-realm2.pem"))
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING, match="token alone"):
            self.verify(read("tfm-cca-platform-only.cbor"), platform)
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
            self.verify(read("cca-unbound-realm.cbor"), anchor("cca-ta-tfa.json"))
        with pytest.raises(AttestationError) as caught:
            anchor("cca-ta-02-bad.json")
        assert caught.value.code.value == "key-unsupported"

    @needs_shared
    def test_every_set_of_unsigned_claims_gets_its_verdict(self):
        def read(name):
            return (SHARED / name).read_bytes()

        plain = decode_realm(read("realm-claims.cbor"))
        for kind in ("numeric", "text"):
            assert decode_realm(read(f"realm-claims+spurious-{kind}-key.cbor")) == plain
        with refused(Fault.MALFORMED):
            decode_realm(read("realm-claims-missing-challenge.cbor"))
        assert decode_platform(read("platform-claims.cbor")).lifecycle == 0x3000
        vectors = json.loads((SHARED / "expected.json").read_text())["vectors"]
        for vector in vectors:
            if "file" in vector:
                claims = json.loads(read(vector["file"]))
                if vector["expect"] == "accept":
                    decode_realm(cca_from_json(claims))
                else:
                    with refused(Fault.MALFORMED):
                        decode_realm(cca_from_json(claims))


class TestFacts:
    def test_a_token_is_proven_by_both_its_signatures(self):
        proven = verify(challenge=CHALLENGE)
        assert proven.kind == "arm-cca"
        assert proven.report_data == CHALLENGE
        assert proven.measurements["rim"] == b"\x11" * 32
        assert proven.measurements["rem3"] == b"\x03" * 32
        assert proven.measurements["platform1"] == b"\x23" * 48
        assert proven.measurements["platform0.signer"] == b"\x22" * 32
        assert proven.facts["instance-id"] == INSTANCE.hex()
        assert proven.facts["platform0"] == "BL 1.0"
        appraise(proven, Acceptance(report_data=CHALLENGE))

    def test_the_newer_collection_says_the_same(self):
        assert verify(Recipe(tag=907).token()) == verify()

    @pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512"])
    def test_each_token_names_the_hash_of_its_key(self, name):
        digest = hashlib.new(name.replace("-", ""), REALM[44237]).digest()
        assert verify(Recipe({10: digest}, {44240: name}).token())

    def test_a_realms_key_may_be_a_bare_point(self):
        raw = point(REALM_KEY)
        assert verify(Recipe({10: hashlib.sha256(raw).digest()}, {44237: raw}).token())

    @pytest.mark.parametrize(
        ("lifecycle", "debug"),
        [
            (0x0000, False),
            (0x1000, False),
            (0x2001, False),
            (0x40FF, True),
            (0x5000, True),
            (0x6000, False),
        ],
    )
    def test_a_platform_that_is_not_secured_is_a_concern(self, lifecycle, debug):
        proven = verify(Recipe({2395: lifecycle}).token())
        assert proven.debug is debug
        with refused(Fault.DEBUG if debug else Fault.LIFECYCLE, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())
        with refused(Fault.LIFECYCLE, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance(debug=True))

    def test_a_concern_is_accepted_by_its_name(self):
        proven = verify(Recipe({2395: 0x4000}).token())
        names = frozenset({"cca.lifecycle=non-platform-debug"})
        appraise(proven, Acceptance(debug=True, concerns=names))

    def test_claims_that_nobody_knows_are_ignored(self):
        more = {-1: cbor2.CBORTag(5, 1), "text": {}}
        assert verify(Recipe(more, more).token()) == verify()


class TestSecondProfile:
    NEW = MappingProxyType({265: "tag:arm.com,2024:realm#2.0.0", 44243: 1})

    def verify(self, **claims):
        more = {int(name[1:]): value for name, value in claims.items()}
        return verify(Recipe(realm=self.NEW | more).token())

    def test_its_claims_are_facts_that_a_policy_can_ask_for(self):
        facts = self.verify(_256=b"\1" * 33, _44244=0, _44257=b"d" * 32).facts
        assert facts["realm-profile"] == "tag:arm.com,2024:realm#2.0.0"
        assert facts["memory-encryption"] == "private"
        assert facts["live-activation"] == "disallow"
        assert facts["realm-instance-id"] == "01" * 33
        assert facts["devices"] == b"d".hex() * 32
        old = verify().facts
        assert "memory-encryption" not in old
        assert verify(Recipe({265: "tag:arm.com,2024:cca_platform#2.0.0"}).token())

    @pytest.mark.parametrize(
        ("value", "meaning"), [(0, "shared"), (1, "private"), ("shared", "shared")]
    )
    def test_the_policy_of_memory_encryption_is_a_number_or_a_word(self, value, meaning):
        facts = self.verify(_44243=value).facts
        assert facts["memory-encryption"] == meaning
        assert "live-activation" not in facts

    @pytest.mark.parametrize(
        "claims",
        [
            {"_44243": 2},
            {"_44243": True},
            {"_44243": "Private"},
            {"_44243": b"private"},
            {"_44244": 2},
            {"_44244": True},
            {"_44257": b"d"},
            {"_256": b"\1" * 32},
            {"_256": b"\2" * 33},
        ],
    )
    def test_other_values_are_refused(self, claims):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            self.verify(**claims)

    def test_it_has_to_say_how_memory_is_encrypted(self):
        with refused(Fault.MALFORMED, match="memory encryption"):
            verify(Recipe(realm={265: self.NEW[265]}).token())

    def test_a_profile_of_another_year_is_refused_by_its_name(self):
        with refused(Fault.UNSUPPORTED_VERSION, match="2026:realm#3"):
            self.verify(_265="tag:arm.com,2026:realm#3.0.0")


class TestBinding:
    def test_a_platform_without_a_registered_key_is_refused(self):
        with refused(Fault.UNKNOWN_SIGNER, VerificationStage.SIGNATURE):
            verify(Recipe({256: b"\x01" + bytes(32)}).token())

    def test_the_platform_is_signed_by_the_registered_key(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(Recipe(platform_key=OTHER).token())

    def test_the_realm_is_signed_by_the_key_it_names(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(Recipe(realm_key=OTHER).token())

    def test_a_realm_with_a_key_of_its_own_is_refused(self):
        raw = point(OTHER)
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
            verify(Recipe(realm={44237: raw}, realm_key=OTHER).token())

    @pytest.mark.parametrize("name", ["sha-384", "sha-512"])
    def test_the_hash_is_the_one_the_realm_names(self, name):
        with refused(Fault.KEY_BINDING):
            verify(Recipe(realm={44240: name}).token())

    def test_the_hash_is_of_the_keys_bytes_as_they_stand(self):
        digest = hashlib.sha256(point(REALM_KEY)).digest()
        with refused(Fault.KEY_BINDING):
            verify(Recipe({10: digest}).token())

    @pytest.mark.parametrize("challenge", [b"", CHALLENGE[:-1], bytes(64)])
    def test_another_challenge_is_refused(self, challenge):
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(challenge=challenge)

    def test_a_realms_key_off_its_curve_is_refused(self):
        raw = b"\x04" + bytes(96)
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            verify(Recipe({10: hashlib.sha256(raw).digest()}, {44237: raw}).token())


class TestForm:
    PARTS = (Recipe().part("platform"), Recipe().part("realm"))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            cbor2.dumps({44234: PARTS[0], 44241: PARTS[1]}),
            cbor2.dumps(cbor2.CBORTag(400, {44234: PARTS[0], 44241: PARTS[1]})),
            cbor2.dumps(cbor2.CBORTag(399, {44234: PARTS[0]})),
            cbor2.dumps(cbor2.CBORTag(399, {44241: PARTS[1]})),
            cbor2.dumps(cbor2.CBORTag(399, {44234: PARTS[0], 44241: PARTS[1], 1: b""})),
            cbor2.dumps(cbor2.CBORTag(399, [*PARTS])),
            cbor2.dumps(cbor2.CBORTag(907, {44234: PARTS[0], 44241: PARTS[1]})),
            cbor2.dumps(cbor2.CBORTag(907, {44234: [60, PARTS[0]], 44241: [60, PARTS[1]]})),
            cbor2.dumps(cbor2.CBORTag(907, {44234: [263], 44241: [263]})),
            cbor2.dumps(cbor2.CBORTag(399, cbor2.CBORTag(399, {}))),
            collection(PARTS[0][1:], PARTS[1]),
            collection(b"", PARTS[1]),
            collection(None, PARTS[1]),
            collection(PARTS[0], mac0(cbor2.dumps(REALM), MacKey(Secret(bytes(32))))),
            bytes(40 * 1024),
            b"\xd9\x01\x8f" * 1000,
            b"\xd9\x01\x8f\xbb" + b"\xff" * 8,
        ],
    )
    def test_what_is_not_a_collection_of_both_is_refused(self, data):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(data)

    def test_a_platforms_token_alone_binds_nothing(self):
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING, match="token alone"):
            verify(self.PARTS[0])
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(self.PARTS[0][:-1] + bytes([self.PARTS[0][-1] ^ 1]))
        with refused(Fault.UNKNOWN_SIGNER):
            verify(self.PARTS[0], key_for=lambda _: None)
        with pytest.raises(EvidenceError):
            verify(self.PARTS[1])

    def test_the_parts_are_not_exchanged(self):
        with pytest.raises(EvidenceError):
            verify(collection(self.PARTS[1], self.PARTS[0]))

    def test_a_repeated_part_is_refused(self):
        data = Recipe().token()
        twice = data.replace(b"\xd9\x01\x8f\xa2", b"\xd9\x01\x8f\xa3") + data[4:7] + b"\x40"
        with refused(Fault.MALFORMED):
            verify(twice)

    @pytest.mark.parametrize("part", ["platform", "realm"])
    def test_a_repeated_claim_is_refused(self, part):
        claims = cbor2.dumps(PLATFORM if part == "platform" else REALM)
        decode = decode_platform if part == "platform" else decode_realm
        decode(claims)
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            decode(bytes((claims[0] + 1,)) + claims[1:] + b"\x0a\x40")

    @pytest.mark.parametrize(
        "missing",
        [("platform", key) for key in (265, 10, 2396, 256, 2401, 2395, 2399, 2402)]
        + [("realm", key) for key in (10, 44235, 44236, 44237, 44238, 44239, 44240)],
    )
    def test_what_is_mandatory_has_to_be_there(self, missing):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(Recipe(without=missing).token())

    def test_what_is_optional_may_be_missing(self):
        assert verify(Recipe(without=("platform", 2400)).token())
        assert verify(Recipe(without=("realm", 265)).token())

    @pytest.mark.parametrize(
        "changes",
        [
            {10: bytes(31)},
            {10: [bytes(32)]},
            {2396: bytes(33)},
            {256: bytes(33)},
            {256: b"\x01" * 32},
            {2401: b""},
            {2401: bytes(4097)},
            {2395: True},
            {2395: 0x3100},
            {2395: 0x7000},
            {2395: 0x13000},
            {2395: -1},
            {2395: 12288.0},
            {2399: []},
            {2399: {}},
            {2399: [{}]},
            {2399: [{2: bytes(32)}]},
            {2399: [{5: bytes(32)}]},
            {2399: [{2: bytes(31), 5: bytes(32)}]},
            {2399: [{2: bytes(32), 5: bytes(32), 1: 7}]},
            {2399: [{2: bytes(32), 5: bytes(32)}] * 65},
            {2400: b"bytes"},
            {2402: 256},
            {265: 1},
        ],
    )
    def test_platform_claims_out_of_bounds_are_refused(self, changes):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            decode_platform(cbor2.dumps(PLATFORM | changes))

    @pytest.mark.parametrize(
        "changes",
        [
            {10: bytes(32)},
            {10: "text"},
            {44235: bytes(63)},
            {44238: bytes(65)},
            {44238: [bytes(32)]},
            {44239: [bytes(32)] * 3},
            {44239: [bytes(32)] * 5},
            {44239: [bytes(32)] * 3 + [bytes(20)]},
            {44239: bytes(32)},
            {44236: 1},
            {44237: b""},
            {44237: bytes(96)},
            {44237: b"\xa1\x01\x02\x00"},
            {44240: None},
        ],
    )
    def test_realm_claims_out_of_bounds_are_refused(self, changes):
        with pytest.raises(EvidenceError) as caught:
            decode_realm(cbor2.dumps(REALM | changes))
        assert caught.value.stage is VerificationStage.FORMAT

    @pytest.mark.parametrize("profile", ["", "http://arm.com/psa/2.0.0", "PSA_IOT_PROFILE_1"])
    def test_other_profiles_are_refused(self, profile):
        fault = Fault.UNSUPPORTED_VERSION if profile else Fault.MALFORMED
        with refused(fault):
            decode_platform(cbor2.dumps(PLATFORM | {265: profile}))
        with refused(fault):
            decode_realm(cbor2.dumps(REALM | {265: profile}))

    @pytest.mark.parametrize("name", ["sha-1", "md5", "SHA-256", "sha256"])
    def test_other_hashes_are_refused(self, name):
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            verify(Recipe(realm={44240: name}).token())
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            verify(Recipe({2402: name}).token())

    @given(st.binary(max_size=200))
    def test_arbitrary_bytes_give_our_error(self, data):
        for token in (data, b"\xd9\x01\x8f" + data, collection(data, data)):
            with pytest.raises(EvidenceError):
                verify(token)
        for decode in (decode_platform, decode_realm):
            with pytest.raises(EvidenceError):
                decode(data)
