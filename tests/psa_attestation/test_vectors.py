"""Tokens, results and receipts as bytes: made by a script next to them, or by others."""

import json
import runpy
import sys
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from psa_attestation.cose.messages import parse
from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError
from psa_attestation.receipts.verification import verify_receipt
from psa_attestation.results.appraisal import Appraisal, Tier, TrustVector
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import VerifierId
from psa_attestation.tokens.claims import PsaProfile
from psa_attestation.tokens.claims_codec import decode_claims
from psa_attestation.tokens.token import read_unverified_claims, verify_token
from support.claim_forms import from_diagnostic, psa_from_json, public_key, unbase64
from support.psa_tokens import sign1_by_hand
from veracruz_utils.secret import Secret

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "vectors" / "psa_attestation"
SHARED = ROOT.parent / "shared" / "vectors"
ALL_PROFILES = frozenset(PsaProfile)


def own_vectors(kind):
    vectors = json.loads((OWN / "expected.json").read_text())[kind]
    return [pytest.param(v["file"], v["reason"], id=v["file"]) for v in vectors]


def shared_vectors(folder):
    file = SHARED / folder / "expected.json"
    if not file.exists():
        skip = pytest.mark.skip(reason=f"../shared/vectors/{folder} is not there")
        return [pytest.param(None, marks=skip)]
    vectors = json.loads(file.read_text())["vectors"]
    return [pytest.param(v, id=v.get("id", v["file"])) for v in vectors]


def reason_of(action):
    """The code of the refusal; empty if there is none."""
    try:
        action()
    except AttestationError as error:
        return error.code.value
    return ""


class TestOwn:
    EXPECTED = json.loads((OWN / "expected.json").read_text())

    @property
    def verifier(self):
        return load_der_public_key(bytes.fromhex(self.EXPECTED["instances"][0]["public_key"]))

    def key_for(self, instance_id):
        mac = self.EXPECTED["mac_instance"]
        keys = {mac["instance_id"]: MacKey(Secret(bytes.fromhex(mac["key"])))}
        for instance in self.EXPECTED["instances"]:
            key = load_der_public_key(bytes.fromhex(instance["public_key"]))
            keys[instance["instance_id"]] = key
        return keys.get(instance_id.hex())

    @pytest.mark.parametrize(("file", "reason"), own_vectors("tokens"))
    def test_a_token_gets_its_verdict(self, file, reason):
        nonce = bytes.fromhex(self.EXPECTED["challenge"])
        token = (OWN / file).read_bytes()
        assert reason == reason_of(
            lambda: verify_token(token, key_for=self.key_for, nonce=nonce, profiles=ALL_PROFILES)
        )

    @pytest.mark.parametrize(("file", "reason"), own_vectors("results"))
    def test_a_result_gets_its_verdict(self, file, reason):
        nonce, at = bytes.fromhex(self.EXPECTED["result_nonce"]), self.EXPECTED["at"]
        result = (OWN / file).read_bytes()
        assert reason == reason_of(
            lambda: verify_ear(result, key=self.verifier, nonce=nonce, at=at)
        )

    @pytest.mark.parametrize(("file", "reason"), own_vectors("receipts"))
    def test_a_receipt_gets_its_verdict(self, file, reason):
        digest = bytes.fromhex(self.EXPECTED["certificate_digest"])
        receipt = (OWN / file).read_bytes()
        assert reason == reason_of(lambda: verify_receipt(receipt, certificate_digest=digest))

    def test_the_files_are_what_their_script_makes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["make_vectors.py", str(tmp_path)])
        runpy.run_path(str(OWN / "make_vectors.py"), run_name="__main__")
        made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert made == {name: (OWN / name).read_bytes() for name in made}
        assert {file.name for file in OWN.glob("*.cbor")} == made.keys() - {"expected.json"}


class TestGenerated:
    FOLDER = SHARED / "psa-generated"

    def key_for(self, instance_id):
        expected = json.loads((self.FOLDER / "expected.json").read_text())
        for instance in expected["registered_instances"].values():
            if instance["instance_id"] == instance_id.hex():
                return load_pem_public_key((self.FOLDER / instance["public_key"]).read_bytes())
        symmetric = expected["symmetric_instance"]
        if symmetric["instance_id"] == instance_id.hex():
            return MacKey(Secret((self.FOLDER / symmetric["key"]).read_bytes()))
        return None

    @pytest.mark.parametrize("vector", shared_vectors("psa-generated"))
    def test_a_token_gets_its_verdict_and_reason(self, vector):
        reason = reason_of(
            lambda: verify_token(
                (self.FOLDER / vector["file"]).read_bytes(),
                key_for=self.key_for,
                nonce=bytes.fromhex(vector["expected_challenge"]),
                profiles=ALL_PROFILES,
            )
        )
        assert reason == (vector["reason"] if vector["expect"] == "reject" else "")

    @pytest.mark.parametrize("vector", shared_vectors("psa-generated"))
    def test_older_profiles_and_macs_are_off_unless_named(self, vector):
        reason = reason_of(
            lambda: verify_token(
                (self.FOLDER / vector["file"]).read_bytes(),
                key_for=lambda instance_id: (
                    key
                    if isinstance(key := self.key_for(instance_id), ec.EllipticCurvePublicKey)
                    else None
                ),
                nonce=bytes.fromhex(vector["expected_challenge"]),
            )
        )
        gated = {
            "ok-profile1.cbor": "profile-not-allowed",
            "ok-profile1-no-sw-measurements.cbor": "profile-not-allowed",
            "ok-psa-2.0.0.cbor": "profile-not-allowed",
            "ok-hmac256-mac0.cbor": "unknown-instance",
        }
        assert reason == gated.get(vector["file"], reason)
        assert (reason == "") == (vector["expect"] == "accept" and vector["file"] not in gated)


class TestCose:
    FOLDER = SHARED / "cose"
    # Plain COSE lets alg stand in the unprotected header; attestation does not.
    STRICTER = ("mac-pass-01", "mac-pass-02", "sign-pass-01")

    def verdict(self, example):
        data = bytes.fromhex(example["output"]["cbor"])
        made = example["input"].get("sign0") or example["input"]["mac0"]
        if "recipients" in made:
            key = MacKey(Secret(unbase64(made["recipients"][0]["key"]["k"])))
        else:
            key = public_key(made["key"])
        return reason_of(
            lambda: parse(data).verify(key, external_aad=bytes.fromhex(made.get("external", "")))
        )

    @pytest.mark.parametrize("vector", shared_vectors("cose"))
    def test_an_example_gets_its_verdict(self, vector):
        example = json.loads((self.FOLDER / vector["file"]).read_text())
        if "sign" in example["input"]:  # COSE_Sign: several signers, not used here
            data = bytes.fromhex(example["output"]["cbor"])
            assert reason_of(lambda: parse(data)) == "unexpected-tag"
        elif vector["id"] in self.STRICTER:
            assert self.verdict(example) == "alg-not-protected"
        else:
            assert (self.verdict(example) == "") == (vector["expect"] == "accept")


PUBLIC_KEYS = {
    "rfc9783-a1": "rfc9783-a1-iak.jwk",
    "tfm-psa-2.0.0": "tfm-public.pem",
    "veraison-e2e-psa": "veraison-e2e-key.jwk",
}


class TestOthers:
    FOLDER = SHARED / "psa"

    def key(self, name):
        data = (self.FOLDER / name).read_bytes()
        return public_key(json.loads(data)) if name.endswith("jwk") else load_pem_public_key(data)

    def check_token(self, vector):
        token = (self.FOLDER / vector["file"]).read_bytes()
        if vector["id"] not in PUBLIC_KEYS:
            assert reason_of(
                lambda: verify_token(
                    token, key_for=lambda _: None, nonce=bytes(32), profiles=ALL_PROFILES
                )
            )
            return
        key = self.key(PUBLIC_KEYS[vector["id"]])
        claims = read_unverified_claims(token, profiles=ALL_PROFILES)
        nonce, profiles = claims.nonce, frozenset({claims.profile})
        verified = verify_token(token, key_for=lambda _: key, nonce=nonce, profiles=profiles)
        assert verified == claims

    def check_json(self, vector):
        document = json.loads((self.FOLDER / vector["file"]).read_text())
        accepted = [
            not reason_of(lambda c=column: decode_claims(psa_from_json(document, c), ALL_PROFILES))
            for column in (0, 1)
        ]
        if vector["expect"] == "profile1: reject; psa/2.0.0: accept":
            assert accepted == [True, False]
        elif vector["expect"] == "profile1: accept; later profiles: reject":
            assert accepted == [False, True]
        elif vector["expect"] == "reject":
            assert accepted == [False, False]
        else:
            assert accepted == [True, "psa-profile" in document]

    def check_diagnostic(self, vector):
        claims = from_diagnostic((self.FOLDER / vector["file"]).read_text())
        reason = reason_of(lambda: decode_claims(claims, ALL_PROFILES))
        assert (reason == "") == (vector["expect"] == "accept")

    @pytest.mark.parametrize("vector", shared_vectors("psa"))
    def test_a_vector_gets_its_verdict(self, vector):
        check = {".cbor": self.check_token, ".json": self.check_json}
        check.get(Path(vector["file"]).suffix, self.check_diagnostic)(vector)

    @pytest.mark.skipif(not FOLDER.exists(), reason="../shared/vectors/psa is not there")
    def test_a_token_whose_key_is_not_published_is_read_but_not_verified(self):
        token = (self.FOLDER / "tfm-profile1-mac0.cbor").read_bytes()
        claims = read_unverified_claims(token, profiles=ALL_PROFILES)
        assert claims.certification_reference == "0604565272829-10010"
        with pytest.raises(AttestationError) as caught:
            verify_token(token, key_for=lambda _: None, nonce=claims.nonce, profiles=ALL_PROFILES)
        assert caught.value.code.value == "unknown-instance"

    @pytest.mark.skipif(not FOLDER.exists(), reason="../shared/vectors/psa is not there")
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("rfc9783-a1-claims.diag", ""),
            ("rfc9783-full-claims.diag", ""),
            ("claims-diag/P2ClaimsAll.diag", ""),
            ("claims-diag/P2ClaimsMandatoryOnly.diag", ""),
            ("claims-diag/P2ClaimsTFM.diag", ""),
            ("claims-diag/P2ClaimsInvalidMultiNonce.diag", "nonce-must-be-single"),
            ("claims-diag/P2ClaimsMissingMandatoryNonce.diag", "missing-claim"),
        ],
    )
    def test_published_claim_sets_are_judged(self, name, reason):
        claims = from_diagnostic((self.FOLDER / name).read_text())
        assert reason_of(lambda: decode_claims(claims, ALL_PROFILES)) == reason


@pytest.mark.skipif(not (SHARED / "ear").exists(), reason="../shared/vectors/ear is not there")
def test_the_drafts_example_of_a_result_is_read():
    example = cbor2.loads(from_diagnostic((SHARED / "ear" / "draft-ear-cbor-1.diag").read_text()))
    key = ec.derive_private_key(7, ec.SECP256R1())
    at, nonce = example[6], bytes(8)

    def verify(changes):
        data = sign1_by_hand(cbor2.dumps(example | changes), key)
        return verify_ear(data, key=key.public_key(), nonce=nonce, at=at)

    assert reason_of(lambda: verify({10: nonce})) == "missing-claim"  # it never expires
    result = verify({10: nonce, 4: at + 60})
    assert result.verifier == VerifierId("https://veraison-project.org", "vts 0.0.1")
    assert result.raw_evidence == b"lifeboatman"
    assert result.submods["PSA"] == Appraisal(
        Tier.CONTRAINDICATED,
        TrustVector(instance_identity=2, executables=96, hardware=2),
        ("https://veraison.example/policy/1/60a0068d",),
    )
