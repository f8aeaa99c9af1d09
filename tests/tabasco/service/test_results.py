"""Results: only about authentic, fresh tokens of live instances, for what they enrolled as."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from colima.tabasco import BeginEnrolmentRequest, DescribeServiceRequest, VerifyTokenRequest
from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cose.signing import sign1
from psa_attestation.evidence.software import implementation_id_of
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.runtime import RuntimeClaims
from psa_attestation.tokens.token import mint_token, read_unverified_claims
from support.enrolment import Clock, RootAttester, new_key
from tabasco import RefusalError, RejectionReason
from tabasco.collateral import Store, StoredCollateral
from tabasco.registry.database import Database, sqlite_url
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.public_keys import der_of

PLATFORM = "linux-software-root"
CHALLENGE = bytes(range(32))


def enrol(service, attester):
    begun = service.begin_enrolment(BeginEnrolmentRequest(PLATFORM))
    service.complete_enrolment(attester.enrolment(begun.challenge))
    return attester


@pytest.fixture
def enrolled(service, attester):
    return enrol(service, attester)


def reason(service, token, challenge=CHALLENGE):
    with pytest.raises(RefusalError) as caught:
        service.verify_token(VerifyTokenRequest(token, challenge))
    return caught.value.reason


def claims_of(attester, **changes):
    values = {
        "profile": PsaProfile.RFC9783,
        "nonce": CHALLENGE,
        "client_id": 1,
        "instance_id": attester.instance_id,
        "implementation_id": implementation_id_of(PLATFORM),
        "lifecycle": 0x3000,
        "software_components": (
            SoftwareComponent(bytes(32), sha256(b"s").digest(), "ARoT", "1", "sha-256"),
        ),
        "platform": PLATFORM,
        "certificate_digest": bytes(32),
        "policy_digest": bytes(32),
    }
    return Claims(**{**values, **changes})


def test_a_result_about_a_good_token_says_so_under_our_key(service, enrolled, result_key, clock):
    token = enrolled.token(CHALLENGE)
    signed = service.verify_token(VerifyTokenRequest(token, CHALLENGE)).attestation_result
    at = int(clock().timestamp())
    ear = verify_ear(signed, key=result_key.public_key(), nonce=CHALLENGE, at=at)
    assert (ear.issued_at, ear.expires_at) == (at, at + 300)
    assert (ear.verifier.developer, ear.verifier.build) == ("veracruz-tabasco", "9.9")
    assert ear.raw_evidence == token
    assert list(ear.submods) == ["runtime"]
    appraisal = ear.submods["runtime"]
    assert appraisal.status is Tier.AFFIRMING
    assert appraisal.trust_vector.claims == {0: 2}, "only the instance's identity is affirmed"
    assert appraisal.nonce == CHALLENGE
    assert appraisal.machine == {}, "no hardware measured anything"
    runtime = RuntimeClaims.of(read_unverified_claims(ear.raw_evidence))
    assert runtime.measurement == sha256(b"runtime").digest()


def test_the_service_describes_the_key_it_signs_with(service, result_key):
    described = service.describe(DescribeServiceRequest())
    assert described.verifier == "veracruz-tabasco 9.9"
    assert described.public_key == der_of(result_key.public_key())
    assert described.platforms == ("arm-cca", PLATFORM, "nitro", "sev-snp", "sgx", "tdx", "tpm")


def test_a_token_of_an_instance_that_never_enrolled_is_refused(service, attester):
    assert reason(service, attester.token(CHALLENGE)) is RejectionReason.INSTANCE_UNKNOWN


def test_a_token_is_refused_from_the_instant_its_enrolment_ends(service, enrolled, clock):
    token = enrolled.token(CHALLENGE)
    clock.advance(hours=24, microseconds=-1)
    service.verify_token(VerifyTokenRequest(token, CHALLENGE))
    clock.advance(microseconds=1)
    assert reason(service, token) is RejectionReason.INSTANCE_EXPIRED


def test_no_result_is_given_that_would_be_void_within_the_same_second(service, attester, clock):
    clock.advance(microseconds=600_000)
    enrol(service, attester)
    clock.advance(hours=24, microseconds=-400_000)
    assert reason(service, attester.token(CHALLENGE)) is RejectionReason.INSTANCE_EXPIRED


def test_a_result_does_not_outlive_the_enrolment(service, enrolled, result_key, clock):
    clock.advance(hours=23, minutes=59)
    token = enrolled.token(CHALLENGE)
    signed = service.verify_token(VerifyTokenRequest(token, CHALLENGE)).attestation_result
    at = int(clock().timestamp())
    ear = verify_ear(signed, key=result_key.public_key(), nonce=CHALLENGE, at=at)
    assert ear.expires_at == at + 60


def test_a_token_of_a_revoked_instance_is_refused(service, enrolled, database, clock):
    Instances(database).revoke(enrolled.instance_id, at=clock())
    assert reason(service, enrolled.token(CHALLENGE)) is RejectionReason.INSTANCE_REVOKED


def test_a_token_is_refused_once_the_root_behind_its_instance_is_removed(
    service, enrolled, database, clock
):
    Roots(database).remove("lab", at=clock())
    assert reason(service, enrolled.token(CHALLENGE)) is RejectionReason.INSTANCE_REVOKED


def test_a_revocation_by_another_process_counts_at_once(service, enrolled, url, clock):
    service.verify_token(VerifyTokenRequest(enrolled.token(CHALLENGE), CHALLENGE))
    with Database.open(url) as other:
        Instances(other).revoke(enrolled.instance_id, at=clock())
    assert reason(service, enrolled.token(CHALLENGE)) is RejectionReason.INSTANCE_REVOKED


def test_a_token_for_another_challenge_is_refused(service, enrolled):
    assert reason(service, enrolled.token(bytes(32))) is RejectionReason.TOKEN_STALE


def test_a_token_signed_by_another_key_is_refused(service, enrolled):
    forged = sign1(_payload(enrolled.token(CHALLENGE)), new_key())
    assert reason(service, forged) is RejectionReason.TOKEN_FORGED


def test_a_token_signed_by_another_enrolled_instance_in_our_name_is_refused(
    service, enrolled, root
):
    other = enrol(service, RootAttester(root))
    forged = sign1(_payload(enrolled.token(CHALLENGE)), other.key)
    assert reason(service, forged) is RejectionReason.TOKEN_FORGED


def test_a_token_signed_on_another_curve_is_refused(service, enrolled):
    key = ec.generate_private_key(ec.SECP384R1())
    forged = sign1(_payload(enrolled.token(CHALLENGE)), key)
    assert reason(service, forged) is RejectionReason.TOKEN_MALFORMED


def test_an_instance_does_not_speak_for_another_platform(service, enrolled):
    token = enrolled.token(CHALLENGE, platform="sgx")
    assert reason(service, token) is RejectionReason.PLATFORM_MISMATCH


@pytest.mark.parametrize("lifecycle", [0x4000, 0x5000, 0x6000, 0x2000])
def test_a_token_of_a_device_that_is_not_secured_is_refused(service, enrolled, lifecycle):
    token = mint_token(claims_of(enrolled, lifecycle=lifecycle), enrolled.key)
    assert reason(service, token) is RejectionReason.TOKEN_NOT_SECURED


@pytest.mark.parametrize(
    "changes",
    [
        {"platform": None},
        {"certificate_digest": None},
        {"policy_digest": None},
        {"implementation_id": bytes(32)},
        {"software_components": (SoftwareComponent(bytes(32), bytes(32), "PRoT", "1"),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_token_that_is_not_about_a_runtime_is_refused(service, enrolled, changes):
    token = mint_token(claims_of(enrolled, **changes), enrolled.key)
    assert reason(service, token) is RejectionReason.TOKEN_MALFORMED


def test_enrolment_evidence_is_no_token(service, enrolled):
    evidence = enrolled.root.evidence(CHALLENGE)
    assert reason(service, evidence) is RejectionReason.INSTANCE_UNKNOWN


def test_a_token_with_any_byte_changed_is_refused(service, enrolled):
    good = enrolled.token(CHALLENGE)
    for position in range(0, len(good), 3):
        changed = bytearray(good)
        changed[position] ^= 0x10
        assert reason(service, bytes(changed)).startswith(("token-", "instance-unknown"))


def test_a_token_cut_anywhere_is_refused(service, enrolled):
    good = enrolled.token(CHALLENGE)
    for size in range(0, len(good), 7):
        assert reason(service, good[:size]) is RejectionReason.TOKEN_MALFORMED
    assert reason(service, good + b"\0") is RejectionReason.TOKEN_MALFORMED


@given(noise=st.binary(max_size=300))
def test_noise_for_a_token_is_refused(noise, noise_service):
    assert reason(noise_service, noise) is RejectionReason.TOKEN_MALFORMED


@pytest.fixture(scope="module")
def noise_service(tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "tabasco.db"
    with Database.open(sqlite_url(path)) as database:
        yield AttestationService(
            database=database,
            key_ring=KeyRing.single(new_key()),
            build="1",
            now=Clock(),
            settings=Settings(),
            source=StoredCollateral(Store(path.parent / "collateral")),
        )


def _payload(token):
    """The claims of a token, as they were signed."""
    return decode(token, DecodeLimits(tags=frozenset({18}))).value[2]
