"""Credentials for the keys of TPMs: for whom, how long, and what comes back."""

from datetime import timedelta

import pytest

from colima.tabasco import RequestCredentialRequest
from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from support import endorsements
from support.refused_evidence import refused
from support.throwaway_chain import NOON
from support.tpm_keys import activated, ecc_area
from support.tpm_quotes import rsa_key
from tabasco.errors import RefusalError, RejectionReason
from tabasco.registry.challenges import Challenges
from tabasco.registry.roots import Roots
from tabasco.service.credentials import Credentials
from tabasco.verify import Fault
from tabasco.verify.tpm.key_area import attestation_key
from veracruz_utils.secret import Secret

VALIDITY = timedelta(seconds=120)
AREA = ecc_area()
KEY = Secret(b"k" * 32)


@pytest.fixture
def challenges(database):
    return Challenges(database, key=KEY, validity=VALIDITY, limit=9)


@pytest.fixture
def roots(database):
    roots = Roots(database)
    roots.add_manufacturer("maker", endorsements.ROOT.der, at=NOON)
    return roots


@pytest.fixture
def credentials(challenges, roots):
    return Credentials(challenges=challenges, roots=roots, key=KEY)


@pytest.fixture
def challenge(challenges):
    return challenges.issue("tpm", at=NOON)


CERTIFICATE = endorsements.made()


def request(challenge, *, platform="tpm", certificate=CERTIFICATE, area=AREA):
    return RequestCredentialRequest(
        challenge, platform, certificate, endorsements.BETWEEN.pem, area
    )


def evidence(secret, *, certificate=CERTIFICATE, area=AREA):
    return NativeEvidence(
        "tpm",
        b"{}",
        {
            AuxiliaryPart.ACTIVATED_SECRET: secret,
            AuxiliaryPart.KEY_AREA: area,
            AuxiliaryPart.ENDORSEMENT_CERTIFICATE: certificate,
            AuxiliaryPart.ENDORSEMENT_AUTHORITIES: endorsements.BETWEEN.pem,
        },
    )


def activated_secret(credentials, challenge, area=AREA):
    made = credentials.give(request(challenge, area=area), at=NOON)
    return activated(rsa_key(), attestation_key(area).name, made)


def refusal(call):
    with pytest.raises(RefusalError) as caught:
        call()
    return caught.value.reason


def test_the_secret_that_a_tpm_gives_away_proves_its_key(credentials, challenge, roots):
    secret = activated_secret(credentials, challenge)
    found = credentials.proven(evidence(secret), challenge=challenge, at=NOON)
    assert found.public_key == attestation_key(AREA).public_key
    (root,) = roots.manufacturers()
    assert credentials.root_number(found.endorsement) == root.number


def test_evidence_that_proves_nothing_is_left_to_the_policy(credentials, challenge):
    nothing = NativeEvidence("tpm", b"{}", {})
    assert credentials.proven(nothing, challenge=challenge, at=NOON) is None


def test_a_secret_is_for_its_challenge_and_its_keys(credentials, challenges, challenge):
    secret = activated_secret(credentials, challenge)
    other = ecc_area(attributes=0x50072)  # with protection against guessing: another name
    stranger = endorsements.made(
        key=endorsements.BETWEEN.key.public_key(), enciphers=False, agrees=True
    )
    for changed, asked in (
        (evidence(secret), challenges.issue("tpm", at=NOON)),
        (evidence(secret, area=other), challenge),
        (evidence(secret, certificate=stranger), challenge),
        (evidence(secret[:-1]), challenge),
        (evidence(b""), challenge),
    ):
        with refused(Fault.KEY_BINDING, match="is not of the credential for this challenge"):
            credentials.proven(changed, challenge=asked, at=NOON)


def test_a_secret_is_worth_nothing_to_a_service_with_another_key(challenges, roots, challenge):
    ours = Credentials(challenges=challenges, roots=roots, key=KEY)
    theirs = Credentials(challenges=challenges, roots=roots, key=Secret(b"o" * 32))
    secret = activated_secret(theirs, challenge)
    with refused(Fault.KEY_BINDING):
        ours.proven(evidence(secret), challenge=challenge, at=NOON)


def test_a_challenge_has_to_be_live_and_stays_so(credentials, challenges, challenge):
    for _ in range(3):
        credentials.give(request(challenge), at=NOON)
    late = NOON + VALIDITY
    for asked, at in ((challenge, late), (bytes(32), NOON)):
        reason = refusal(lambda asked=asked, at=at: credentials.give(request(asked), at=at))
        assert reason is RejectionReason.CHALLENGE_NOT_LIVE
    other = refusal(lambda: credentials.give(request(challenge, platform="tdx"), at=NOON))
    assert other is RejectionReason.CHALLENGE_NOT_LIVE
    challenges.use(challenge, "tpm", at=NOON)
    used = refusal(lambda: credentials.give(request(challenge), at=NOON))
    assert used is RejectionReason.CHALLENGE_NOT_LIVE


def test_a_root_that_is_removed_counts_no_more(credentials, challenge, roots):
    secret = activated_secret(credentials, challenge)
    found = credentials.proven(evidence(secret), challenge=challenge, at=NOON)
    roots.remove("maker", at=NOON)
    reason = refusal(lambda: credentials.give(request(challenge), at=NOON))
    assert reason is RejectionReason.ENDORSEMENT_UNKNOWN
    with refused(Fault.UNKNOWN_ROOT):
        credentials.proven(evidence(secret), challenge=challenge, at=NOON)
    gone = refusal(lambda: credentials.root_number(found.endorsement))
    assert gone is RejectionReason.ROOT_UNKNOWN


@pytest.mark.parametrize("certificate", [b"", b"0\x00", endorsements.ROOT.der])
def test_what_is_no_endorsement_gets_no_credential(credentials, challenge, certificate):
    reason = refusal(lambda: credentials.give(request(challenge, certificate=certificate), at=NOON))
    assert reason is RejectionReason.ENDORSEMENT_UNKNOWN


@pytest.mark.parametrize("area", [b"", ecc_area(attributes=0x40472), AREA + b"\0"])
def test_what_is_no_attestation_key_gets_no_credential(credentials, challenge, area):
    reason = refusal(lambda: credentials.give(request(challenge, area=area), at=NOON))
    assert reason is RejectionReason.KEY_AREA_UNSUITABLE
