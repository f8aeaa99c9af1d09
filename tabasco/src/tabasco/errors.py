"""Errors of the attestation service.

    VeracruzError
    ├ TabascoError          the operator's side: state, names, keys
    │ ├ DatabaseError       the database cannot be opened, brought up to date or used
    │ ├ ClockError          the clock went back while the service ran
    │ └ BusyError           too much is outstanding; the same request may succeed later
    └ RefusedError
      └ RefusalError        the answer is no, for a `RejectionReason` of the closed set

A caller of the service sees a reason and its sentence, nothing else; `RefusalError.detail` is for
our own log.
"""

from enum import StrEnum
from typing import Self

from veracruz_utils.errors import RefusedError, VeracruzError


class TabascoError(VeracruzError):
    """Something on the operator's side is wrong; the message names it and the remedy."""


class DatabaseError(TabascoError):
    """The database cannot be opened, brought up to date or used."""


class ClockError(TabascoError):
    """The clock went back while the service ran."""


class BusyError(TabascoError):
    """Too much is outstanding; the same request may succeed later."""


class RejectionReason(StrEnum):
    """Why the service says no, and the sentence that a caller gets with it.

    The values are part of the wire and do not change.
    """

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """A reason with its sentence."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.sentence = sentence
        return reason

    PLATFORM_UNKNOWN = (
        "platform-unknown",
        "this service does not verify evidence of this platform",
    )
    CHALLENGE_NOT_LIVE = (
        "challenge-not-live",
        "the challenge is unknown, used or expired, begin a new enrolment",
    )
    KEY_UNSUITABLE = (
        "key-unsuitable",
        "the key is not a P-256 public key in DER SubjectPublicKeyInfo",
    )
    KEY_TAKEN = ("key-taken", "the key is in use elsewhere, enrol a fresh one")
    KEY_REVOKED = ("key-revoked", "the key was revoked, enrol a fresh one")
    POSSESSION_UNPROVEN = (
        "possession-unproven",
        "the proof of possession is not signed by the key to enrol",
    )
    ROOT_UNKNOWN = (
        "root-unknown",
        "the evidence is not signed by a registered root, see tabasco root add",
    )
    ENDORSEMENT_UNKNOWN = (
        "endorsement-unknown",
        "the endorsement certificate leads to no registered root, see tabasco root add",
    )
    KEY_AREA_UNSUITABLE = (
        "key-area-unsuitable",
        "the key is not one that a TPM made for attestation alone: restricted, signing, fixed",
    )
    EVIDENCE_REFUSED = (
        "evidence-refused",
        "the evidence is malformed, forged, or for another challenge or key",
    )
    EVIDENCE_UNACCEPTABLE = (
        "evidence-unacceptable",
        "the evidence is authentic, but no appraisal policy accepts it",
    )
    EVIDENCE_REVOKED = (
        "evidence-revoked",
        "a key, certificate or platform that the evidence rests on is revoked",
    )
    MEASUREMENT_REVOKED = ("measurement-revoked", "what was measured is revoked")
    TOKEN_MALFORMED = (
        "token-malformed",
        "the token is not an RFC 9783 token in COSE_Sign1 with our claims",
    )
    TOKEN_FORGED = (
        "token-forged",
        "the token is not signed by the enrolled instance it names",
    )
    TOKEN_STALE = ("token-stale", "the token answers another challenge, ask for a fresh one")
    TOKEN_NOT_SECURED = ("token-not-secured", "the token's security lifecycle is not secured")
    INSTANCE_UNKNOWN = ("instance-unknown", "the token's instance is not enrolled here")
    INSTANCE_EXPIRED = (
        "instance-expired",
        "the enrolment of the token's instance is over, enrol again",
    )
    INSTANCE_REVOKED = ("instance-revoked", "the token's instance was revoked")
    PLATFORM_MISMATCH = (
        "platform-mismatch",
        "the token names another platform than its instance enrolled with",
    )


class RefusalError(RefusedError):
    """No, because of `reason`; `detail` is a fixed word or code for our own log."""

    def __init__(self, reason: RejectionReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {reason.sentence}")
        self.reason = reason
        self.detail = detail
