import hashlib

import pytest

from psa_attestation.errors import ErrorCode, Stage
from psa_attestation.evidence.software import (
    ENROLMENT_AUDIENCE,
    ENROLMENT_LABEL,
    LINUX_SOFTWARE_PLATFORM,
    SoftwareEvidence,
    enrolment_binding,
    implementation_id_of,
    mint_software_evidence,
    verify_software_evidence,
)
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.runtime import mint_runtime_token
from psa_attestation.tokens.token import mint_token, read_unverified_claims
from support.psa_tokens import DEVICE, INSTANCE, STRANGER, key_for, refused

BINDING = bytes(range(50, 82))
MEASUREMENT = b"\x11" * 32
EVIDENCE = mint_software_evidence(
    root_key=DEVICE, measurement=MEASUREMENT, version="0.1.0", binding=BINDING
)
CLAIMS = read_unverified_claims(EVIDENCE)
ENROLMENT = {
    "platform": LINUX_SOFTWARE_PLATFORM,
    "audience": ENROLMENT_AUDIENCE,
    "challenge": bytes(32),
    "public_key": b"public key",
}


def verify(evidence, **changes):
    return verify_software_evidence(evidence, **{"key_for": key_for, "binding": BINDING} | changes)


def minted(**changes):
    return mint_token(
        Claims(**{name: getattr(CLAIMS, name) for name in Claims.__slots__} | changes), DEVICE
    )


def test_evidence_says_what_was_measured():
    assert verify(EVIDENCE) == SoftwareEvidence(INSTANCE, MEASUREMENT, "0.1.0")


def test_evidence_says_that_there_is_no_hardware_behind_it():
    assert CLAIMS.platform == LINUX_SOFTWARE_PLATFORM == "linux-software-root"
    expected = hashlib.sha256(b"veracruz-platform:linux-software-root").digest()
    assert CLAIMS.implementation_id == implementation_id_of(LINUX_SOFTWARE_PLATFORM) == expected


def test_evidence_over_another_binding_is_refused():
    with refused(ErrorCode.NONCE_MISMATCH, Stage.FRESHNESS):
        verify(EVIDENCE, binding=bytes(32))


def test_evidence_of_an_unknown_root_is_refused():
    with refused(ErrorCode.UNKNOWN_INSTANCE, Stage.KEY):
        verify(EVIDENCE, key_for=lambda _: None)


def test_evidence_signed_by_another_key_is_refused():
    with refused(ErrorCode.SIGNATURE):
        verify(EVIDENCE, key_for=lambda _: STRANGER.public_key())


@pytest.mark.parametrize(
    "platform", [None, "", "sgx", "linux-software-root ", "Linux-Software-Root"]
)
def test_evidence_of_another_platform_is_refused(platform):
    with refused(ErrorCode.PLATFORM_MISMATCH, Stage.BINDING):
        verify(minted(platform=platform))


def test_a_token_about_a_runtime_is_no_evidence_even_under_the_same_key():
    token = mint_runtime_token(
        key=DEVICE,
        challenge=BINDING,
        platform=LINUX_SOFTWARE_PLATFORM,
        runtime_measurement=MEASUREMENT,
        runtime_version="0.1.0",
        certificate_digest=bytes(32),
        policy_digest=bytes(32),
        isolation=frozenset(),
    )
    with refused(ErrorCode.TYPE_CONFUSION, Stage.BINDING):
        verify(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate_digest": bytes(32)},
        {"policy_digest": bytes(32)},
        {"implementation_id": bytes(32)},
        {"software_components": CLAIMS.software_components * 2},
        {"software_components": (SoftwareComponent(MEASUREMENT, bytes(32), "ARoT", "1"),)},
        {"software_components": (SoftwareComponent(MEASUREMENT, bytes(32), "PRoT"),)},
        {"software_components": (SoftwareComponent(MEASUREMENT, bytes(32), None, "1"),)},
    ],
)
def test_a_token_for_another_purpose_is_no_evidence(changes):
    with refused(ErrorCode.TYPE_CONFUSION, Stage.BINDING):
        verify(minted(**changes))


def test_evidence_from_a_device_under_debug_is_refused():
    with refused(ErrorCode.LIFECYCLE_UNTRUSTED):
        verify(minted(lifecycle=0x4000))


def test_evidence_has_the_newest_profile():
    assert CLAIMS.profile is PsaProfile.RFC9783


def test_the_binding_is_the_documented_transcript():
    parts = [
        ENROLMENT_LABEL.encode(),
        b"root-attester",
        b"linux-software-root",
        b"tabasco",
        bytes(32),
        hashlib.sha256(b"public key").digest(),
    ]
    transcript = b"".join(len(part).to_bytes(8) + part for part in parts)
    assert enrolment_binding(**ENROLMENT) == hashlib.sha256(transcript).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"platform": "sgx"},
        {"audience": "durango"},
        {"challenge": b"\x01" * 32},
        {"challenge": bytes(31)},
        {"public_key": b"public kez"},
        {"platform": "linux-software-roottabasco", "audience": ""},
    ],
)
def test_the_binding_covers_every_part(change):
    assert enrolment_binding(**ENROLMENT | change) != enrolment_binding(**ENROLMENT)
