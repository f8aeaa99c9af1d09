import json
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.corim.bundle import read_unsigned_corim, verify_corim
from psa_attestation.corim.comid import Environment, Measurement
from psa_attestation.corim.profiles import CCA_PROFILE, PSA_PROFILE, REALM_PROFILE
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.jose.jwk import public_key_of
from support.cca_tokens import cose_key
from support.corim_bundles import read_comid
from support.psa_tokens import DEVICE, DEVICE_384, STRANGER, refused, sign1_by_hand

SHARED = Path(__file__).parents[3] / "shared" / "vectors" / "corim"
NOW = 1_700_000_000
CLASS = cbor2.CBORTag(560, b"\x33" * 32)
UEID = cbor2.CBORTag(550, b"\x01" + b"\x07" * 32)
MEASUREMENT = {
    0: "psa.software-component",
    1: {
        0: {0: "1.2"},
        1: 7,
        2: [[1, b"\x11" * 32]],
        11: "BL",
        13: [cbor2.CBORTag(560, b"\x22" * 32)],
    },
}


def pem(key):
    data = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return cbor2.CBORTag(554, data.decode())


REFERENCE = [{0: {0: CLASS, 1: "vendor", 2: "model"}}, [MEASUREMENT]]
KEYS = [{0: {0: CLASS}, 1: UEID}, [pem(DEVICE)]]
COMID = {1: {0: b"\x44" * 16}, 4: {0: [REFERENCE], 3: [KEYS]}}
META = {0: {0: "signer"}, 1: {0: cbor2.CBORTag(1, NOW - 9), 1: cbor2.CBORTag(1, NOW + 9)}}


def corim(comid=COMID, **changes):
    members = {0: "id", 1: [cbor2.CBORTag(506, cbor2.dumps(comid))]}
    members |= {3: cbor2.CBORTag(32, PSA_PROFILE)}
    members |= {int(name[1:]): value for name, value in changes.items()}
    present = {key: value for key, value in members.items() if value is not None}
    return cbor2.dumps(cbor2.CBORTag(501, present))


def read(data, **changes):
    return read_unsigned_corim(data, **{"at": NOW} | changes)


def signed(payload=None, key=DEVICE, *, meta=META, **changes):
    header = {1: -7, 3: "application/rim+cbor", 8: cbor2.dumps(meta)}
    header |= {int(name[1:]): value for name, value in changes.items()}
    present = {label: value for label, value in header.items() if value is not None}
    return sign1_by_hand(corim() if payload is None else payload, key, protected=present)


def verify(data, **changes):
    return verify_corim(data, **{"key": DEVICE.public_key(), "at": NOW} | changes)


def with_measurement(changes, **others):
    value = {key: v for key, v in (MEASUREMENT[1] | changes).items() if v is not None}
    reference = [REFERENCE[0], [MEASUREMENT | {1: value} | others.get("outer", {})]]
    comid = read_comid(cbor2.dumps(COMID | {4: {0: [reference]}}))
    return comid.reference_values[0].measurements[0]


def with_environment(environment):
    comid = read_comid(cbor2.dumps(COMID | {4: {0: [[environment, [MEASUREMENT]]]}}))
    return comid.reference_values[0].environment


def with_keys(keys):
    comid = read_comid(cbor2.dumps(COMID | {4: {3: [[KEYS[0], keys]]}}))
    return comid.attest_keys[0].keys


RIM = {0: "cca.rim", 1: {2: [[1, b"\x55" * 32]]}}
REM = {0: "cca.rem0", 1: {2: [[1, b"\x66" * 32]]}}
RPV = {0: "cca.rpv", 1: {4: cbor2.CBORTag(560, bytes(64))}}


def read_realm(*elements, name=b"\x55" * 32):
    environment = {0: {0: cbor2.CBORTag(560, name)}}
    comid = COMID | {4: {0: [[environment, list(elements or (RIM, REM, RPV))]]}}
    return read(corim(comid, _3=cbor2.CBORTag(32, REALM_PROFILE)))


class TestContent:
    def test_reference_values_and_keys_are_read(self):
        (comid,) = read(corim()).comids
        (reference,), (keys,) = comid.reference_values, comid.attest_keys
        assert reference.environment == Environment(("bytes", b"\x33" * 32), "vendor", "model")
        assert reference.measurements == (
            Measurement(
                key="psa.software-component",
                version="1.2",
                svn=7,
                digests=(("sha-256", b"\x11" * 32),),
                name="BL",
                signers=(b"\x22" * 32,),
            ),
        )
        assert keys.environment.instance == ("ueid", b"\x01" + b"\x07" * 32)
        assert keys.keys == (DEVICE.public_key(),)
        assert comid.skipped == ()

    def test_what_is_not_read_is_named(self):
        comid = read_comid(cbor2.dumps(COMID | {4: {1: [], 0: [REFERENCE], 10: [1]}}))
        assert comid.skipped == (1, 10)
        assert with_measurement({-77: b"x", 3: {}}).skipped == (-77, 3)

    def test_a_comid_may_stand_alone(self):
        plain = read_comid(cbor2.dumps(COMID))
        assert plain == read_comid(cbor2.dumps(cbor2.CBORTag(506, cbor2.dumps(COMID))))
        assert (plain,) == read(corim()).comids

    def test_other_tags_of_a_bundle_are_left_alone(self):
        tags = [cbor2.CBORTag(505, b"x"), cbor2.CBORTag(506, cbor2.dumps(COMID))]
        assert read(corim(_1=tags)).comids == read(corim()).comids

    @pytest.mark.parametrize(
        ("value", "svn"),
        [
            (3, (3, False)),
            (cbor2.CBORTag(552, 3), (3, False)),
            (cbor2.CBORTag(553, 3), (3, True)),
        ],
    )
    def test_a_security_version_is_exact_or_a_minimum(self, value, svn):
        measurement = with_measurement({1: value})
        assert (measurement.svn, measurement.svn_is_minimum) == svn

    @pytest.mark.parametrize(
        ("changes", "raw"),
        [
            ({4: b"\x01\x02"}, (b"\x01\x02", None)),
            ({4: cbor2.CBORTag(560, b"\x01"), 5: b"\xff"}, (b"\x01", b"\xff")),
            ({4: cbor2.CBORTag(563, [b"\x01", b"\x0f"])}, (b"\x01", b"\x0f")),
        ],
    )
    def test_a_raw_value_may_have_a_mask(self, changes, raw):
        measurement = with_measurement(changes)
        assert (measurement.raw, measurement.mask) == raw

    def test_keys_are_read_in_both_forms(self):
        members = cbor2.loads(cose_key(DEVICE_384))
        for form in (
            pem(DEVICE_384),
            cbor2.CBORTag(558, members),
            cbor2.CBORTag(558, cbor2.dumps(members)),
        ):
            assert with_keys([form]) == (DEVICE_384.public_key(),)

    @pytest.mark.parametrize(
        ("digest", "code"),
        [
            ([1, bytes(31)], ErrorCode.HASH_LENGTH),
            ([7, bytes(32)], ErrorCode.HASH_LENGTH),
            (["sha-512", bytes(32)], ErrorCode.HASH_LENGTH),
            ([2, bytes(16)], ErrorCode.CLAIM_VALUE),
            ([True, bytes(32)], ErrorCode.CLAIM_TYPE),
            (["md5", bytes(16)], ErrorCode.CLAIM_VALUE),
            ([1], ErrorCode.CLAIM_VALUE),
            ([1, "text"], ErrorCode.CLAIM_TYPE),
            (bytes(32), ErrorCode.CLAIM_TYPE),
        ],
    )
    def test_a_digest_has_the_length_of_its_algorithm(self, digest, code):
        with refused(code):
            with_measurement({2: [digest]})
        assert with_measurement({2: [["sha-384", bytes(48)]]}).digests[0][0] == "sha-384"

    @pytest.mark.parametrize(
        "changes",
        [
            {2: []},
            {2: {}},
            {0: "1.2"},
            {0: {}},
            {1: -1},
            {1: cbor2.CBORTag(554, 1)},
            {4: ""},
            {4: b""},
            {4: b"\x01", 5: b"\x01\x02"},
            {4: cbor2.CBORTag(563, [b"\x01"])},
            {11: b"name"},
            {13: [b"signer"]},
            {13: [cbor2.CBORTag(554, "key")]},
        ],
    )
    def test_a_measurement_out_of_bounds_is_refused(self, changes):
        with pytest.raises(AttestationError) as caught:
            with_measurement(changes)
        assert caught.value.stage is Stage.CLAIMS

    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {0: {}},
            {2: CLASS, 0: {0: CLASS}},
            {0: {0: b"\x33" * 32}},
            {0: {0: cbor2.CBORTag(600, bytes(32))}},
            {0: {0: cbor2.CBORTag(37, bytes(15))}},
            {0: {1: 5}},
            {0: {3: -1}},
            {1: cbor2.CBORTag(111, b"x")},
            [],
        ],
    )
    def test_an_environment_that_says_nothing_clear_is_refused(self, environment):
        with pytest.raises(AttestationError):
            with_environment(environment)

    @pytest.mark.parametrize("tag", [37, 111, 560])
    def test_a_class_is_identified_in_three_ways(self, tag):
        kind = {37: "uuid", 111: "oid", 560: "bytes"}[tag]
        found = with_environment({0: {0: cbor2.CBORTag(tag, bytes(16))}})
        assert found.class_id == (kind, bytes(16))

    @pytest.mark.parametrize(
        "key",
        [
            "text",
            cbor2.CBORTag(554, "no key"),
            cbor2.CBORTag(554, b"bytes"),
            cbor2.CBORTag(555, "certificate"),
            cbor2.CBORTag(558, {}),
            pem(rsa.generate_private_key(65537, 2048)),
        ],
    )
    def test_a_key_that_is_not_read_is_refused(self, key):
        with pytest.raises(AttestationError):
            with_keys([key])

    @pytest.mark.parametrize(
        "triples",
        [
            {},
            {0: []},
            {0: [[]]},
            {0: [[REFERENCE[0]]]},
            {0: [[REFERENCE[0], []]]},
            {0: [[*REFERENCE, {}]]},
            {3: [[KEYS[0], []]]},
            {3: [[*KEYS, {0: 1}]]},
            {0: [REFERENCE] * 257},
            [],
        ],
    )
    def test_triples_of_another_form_are_refused(self, triples):
        with refused_in_claims():
            read_comid(cbor2.dumps(COMID | {4: triples}))


def refused_in_claims():
    return pytest.raises(AttestationError, match=r"claim-(value|type)")


class TestBundle:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"_0": None}, ErrorCode.MISSING_CLAIM),
            ({"_0": b"\x01"}, ErrorCode.CLAIM_VALUE),
            ({"_0": ""}, ErrorCode.CLAIM_VALUE),
            ({"_1": None}, ErrorCode.MISSING_CLAIM),
            ({"_1": []}, ErrorCode.CLAIM_VALUE),
            ({"_1": [b"x"]}, ErrorCode.CLAIM_TYPE),
            ({"_1": [cbor2.CBORTag(507, b"x")]}, ErrorCode.UNEXPECTED_TAG),
            ({"_1": [cbor2.CBORTag(506, COMID)]}, ErrorCode.CLAIM_TYPE),
            ({"_3": PSA_PROFILE}, ErrorCode.CLAIM_TYPE),
            ({"_4": {}}, ErrorCode.MISSING_CLAIM),
            ({"_4": {1: NOW + 1}}, ErrorCode.CLAIM_TYPE),
            ({"_4": {1: cbor2.CBORTag(1, NOW + 0.5)}}, ErrorCode.CLAIM_TYPE),
            (
                {"_4": {0: cbor2.CBORTag(1, NOW + 1), 1: cbor2.CBORTag(1, NOW)}},
                ErrorCode.CLAIM_VALUE,
            ),
            ({"_4": {1: cbor2.CBORTag(1, NOW - 1)}}, ErrorCode.EXPIRED),
            (
                {"_4": {0: cbor2.CBORTag(1, NOW + 1), 1: cbor2.CBORTag(1, NOW + 2)}},
                ErrorCode.NOT_YET_VALID,
            ),
        ],
    )
    def test_a_bundle_out_of_bounds_is_refused(self, changes, code):
        with refused(code):
            read(corim(**changes))

    def test_a_bundle_is_read_in_the_profiles_that_are_accepted(self):
        assert read(corim(), profiles={PSA_PROFILE}).profile == PSA_PROFILE
        for data in (corim(_3=None), corim(_3=cbor2.CBORTag(111, b"\x01\x02"))):
            assert read(data).profile in (None, "oid:0102")
            with refused(ErrorCode.PROFILE_NOT_ALLOWED):
                read(data, profiles={PSA_PROFILE})

    @pytest.mark.parametrize("profile", [PSA_PROFILE, CCA_PROFILE])
    def test_arms_profiles_name_devices_as_arm_does(self, profile):
        uri = cbor2.CBORTag(32, profile)
        short = {0: {0: cbor2.CBORTag(560, bytes(30))}}
        with refused(ErrorCode.IMPLEMENTATION_ID_LENGTH):
            read(corim(COMID | {4: {0: [[short, [MEASUREMENT]]]}}, _3=uri))
        with refused(ErrorCode.INSTANCE_ID_LENGTH):
            read(corim(COMID | {4: {3: [[{0: {0: CLASS}}, [pem(DEVICE)]]]}}, _3=uri))
        with refused(ErrorCode.CLAIM_VALUE):
            read(corim(COMID | {4: {3: [[KEYS[0], [pem(DEVICE)] * 2]]}}, _3=uri))
        assert read(corim(COMID | {4: {0: [[short, [MEASUREMENT]]]}}, _3=None))

    def test_a_realm_is_named_by_its_initial_measurement_and_says_it(self):
        assert read_realm().comids[0].reference_values[0].measurements[0].key == "cca.rim"
        for size in (31, 33, 65):
            with refused(ErrorCode.IMPLEMENTATION_ID_LENGTH):
                read_realm(name=bytes(size))

    @pytest.mark.parametrize(
        "elements",
        [
            [REM],
            [RIM, RIM],
            [RIM, REM, REM],
            [{0: "cca.rim", 1: {4: cbor2.CBORTag(560, bytes(32))}}],
            [RIM, {0: "cca.rem0", 1: {11: "a name"}}],
            [RIM, {0: "cca.rpv", 1: {2: [[1, bytes(32)]]}}],
            [RIM, {0: "cca.rem4", 1: {2: [[1, bytes(32)]]}}],
            [RIM, {1: {2: [[1, bytes(32)]]}}],
        ],
    )
    def test_a_realm_of_other_elements_is_refused(self, elements):
        with refused(ErrorCode.CLAIM_VALUE):
            read_realm(*elements)

    def test_a_bundle_has_no_key_of_a_realm(self):
        with refused(ErrorCode.CLAIM_VALUE):
            read(corim(COMID | {4: {3: [KEYS]}}, _3=cbor2.CBORTag(32, REALM_PROFILE)))

    def test_what_is_no_bundle_is_refused(self):
        with refused(ErrorCode.UNEXPECTED_TAG):
            read(cbor2.dumps(cbor2.CBORTag(502, {})))
        with refused(ErrorCode.UNEXPECTED_TAG):
            read(signed())
        with refused(ErrorCode.TRAILING_BYTES, Stage.ENCODING):
            read(corim() + b"\x00")

    def test_a_repeated_member_is_refused(self):
        data = corim()
        assert data[3] == 0xA3
        with refused(ErrorCode.DUPLICATE_KEY):
            read(data[:3] + b"\xa4" + data[4:] + b"\x00\x61x")


class TestSigned:
    def test_a_bundle_is_authentic_by_its_providers_key(self):
        found = verify(signed(), profiles={PSA_PROFILE})
        assert found.signer == "signer"
        assert (found.not_before, found.not_after) == (NOW - 9, NOW + 9)
        assert found.comids == read(corim()).comids

    def test_another_key_is_refused(self):
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            verify(signed(key=STRANGER))

    def test_cwt_claims_may_say_who_signed(self):
        claims = {1: "issuer", 4: NOW + 5, 5: NOW - 5}
        found = verify(signed(_8=None, _15=claims))
        assert (found.signer, found.not_before, found.not_after) == ("issuer", NOW - 5, NOW + 5)
        with refused(ErrorCode.EXPIRED):
            verify(signed(_8=None, _15=claims), at=NOW + 6)

    def test_the_narrower_validity_counts(self):
        inner = {0: cbor2.CBORTag(1, NOW - 5), 1: cbor2.CBORTag(1, NOW + 5)}
        found = verify(signed(corim(_4=inner)))
        assert (found.not_before, found.not_after) == (NOW - 5, NOW + 5)

    @pytest.mark.parametrize(
        ("at", "code"), [(NOW - 10, ErrorCode.NOT_YET_VALID), (NOW + 10, ErrorCode.EXPIRED)]
    )
    def test_a_signature_is_valid_for_a_time(self, at, code):
        with refused(code, Stage.FRESHNESS):
            verify(signed(), at=at)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"_3": None}, ErrorCode.TYPE_CONFUSION),
            ({"_3": "application/cbor"}, ErrorCode.TYPE_CONFUSION),
            ({"_8": None}, ErrorCode.MISSING_CLAIM),
            ({"_8": {}}, ErrorCode.CLAIM_TYPE),
            ({"_8": b"\xa0"}, ErrorCode.MISSING_CLAIM),
            ({"_1": -35}, ErrorCode.ALG_KEY_MISMATCH),
            ({"_2": [8]}, ErrorCode.CRIT),
        ],
    )
    def test_another_header_is_refused(self, changes, code):
        with refused(code):
            verify(signed(**changes))

    def test_an_unsigned_bundle_is_not_a_signed_one(self):
        with pytest.raises(AttestationError):
            verify(corim())
        with refused(ErrorCode.UNEXPECTED_TAG):
            verify(signed(cbor2.dumps(COMID)))


SIGNED = signed()


@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_no_single_bit_of_a_signed_bundle_can_be_changed(bit):
    forged = bytearray(SIGNED)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationError):
        verify(bytes(forged))


@given(st.binary(max_size=120))
def test_arbitrary_bytes_give_our_error(data):
    for action in (
        lambda: verify(data),
        lambda: verify(signed(data)),
        lambda: read(data),
        lambda: read(b"\xd9\x01\xf5" + data),
        lambda: read_comid(data),
    ):
        with pytest.raises(AttestationError):
            action()


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors/corim is not there")
def test_every_published_bundle_gets_its_verdict():
    vectors = json.loads((SHARED / "expected.json").read_text())["vectors"]
    key = public_key_of(json.loads((SHARED / "corim" / "src" / "ec-p256.jwk").read_text()))
    schemes = {"psa": {PSA_PROFILE}, "cca": {CCA_PROFILE, REALM_PROFILE}}
    reasons = {}
    for vector in vectors:
        data = (SHARED / vector["file"]).read_bytes()
        folder, name = vector["file"].split("/")[1], vector["file"].rsplit("/", 1)[1]
        try:
            if name.startswith("signed"):
                verify_corim(data, key=key, at=NOW)
            elif name.startswith("comid"):
                read_comid(data)
            elif name.endswith(".cbor"):
                read(data, profiles=schemes.get(folder))
            reason = ""
        except AttestationError as error:
            reason = error.code.value
        reasons[vector["file"]] = reason
        assert (reason == "") == (vector["expect"] == "accept"), vector["file"]
    assert {name: reason for name, reason in reasons.items() if reason} == {
        "profiles/cca/cca-platform-invalid-digests.cbor": "hash-length",
        "profiles/cca/cca-platform-invalid-impl-id.cbor": "implementation-id-length",
        "profiles/cca/no-profile.cbor": "profile-not-allowed",
        "profiles/psa/no-profile.cbor": "profile-not-allowed",
        "profiles/psa/psa-invalid-attest-key.cbor": "claim-value",
    }
