import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.jwk import decode_key_set, jwk_of
from psa_attestation.results.appraisal import Appraisal, Tier, TrustVector
from psa_attestation.results.ear import sign_ear, verify_ear
from psa_attestation.results.ear_claims import EAR_PROFILE, Ear, EarProfile, VerifierId
from psa_attestation.results.ear_jwt import sign_ear_jwt, verify_ear_jwt
from support.jwts import jwt_by_hand, part, parts
from support.psa_tokens import DEVICE, DEVICE_384, STRANGER, raw_signature, refused

SHARED = Path(__file__).parents[3] / "shared" / "vectors"
NONCE = bytes(range(100, 132))
NOW = 1_790_000_000
KEYS = {"k1": DEVICE.public_key(), "k3": DEVICE_384.public_key()}
APPRAISAL = {
    "ear_status": "affirming",
    "ear_trustworthiness_vector": {"instance-identity": 2, "executables": 3},
    "ear_appraisal_policy_ids": ["policy"],
    "eat_nonce": part(bytes(32)),
}
CLAIMS = {
    "eat_profile": EAR_PROFILE,
    "iat": NOW - 60,
    "exp": NOW + 240,
    "ear_verifier_id": {"developer": "developer", "build": "build"},
    "ear_raw_evidence": part(b"evidence"),
    "eat_nonce": part(NONCE),
    "submods": {"sonora": APPRAISAL},
}
EAR = Ear(
    issued_at=NOW - 60,
    expires_at=NOW + 240,
    verifier=VerifierId("developer", "build"),
    submods={
        "sonora": Appraisal(
            Tier.AFFIRMING,
            TrustVector(instance_identity=2, executables=3),
            ("policy",),
            bytes(32),
        )
    },
    nonce=NONCE,
    raw_evidence=b"evidence",
)
OLDER = frozenset({EarProfile.VERAISON_2023, EarProfile.TRUSTEE_2024})

DOTTED = {
    "eat_profile": EarProfile.VERAISON_2023.value,
    "iat": NOW,
    "ear.verifier-id": {"build": "b", "developer": "d"},
    "ear.raw-evidence": "3q2-7w",
    "submods": {
        "test": {
            "ear.status": "warning",
            "ear.trustworthiness-vector": {"hardware": 32},
            "ear.appraisal-policy-id": "policy",
        }
    },
}


def verify(token, **changes):
    arguments = {"keys": {"k1": DEVICE.public_key()}, "nonce": NONCE, "at": NOW}
    return verify_ear_jwt(token, **arguments | changes)


def read(changes=(), *, without=None, **others):
    claims = {name: value for name, value in CLAIMS.items() if name != without}
    return verify(jwt_by_hand(claims | dict(changes)), **others)


def with_appraisal(changes):
    return read({"submods": {"sonora": APPRAISAL | changes}}).submods["sonora"]


def with_header(header, key=DEVICE, **others):
    return verify(jwt_by_hand(CLAIMS, key, header=header), **others)


def test_a_signed_result_is_read_back():
    assert verify(sign_ear_jwt(EAR, DEVICE)) == EAR
    assert verify(sign_ear_jwt(EAR, DEVICE_384, kid="k3"), keys=KEYS) == EAR


def test_a_result_of_others_is_read():
    assert read() == EAR


def test_both_forms_say_the_same():
    data = sign_ear(EAR, DEVICE)
    as_cwt = verify_ear(data, key=DEVICE.public_key(), nonce=NONCE, at=NOW)
    assert as_cwt == verify(sign_ear_jwt(EAR, DEVICE))


def test_what_is_written_has_the_names_of_the_newest_draft():
    header, payload, _ = parts(sign_ear_jwt(EAR, DEVICE, kid="k1"))
    assert json.loads(header) == {"alg": "ES256", "typ": "application/eat+jwt", "kid": "k1"}
    assert json.loads(payload) == CLAIMS


def test_what_nobody_knows_is_ignored():
    assert read({"another": [{"x": 1.5}], "ear.status": "none"}) == EAR
    assert with_appraisal({"ear_veraison_policy_claims": {}}) == EAR.submods["sonora"]


def test_what_hardware_measured_of_a_machine_has_a_name_of_its_own():
    machine = {"pcr4": bytes(32), "measurement": b"\x48" * 48}
    written = {name: part(value) for name, value in machine.items()}
    measured = with_appraisal({"veracruz_machine": written})
    assert measured == replace(EAR.submods["sonora"], machine=machine)
    told = sign_ear_jwt(replace(EAR, submods={"sonora": measured}), DEVICE)
    assert json.loads(parts(told)[1])["submods"]["sonora"]["veracruz_machine"] == written
    assert verify(told).submods["sonora"].machine == machine


@pytest.mark.parametrize(
    "machine", [{}, [], "pcr4", None, {"pcr4": 1}, {"pcr4": "00"}, {"pcr4": "?" * 43}]
)
def test_a_machine_in_another_form_is_refused(machine):
    with pytest.raises(AttestationError):
        with_appraisal({"veracruz_machine": machine})


class TestHeader:
    def test_a_key_is_picked_by_its_name(self):
        assert with_header({"alg": "ES256", "kid": "k1"}, keys=KEYS) == EAR

    @pytest.mark.parametrize("kid", ["k2", "", None, 1, ["k1"], {"k1": 1}])
    def test_a_name_that_is_not_known_is_refused(self, kid):
        with refused(ErrorCode.KEY_UNKNOWN, Stage.KEY):
            with_header({"alg": "ES256", "kid": kid}, keys=KEYS)
        with refused(ErrorCode.KEY_UNKNOWN, Stage.KEY):
            with_header({"alg": "ES256", "kid": kid})

    def test_without_a_name_there_has_to_be_one_key(self):
        with refused(ErrorCode.KEY_UNKNOWN):
            with_header({"alg": "ES256"}, keys=KEYS)
        with refused(ErrorCode.KEY_UNKNOWN):
            with_header({"alg": "ES256"}, keys={})

    @pytest.mark.parametrize("alg", ["none", "None", "", "RS256", "PS256", "EdDSA", None, -7, []])
    def test_another_algorithm_is_refused(self, alg):
        with refused(ErrorCode.ALG_UNKNOWN, Stage.ENVELOPE):
            with_header({"alg": alg})

    def test_no_algorithm_is_refused(self):
        with refused(ErrorCode.ALG_UNKNOWN):
            with_header({"typ": "JWT"})
        unsigned = ".".join([part(b'{"alg":"none"}'), part(json.dumps(CLAIMS).encode()), ""])
        with refused(ErrorCode.ALG_UNKNOWN):
            verify(unsigned)

    def test_a_mac_keyed_with_the_public_key_is_refused(self):
        pem = DEVICE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with refused(ErrorCode.TYPE_CONFUSION, Stage.ENVELOPE):
            verify(jwt_by_hand(CLAIMS, header={"alg": "HS256"}, mac_key=pem))

    def test_the_algorithm_is_the_keys(self):
        with refused(ErrorCode.ALG_KEY_MISMATCH):
            with_header({"alg": "ES384"})
        with refused(ErrorCode.ALG_KEY_MISMATCH):
            with_header({"alg": "ES256", "kid": "k3"}, DEVICE_384, keys=KEYS)

    def test_a_key_of_the_messages_own_is_refused(self):
        own = jwk_of(STRANGER.public_key(), kid="k1")
        for key in (STRANGER, DEVICE):
            with refused(ErrorCode.KEY_UNKNOWN, Stage.KEY):
                with_header({"alg": "ES256", "jwk": own}, key)

    def test_a_key_that_is_ours_anyway_changes_nothing(self):
        own = jwk_of(DEVICE.public_key(), kid="k1")
        assert with_header({"alg": "ES256", "jwk": own}) == EAR
        with refused(ErrorCode.SIGNATURE):
            with_header({"alg": "ES256", "jwk": own}, STRANGER)

    def test_certificates_are_not_looked_at(self):
        assert with_header({"alg": "ES256", "x5c": ["AAAA"], "x5t": "AA"}) == EAR
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            with_header({"alg": "ES256", "x5c": ["AAAA"]}, STRANGER)

    @pytest.mark.parametrize("name", ["crit", "b64", "jku", "x5u", "zip", "enc"])
    def test_what_changes_the_meaning_is_refused(self, name):
        with refused(ErrorCode.CRIT):
            with_header({"alg": "ES256", name: ["x"]})

    @pytest.mark.parametrize(
        "typ",
        ["JWT", "jwt", "eat+jwt", "application/eat+jwt", 'application/eat+jwt; eat_profile="x"'],
    )
    def test_a_type_of_a_result_is_read(self, typ):
        assert with_header({"alg": "ES256", "typ": typ}) == EAR

    @pytest.mark.parametrize(
        ("typ", "code"),
        [
            ("at+jwt", ErrorCode.TYPE_CONFUSION),
            ("", ErrorCode.TYPE_CONFUSION),
            (1, ErrorCode.MALFORMED),
        ],
    )
    def test_another_type_is_refused(self, typ, code):
        with refused(code, Stage.ENVELOPE):
            with_header({"alg": "ES256", "typ": typ})

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            (b'{"alg":"ES256","alg":"ES256"}', ErrorCode.DUPLICATE_KEY),
            (b'{"alg":"none","alg":"ES256"}', ErrorCode.DUPLICATE_KEY),
            (b'["ES256"]', ErrorCode.MALFORMED),
            (b"", ErrorCode.MALFORMED),
        ],
    )
    def test_a_header_of_another_form_is_refused(self, header, code):
        with refused(code):
            with_header(header)


class TestForm:
    TOKEN = sign_ear_jwt(EAR, DEVICE)

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "...",
            TOKEN + ".",
            TOKEN + "=",
            TOKEN + "\n",
            " " + TOKEN,
            TOKEN + "A",
            TOKEN.replace(".", ". "),
            TOKEN.rsplit(".", 1)[0],
            json.dumps({"protected": "", "payload": "", "signature": ""}),
        ],
    )
    def test_another_form_is_refused(self, token):
        with pytest.raises(AttestationError):
            verify(token)

    def test_a_message_too_large_is_refused(self):
        with refused(ErrorCode.SIZE_LIMIT):
            verify(self.TOKEN + "A" * 2**17)

    def test_it_is_refused_when_cut_anywhere(self):
        for length in range(0, len(self.TOKEN), 3):
            with pytest.raises(AttestationError):
                verify(self.TOKEN[:length])

    @pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), b"\xff" * 64, b"\x30" * 71])
    def test_a_signature_of_another_form_is_refused(self, signature):
        signed = self.TOKEN.rsplit(".", 1)[0]
        with pytest.raises(AttestationError) as caught:
            verify(f"{signed}.{part(signature)}")
        assert caught.value.stage is Stage.SIGNATURE

    def test_the_last_bits_of_the_text_count(self):
        # 64 bytes leave four bits of the last character unused; no encoder sets them.
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        other = alphabet[alphabet.index(self.TOKEN[-1]) + 1]
        with refused(ErrorCode.MALFORMED, Stage.ENCODING):
            verify(self.TOKEN[:-1] + other)


class TestClaims:
    @pytest.mark.parametrize(
        "name", ["eat_profile", "iat", "exp", "ear_verifier_id", "eat_nonce", "submods"]
    )
    def test_what_is_mandatory_has_to_be_there(self, name):
        with refused(ErrorCode.MISSING_CLAIM, Stage.CLAIMS):
            read(without=name)

    @pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
    @pytest.mark.parametrize("value", [NOW + 0.5, float(NOW), "now", True, None, [NOW]])
    def test_a_time_is_an_integer(self, name, value):
        with refused(ErrorCode.CLAIM_TYPE, Stage.CLAIMS):
            read({name: value})

    def test_a_result_is_valid_from_issue_to_expiry(self):
        with refused(ErrorCode.EXPIRED, Stage.FRESHNESS):
            read(at=NOW + 240)
        with refused(ErrorCode.NOT_YET_VALID, Stage.FRESHNESS):
            read(at=NOW - 61)
        with refused(ErrorCode.NOT_YET_VALID):
            read({"nbf": NOW + 1})
        assert read(at=NOW + 240, leeway_s=1) == EAR

    @pytest.mark.parametrize("nonce", [b"", NONCE[:-1], bytes(32)])
    def test_a_result_for_another_nonce_is_refused(self, nonce):
        with refused(ErrorCode.NONCE_MISMATCH, Stage.FRESHNESS):
            read(nonce=nonce)

    def test_whoever_sent_no_nonce_says_so(self):
        assert read(nonce=None) == EAR
        assert read(without="eat_nonce", nonce=None).nonce is None

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"eat_nonce": [part(NONCE)]}, ErrorCode.NONCE_MUST_BE_SINGLE),
            ({"eat_nonce": part(bytes(7))}, ErrorCode.NONCE_LENGTH),
            ({"eat_nonce": part(bytes(65))}, ErrorCode.NONCE_LENGTH),
            ({"eat_nonce": part(NONCE) + "="}, ErrorCode.MALFORMED),
            ({"eat_nonce": 1}, ErrorCode.CLAIM_TYPE),
            ({"ear_raw_evidence": 1}, ErrorCode.CLAIM_TYPE),
            ({"eat_profile": EAR_PROFILE + "#"}, ErrorCode.PROFILE_UNKNOWN),
            ({"eat_profile": 1}, ErrorCode.CLAIM_TYPE),
            ({"eat_profile": ["x"]}, ErrorCode.CLAIM_TYPE),
            ({"submods": {}}, ErrorCode.SUBMODS_EMPTY),
            ({"submods": []}, ErrorCode.CLAIM_TYPE),
            ({"submods": {"x": 2}}, ErrorCode.CLAIM_TYPE),
            ({"submods": {"x": {}}}, ErrorCode.MISSING_CLAIM),
            ({"ear_verifier_id": "x"}, ErrorCode.CLAIM_TYPE),
            ({"ear_verifier_id": {"developer": "x"}}, ErrorCode.MISSING_CLAIM),
            ({"exp": NOW - 60}, ErrorCode.CLAIM_VALUE),
        ],
    )
    def test_what_is_out_of_bounds_is_refused(self, changes, code):
        with refused(code):
            read(changes)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"ear_status": "Affirming"}, ErrorCode.CLAIM_VALUE),
            ({"ear_status": "unknown"}, ErrorCode.CLAIM_VALUE),
            ({"ear_status": 2}, ErrorCode.CLAIM_TYPE),
            ({"ear_status": ["affirming"]}, ErrorCode.CLAIM_TYPE),
            ({"ear_status": None}, ErrorCode.CLAIM_TYPE),
            ({"ear_trustworthiness_vector": {}}, ErrorCode.CLAIM_VALUE),
            ({"ear_trustworthiness_vector": []}, ErrorCode.CLAIM_TYPE),
            ({"ear_trustworthiness_vector": {"hardware": 2.0}}, ErrorCode.CLAIM_TYPE),
            ({"ear_trustworthiness_vector": {"hardware": True}}, ErrorCode.CLAIM_TYPE),
            ({"ear_trustworthiness_vector": {"hardware": 128}}, ErrorCode.CLAIM_VALUE),
            ({"ear_trustworthiness_vector": {"luck": 2}}, ErrorCode.CLAIM_VALUE),
            ({"ear_trustworthiness_vector": {"file_system": 2}}, ErrorCode.CLAIM_VALUE),
            ({"ear_trustworthiness_vector": {"hardware": 97}}, ErrorCode.STATUS_BETTER_THAN_VECTOR),
            ({"ear_appraisal_policy_ids": []}, ErrorCode.CLAIM_VALUE),
            ({"ear_appraisal_policy_ids": "policy"}, ErrorCode.CLAIM_TYPE),
        ],
    )
    def test_an_appraisal_out_of_bounds_is_refused(self, changes, code):
        with refused(code, Stage.CLAIMS):
            with_appraisal(changes)

    @pytest.mark.parametrize("payload", [b"[]", b"1", b"null", b'"text"'])
    def test_claims_that_are_no_object_are_refused(self, payload):
        with refused(ErrorCode.CLAIM_TYPE):
            verify(jwt_by_hand(payload))

    @pytest.mark.parametrize("name", ["eat_nonce", "iat", "submods", "ear_verifier_id"])
    def test_a_repeated_member_is_refused(self, name):
        text = json.dumps(CLAIMS)
        twice = text[:-1] + f", {json.dumps(name)}: {json.dumps(CLAIMS[name])}}}"
        with refused(ErrorCode.DUPLICATE_KEY, Stage.ENCODING):
            verify(jwt_by_hand(twice.encode()))

    def test_the_signature_comes_before_the_claims(self):
        with refused(ErrorCode.SIGNATURE):
            verify(jwt_by_hand(b"{", STRANGER))


class TestOlderGenerations:
    def read(self, changes=(), **others):
        arguments = {"nonce": None, "profiles": OLDER, "lifetime_s": 300} | others
        return verify(jwt_by_hand(DOTTED | dict(changes)), **arguments)

    @pytest.mark.parametrize("profile", sorted(OLDER, key=str))
    def test_they_are_read_where_they_are_named(self, profile):
        ear = self.read({"eat_profile": profile.value})
        assert ear.profile is profile
        assert ear.raw_evidence == b"\xde\xad\xbe\xef"
        assert ear.expires_at == NOW + 300
        assert ear.submods == {
            "test": Appraisal(Tier.WARNING, TrustVector(hardware=32), ("policy",))
        }

    def test_they_are_refused_unless_named(self):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            self.read(profiles=frozenset({EarProfile.IETF_03}))
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            read(profiles=OLDER)

    def test_the_names_follow_from_the_profile(self):
        with refused(ErrorCode.MISSING_CLAIM):
            self.read({"eat_profile": EAR_PROFILE}, profiles=frozenset(EarProfile))
        with refused(ErrorCode.MISSING_CLAIM):
            read({"eat_profile": EarProfile.TRUSTEE_2024.value}, profiles=OLDER)

    def test_one_without_an_end_is_refused_unless_given_one(self):
        with refused(ErrorCode.MISSING_CLAIM):
            self.read(lifetime_s=None)
        with refused(ErrorCode.EXPIRED):
            self.read(at=NOW + 300)
        assert self.read({"exp": NOW + 9}).expires_at == NOW + 9

    def test_their_policy_is_one_text(self):
        submods = {"test": {"ear.status": "none", "ear.appraisal-policy-id": ["policy"]}}
        with refused(ErrorCode.CLAIM_TYPE):
            self.read({"submods": submods})

    def test_they_are_never_written(self):
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            sign_ear_jwt(self.read(), DEVICE)
        with refused(ErrorCode.PROFILE_NOT_ALLOWED):
            sign_ear(self.read(), DEVICE)


@pytest.mark.parametrize("sign", [sign_ear, sign_ear_jwt])
def test_nothing_is_signed_that_would_be_refused(sign):
    broken = Ear(NOW, NOW, EAR.verifier, EAR.submods)
    with refused(ErrorCode.CLAIM_VALUE):
        sign(broken, DEVICE)


SIGNED = sign_ear_jwt(EAR, DEVICE)


@given(st.data())
def test_no_single_bit_of_a_result_can_be_changed(data):
    pieces = [bytearray(piece) for piece in parts(SIGNED)]
    piece = data.draw(st.sampled_from(pieces))
    bit = data.draw(st.integers(0, len(piece) * 8 - 1))
    piece[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationError):
        verify(".".join(part(bytes(piece)) for piece in pieces))


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda b: f"{part(b)}.{part(b)}.AA"))
def test_arbitrary_text_gives_our_error(token):
    with pytest.raises(AttestationError):
        verify(token)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CLAIMS)), json_values)
def test_arbitrary_claims_of_the_verifier_give_a_result_or_our_error(name, value):
    try:
        read({name: value}, profiles=frozenset(EarProfile), lifetime_s=60)
    except AttestationError:
        return


class TestVectors:
    @pytest.mark.skipif(
        not (SHARED / "ear-generated").exists(), reason="../shared/vectors/ear-generated is absent"
    )
    def test_every_generated_result_gets_its_verdict_and_reason(self):
        folder = SHARED / "ear-generated"
        expected = json.loads((folder / "expected.json").read_text())
        keys = decode_key_set((folder / "jwks.json").read_bytes())
        codes = {
            "": "",
            "signature and format valid; relying-party policy must deny because status is "
            "contraindicated": "",
            "a verifier may be more pessimistic than the vector": "",
            "status must not exceed the worst claim": "status-better-than-vector",
            "alg none": "alg-unknown",
            "HMAC keyed with the public key PEM": "type-confusion",
            "exp in the past": "expired",
            "nonce differs from the challenge": "nonce-mismatch",
            "floating point time not allowed": "claim-type",
            "submods must have at least one entry": "submods-empty",
            "signature": "signature",
        }
        for vector in expected["vectors"]:
            token = (folder / vector["file"]).read_text().strip()
            reason = ""
            try:
                verify_ear_jwt(
                    token,
                    keys=keys,
                    nonce=from_base64url(vector["expected_nonce"], "nonce"),
                    at=vector["verify_at_unix"],
                )
            except AttestationError as error:
                reason = error.code.value
            assert reason == codes[vector["reason"]], vector["file"]
            assert (reason == "") == (vector["expect"] == "accept")

    @pytest.mark.skipif(not (SHARED / "ear").exists(), reason="../shared/vectors/ear is absent")
    @pytest.mark.parametrize(
        ("file", "submod", "appraisal"),
        [
            (
                "veraison-ear-claims-tv-ok.json",
                "test",
                Appraisal(
                    Tier.AFFIRMING,
                    TrustVector(2, 2, 3, 2, 2, 2, 2, 2),
                    ("https://veraison.example/policy/1/60a0068d",),
                ),
            ),
            (
                "trustee-example-claims.json",
                "cpu0",
                Appraisal(
                    Tier.CONTRAINDICATED, TrustVector(0, 36, 33, 0, 97, 0, 0, 0), ("default",)
                ),
            ),
            (
                "draft-ear-json-1.diag",
                "PSA",
                Appraisal(
                    Tier.CONTRAINDICATED,
                    TrustVector(instance_identity=2, executables=96, hardware=2),
                    ("https://veraison.example/policy/1/60a0068d",),
                ),
            ),
        ],
    )
    def test_published_claims_of_each_generation_are_read(self, file, submod, appraisal):
        claims = json.loads((SHARED / "ear" / file).read_text())
        ear = verify(
            jwt_by_hand(claims),
            nonce=None,
            at=claims["iat"],
            profiles=frozenset(EarProfile),
            lifetime_s=60,
        )
        assert ear.profile.value == claims["eat_profile"]
        assert ear.submods[submod] == appraisal

    @pytest.mark.skipif(not (SHARED / "ear").exists(), reason="../shared/vectors/ear is absent")
    def test_published_appraisals_are_read(self):
        for file in sorted((SHARED / "ear" / "veraison-results").iterdir()):
            submods = json.loads(file.read_text())
            ear = TestOlderGenerations().read({"submods": submods})
            good = "good" in file.name
            worst = max(part.status for part in ear.submods.values())
            assert worst is (Tier.AFFIRMING if good else Tier.CONTRAINDICATED)
            assert good or 99 in ear.submods["PSA_IOT"].trust_vector.claims.values()


def test_the_helper_signs_as_the_key_does():
    token = jwt_by_hand(CLAIMS)
    signed, _, signature = token.rpartition(".")
    assert len(from_base64url(signature, "x")) == len(raw_signature(DEVICE, signed.encode()))
