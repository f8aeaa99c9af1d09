import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from support.jwts import part, parts
from support.nitro_documents import HOST, KEYS, LEAF, MADE, ROOT, ZONE, certificate
from support.refused_evidence import refused
from support.tpm_quotes import rsa_key
from tabasco.appraisal.checks import Acceptance, appraise
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
    return verify_confidential_space(make() if token is None else token, **arguments | changes)


class TestPublishedToken:
    TOKEN = (OWN / "tdx-2025.jwt").read_text().strip()
    START = datetime(2025, 9, 5, 8, 17, 30, tzinfo=UTC)
    END = datetime(2025, 9, 5, 9, 17, 30, tzinfo=UTC)

    def verify(self, token=TOKEN, at=START):
        return verify_confidential_space(token, at=at, audience="z08381475938604996746")

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
            verify_confidential_space(self.TOKEN, at=self.START, audience="veracruz")

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
    proven = verify(nonce="the nonce")
    assert proven.measurements == {"image": b"\xab" * 32}
    assert proven.report_data == b"the nonce"
    assert not proven.debug
    with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
        verify_confidential_space(make(), at=MADE, audience="veracruz")


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
    with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN):
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
        ({"eat_nonce": ["the nonce"]}, Fault.MALFORMED),
        ({"eat_nonce": ""}, Fault.MALFORMED),
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


@pytest.mark.parametrize("nonce", ["", "The nonce", "the nonce ", "\u00e9"])
def test_another_nonce_is_refused(nonce):
    with refused(Fault.NONCE, VerificationStage.BINDING):
        verify(nonce=nonce)


@pytest.mark.parametrize("claims", [b"[]", b"{", b'{"iss": 1, "iss": 2}'])
def test_a_content_of_another_form_is_refused(claims):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(make(claims))


@pytest.mark.parametrize("token", ["", "..", "a.b", "A" * 40_000])
def test_another_form_is_refused(token):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(token)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: f"{part(b)}.{part(b)}.AA"))
def test_arbitrary_text_gives_our_error(token):
    with pytest.raises(EvidenceError):
        verify(token)
