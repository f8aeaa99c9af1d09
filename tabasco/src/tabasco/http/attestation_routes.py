"""The routes for everybody: who we are, sessions and evidence, enrolments, tokens."""

from typing import Final

from fastapi import APIRouter, Response

from colima.tabasco import (
    BeginEnrolmentRequest,
    CompleteEnrolmentRequest,
    DescribeServiceRequest,
    RequestCredentialRequest,
    VerifyTokenRequest,
)
from psa_attestation.evidence.native import NativeEvidence
from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.results.ear_claims import EAR_PROFILE
from tabasco.errors import RefusalError, RejectionReason
from tabasco.http import forms
from tabasco.http.context import Given
from tabasco.service.hardware_root import APPRAISED
from tabasco.service.sessions import Submission

router: Final = APIRouter(tags=["attestation"], responses=forms.FAILURES)
_JWT, _CWT = "application/eat+jwt", "application/eat+cwt"


@router.get("/.well-known/jwks.json")
def key_set(context: Given) -> Response:
    """The public halves of the result keys in use (RFC 7517).

    It is as trustworthy as the connection it came by: pin a key where that is not enough.
    """
    headers = {"Cache-Control": "max-age=300"}
    return Response(context.service.key_set(), media_type="application/jwk-set+json",
                    headers=headers)  # fmt: skip


@router.get("/.well-known/tabasco")
def describe(context: Given) -> forms.DescriptionForm:
    """Who answers, and what is verified."""
    described = context.service.describe(DescribeServiceRequest())
    return forms.DescriptionForm(
        verifier=described.verifier,
        result_profile=str(EAR_PROFILE),
        platforms=described.platforms,
        evidence_kinds=tuple(sorted(APPRAISED)),
    )


@router.post("/v1/enrolment-challenges", status_code=201)
def begin_enrolment(wanted: forms.ChallengeRequestForm, context: Given) -> forms.ChallengeForm:
    """Begin the enrolment of a root attester."""
    begun = context.service.begin_enrolment(BeginEnrolmentRequest(wanted.platform))
    return forms.ChallengeForm(challenge=begun.challenge, expires_in_s=begun.expires_in_s)


@router.post("/v1/enrolment-credentials", status_code=201)
def request_credential(wanted: forms.CredentialRequestForm, context: Given) -> forms.CredentialForm:
    """A credential for the attestation key of a TPM, before its enrolment."""
    given = context.service.request_credential(RequestCredentialRequest(**dict(wanted)))
    return forms.CredentialForm(
        credential=given.credential, encrypted_secret=given.encrypted_secret
    )


@router.post("/v1/enrolments", status_code=201)
def enrol(wanted: forms.EnrolmentRequestForm, context: Given) -> forms.EnrolmentForm:
    """Enrol a root attester; when this answers, it is on disk."""
    done = context.service.complete_enrolment(CompleteEnrolmentRequest(**dict(wanted)))
    return forms.EnrolmentForm(instance_id=done.instance_id, expires_in_s=done.expires_in_s)


@router.post("/v1/tokens/verify")
def verify_token(given: forms.TokenForm, context: Given) -> forms.ResultForm:
    """A signed result about a runtime's token."""
    as_jwt = given.format is forms.ResultFormat.JWT
    request = VerifyTokenRequest(given.token, given.challenge, given.pinned_key or b"", as_jwt)
    return _result(context.service.verify_token(request).attestation_result, as_jwt=as_jwt)


@router.post("/v1/sessions", status_code=201)
def open_session(wanted: forms.SessionRequestForm, context: Given) -> forms.SessionForm:
    """A nonce for evidence of an attester."""
    nonce, expires_in_s = context.service.open_session(wanted.kind)
    return forms.SessionForm(nonce=nonce, kind=wanted.kind, expires_in_s=expires_in_s)


@router.post("/v1/sessions/{nonce}/evidence")
def submit_evidence(nonce: str, given: forms.EvidenceForm, context: Given) -> forms.ResultForm:
    """A signed result about the attester whose evidence answers the nonce (base64url)."""
    as_jwt = given.format is forms.ResultFormat.JWT
    native = NativeEvidence(given.kind, given.evidence, given.auxiliary)
    answered = from_base64url(nonce[:64], "the nonce")
    if len(answered) != 32:
        raise RefusalError(RejectionReason.CHALLENGE_NOT_LIVE, "no nonce")
    submission = Submission(answered, given.kind, native.encode(), given.public_key or b"")
    signed = context.service.submit_evidence(
        submission, pinned_key=given.pinned_key or b"", as_jwt=as_jwt
    )
    return _result(signed, as_jwt=as_jwt)


def _result(signed: bytes, *, as_jwt: bool) -> forms.ResultForm:
    if as_jwt:
        return forms.ResultForm(attestation_result=signed.decode(), media_type=_JWT)
    return forms.ResultForm(attestation_result=to_base64url(signed), media_type=_CWT)
