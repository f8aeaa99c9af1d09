import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from support.jwts import part, parts
from support.nitro_documents import HOST, KEYS, LEAF, MADE, ROOT, ZONE, certificate
from support.refused_evidence import refused
from support.tpm_quotes import other_rsa_key, rsa_key
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.google.confidential_space import ISSUER, verify_confidential_space

OWN = Path(__file__).parents[4] / "tests" / "vectors" / "confidential_space"
SECOND = timedelta(seconds=1)
NOW = int(MADE.timestamp())
CLAIMS = {
    "iss": ISSUER,
    "aud": "veracruz",
    "iat": NOW - 10,
    "nbf": NOW - 10,
    "exp": NOW + 60,
    "eat_nonce": "the nonce",
    "dbgstat": "disabled-since-boot",
    "hwmodel": "GCP_AMD_SEV_SNP",
    "swname": "CONFIDENTIAL_SPACE",
    "secboot": True,
    "submods": {"container": {"image_digest": "sha256:" + "ab" * 32}},
}


def chain(*certificates):
    return [base64.b64encode(der).decode() for der in certificates]


def make(claims=CLAIMS, *, header=None, **changes):
    signer = certificate("signer", rsa_key(), "host", KEYS[2], authority=False)
    if header is None:
        header = {"alg": "RS256", "typ": "JWT", "x5c": chain(signer, HOST, ZONE, ROOT)} | changes
    encoded = [
        part(piece if isinstance(piece, bytes) else json.dumps(piece).encode())
        for piece in (header, claims)
    ]
    signed = ".".join(encoded)
    signature = rsa_key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{part(signature)}"


def verify(token=None, **changes):
    arguments = {"at": MADE, "audience": "veracruz", "roots": {hashlib.sha256(ROOT).digest()}}
    token = make() if token is None else token
    return verify_confidential_space(token.encode(), **arguments | changes)


class TestPublishedToken:
    TOKEN = (OWN / "tdx-2025.jwt").read_text().strip()
    START = datetime(2025, 9, 5, 8, 17, 30, tzinfo=UTC)
    END = datetime(2025, 9, 5, 9, 17, 30, tzinfo=UTC)

    def verify(self, token=TOKEN, at=START):
        return verify_confidential_space(token.encode(), at=at, audience="z08381475938604996746")

    def test_it_is_authentic_for_its_hour(self):
        for at in (self.START, self.END - SECOND):
            proven = self.verify(at=at)
            assert proven.facts["hwmodel"] == "GCP_INTEL_TDX"
            assert proven.report_data.startswith(b"75a91c8dbe289f19")
            assert proven.valid_until == self.END
            appraise(proven, Acceptance())
        with refused(Fault.NOT_YET_VALID):
            self.verify(at=self.START - SECOND)
        with refused(Fault.EXPIRED):
            self.verify(at=self.END)

    def test_it_is_for_its_audience(self):
        with refused(Fault.REPORT_DATA, VerificationStage.BINDING):
            verify_confidential_space(self.TOKEN.encode(), at=self.START, audience="veracruz")

    def test_no_sampled_bit_of_it_can_be_changed(self):
        pieces = parts(self.TOKEN)
        for index, piece in enumerate(pieces):
            for bit in range(0, len(piece) * 8, 397):
                forged = bytearray(piece)
                forged[bit // 8] ^= 1 << bit % 8
                changed = [*pieces[:index], bytes(forged), *pieces[index + 1 :]]
                with pytest.raises(EvidenceError):
                    self.verify(".".join(map(part, changed)))


def test_a_token_is_proven_by_a_pinned_root():
    proven = verify(nonce=b"the nonce")
    assert proven.measurements == {"image": b"\xab" * 32}
    assert proven.report_data == b"the nonce"
    assert not proven.debug
    with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
        verify_confidential_space(make().encode(), at=MADE, audience="veracruz")


def test_debugging_and_an_insecure_boot_are_reported():
    proven = verify(make(CLAIMS | {"dbgstat": "enabled"}))
    with refused(Fault.DEBUG, VerificationStage.APPRAISAL):
        appraise(proven, Acceptance())
    for changes in ({"secboot": False}, {"secboot": 1}, {"swname": "GCE"}):
        with refused(Fault.ATTRIBUTES, VerificationStage.APPRAISAL):
            appraise(verify(make(CLAIMS | changes)), Acceptance())


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS384"},
        {"alg": None},
        {"jwk": {}},
        {"jku": "https://x.example"},
        {"crit": []},
    ],
)
def test_another_header_is_refused(changes):
    with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
        verify(make(**changes))


@pytest.mark.parametrize("x5c", [None, [], "x", chain(ROOT), [1, 2], ["AA", "-_"], chain(ROOT) * 9])
def test_a_chain_that_is_none_is_refused(x5c):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(make(x5c=x5c))


def test_the_signer_is_the_leaf_of_the_chain():
    with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.SIGNATURE):
        verify(make(x5c=chain(LEAF, HOST, ZONE, ROOT)))
    signed, _, _ = make().rpartition(".")
    with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
        verify(f"{signed}.{part(bytes(256))}")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"iss": "https://x.example"}, Fault.REPORT_DATA),
        ({"aud": ["veracruz"]}, Fault.REPORT_DATA),
        ({"exp": NOW + 0.5}, Fault.MALFORMED),
        ({"exp": True}, Fault.MALFORMED),
        ({"iat": None}, Fault.MALFORMED),
        ({"nbf": 2**60}, Fault.MALFORMED),
        ({"exp": NOW}, Fault.EXPIRED),
        ({"iat": NOW + 1}, Fault.NOT_YET_VALID),
        ({"nbf": NOW + 1}, Fault.NOT_YET_VALID),
        ({"eat_nonce": []}, Fault.MALFORMED),
        ({"eat_nonce": ["the nonce", 1]}, Fault.MALFORMED),
        ({"eat_nonce": ["n"] * 17}, Fault.MALFORMED),
        ({"eat_nonce": ""}, Fault.MALFORMED),
        ({"swversion": "240900"}, Fault.MALFORMED),
        ({"submods": CLAIMS["submods"] | {"gce": {"project_id": 1}}}, Fault.MALFORMED),
        ({"submods": CLAIMS["submods"] | {"confidential_space": []}}, Fault.MALFORMED),
        ({"dbgstat": None}, Fault.MALFORMED),
        ({"hwmodel": 1}, Fault.MALFORMED),
        ({"submods": []}, Fault.MALFORMED),
        ({"submods": {"container": {}}}, Fault.MALFORMED),
        ({"submods": {"container": {"image_digest": "sha256:00"}}}, Fault.MALFORMED),
    ],
)
def test_claims_out_of_bounds_are_refused(changes, fault):
    with refused(fault):
        verify(make(CLAIMS | changes))


@pytest.mark.parametrize("nonce", [b"", b"The nonce", b"the nonce ", b"the nonce\xff"])
def test_another_nonce_is_refused(nonce):
    with refused(Fault.NONCE, VerificationStage.BINDING):
        verify(nonce=nonce)


class TestFacts:
    CONTAINER = MappingProxyType(
        {
            **CLAIMS["submods"]["container"],
            "args": ["/app", "--quick"],
            "env": {"PATH": "/bin", "MODE": "a=b"},
            "env_override": {"MODE": "a=b"},
        }
    )
    SUBMODS = MappingProxyType(
        {
            "container": dict(CONTAINER),
            "gce": {"project_id": "a-project", "zone": "z", "instance_id": "7"},
            "confidential_space": {"support_attributes": ["USABLE", "STABLE"]},
        }
    )

    def facts(self, **changes):
        claims = CLAIMS | {"submods": dict(self.SUBMODS), "swversion": ["240900"]} | changes
        return verify(make(claims)).facts

    def test_what_an_operator_may_change_is_told_whole_and_in_parts(self):
        facts = self.facts()
        assert facts["args"] == '["/app","--quick"]'
        assert facts["env"] == '{"MODE":"a=b","PATH":"/bin"}'
        assert facts["env.PATH"] == "/bin"
        assert facts["env_override.MODE"] == "a=b"
        assert facts["project_id"] == "a-project"
        assert facts["swversion"] == "240900"
        assert facts["support_attributes"] == "STABLE USABLE"
        assert facts["support_attributes.STABLE"] == "true"

    def test_what_a_token_does_not_say_is_told_as_nothing(self):
        facts = self.facts(submods=CLAIMS["submods"])
        assert (facts["args"], facts["env"], facts["env_override"]) == ("[]", "{}", "{}")
        assert facts["support_attributes"] == ""
        assert "support_attributes.STABLE" not in facts

    def test_a_policy_can_ask_for_them(self):
        proven = verify(make(CLAIMS | {"submods": dict(self.SUBMODS)}))
        text = "version = 1\n[confidential-space]\nmeasurements.image = ['%s']\n"
        text %= "ab" * 32
        for rule, refusal in (
            ("'support_attributes.STABLE' = { equals = 'true' }", None),
            ("'support_attributes.LATEST' = { equals = 'true' }", "fact.support_attributes.LATEST"),
            ("env_override = { equals = '{}' }", "fact.env_override"),
            ("project_id = { one_of = ['a-project'] }", None),
            ("args = { equals = '[]' }", "fact.args"),
        ):
            policy = AppraisalPolicy.parse(f"{text}[confidential-space.facts]\n{rule}".encode())
            found = policy.evaluate(proven).refused_by
            assert (found and found.name) == refusal

    @pytest.mark.parametrize(
        "change", [{"args": "x"}, {"args": [1]}, {"env": []}, {"env": {"A": 1}}, {"image_id": 1}]
    )
    def test_claims_of_another_type_are_refused(self, change):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            self.facts(submods={"container": dict(self.CONTAINER) | change})


class TestSeveralNonces:
    TOKEN = make(CLAIMS | {"eat_nonce": ["the first one", "the other one"]})

    def test_each_of_them_is_answered(self):
        for nonce in (b"the first one", b"the other one"):
            assert verify(self.TOKEN, nonce=nonce).report_data == nonce
        assert verify(self.TOKEN).report_data == b"the first one"
        with refused(Fault.NONCE, VerificationStage.BINDING, match="the other one"):
            verify(self.TOKEN, nonce=b"the first onethe other one")


class TestKeySet:
    KEYS = MappingProxyType({"the key": rsa_key().public_key()})

    def token(self, **header):
        return make(header={"alg": "RS256", "typ": "JWT", "kid": "the key"} | header)

    def test_a_token_without_certificates_is_by_a_key_of_the_set(self):
        proven = verify(self.token(), keys=self.KEYS)
        assert proven.report_data == b"the nonce"
        assert proven.valid_until == MADE + timedelta(seconds=60)

    def test_another_key_or_none_is_refused(self):
        with refused(Fault.UNKNOWN_SIGNER, VerificationStage.SIGNATURE, match="another key"):
            verify(self.token(kid="another key"), keys=self.KEYS)
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL):
            verify(self.token())
        with refused(Fault.SIGNATURE):
            verify(self.token(), keys={"the key": other_rsa_key().public_key()})
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            verify(self.token(), keys={"the key": KEYS[2].public_key()})

    def test_a_key_set_does_not_stand_in_for_certificates(self):
        with refused(Fault.MALFORMED):
            verify(self.token(x5c=[]), keys=self.KEYS)


def test_certificates_may_be_pem_in_the_header():
    signer = certificate("signer", rsa_key(), "host", KEYS[2], authority=False)
    texts = [
        f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
        for text in chain(signer, HOST, ZONE, ROOT)
    ]
    assert verify(make(x5c=texts)).measurements == {"image": b"\xab" * 32}
    with refused(Fault.MALFORMED):
        verify(make(x5c=[texts[0] + texts[1], *texts[2:]]))


def test_a_machine_without_the_container_is_told_as_that():
    claims = CLAIMS | {"swname": "GCE", "submods": {"gce": {"project_id": "p"}}}
    proven = verify(make(claims))
    assert proven.measurements == {}
    with refused(Fault.ATTRIBUTES):
        appraise(proven, Acceptance())


@pytest.mark.parametrize("claims", [b"[]", b"{", b'{"iss": 1, "iss": 2}'])
def test_a_content_of_another_form_is_refused(claims):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(make(claims))


@pytest.mark.parametrize("token", ["", "..", "a.b", "A" * 70_000])
def test_another_form_is_refused(token):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(token)
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(token + "\u0661")


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: f"{part(b)}.{part(b)}.AA"))
def test_arbitrary_text_gives_our_error(token):
    with pytest.raises(EvidenceError):
        verify(token)
