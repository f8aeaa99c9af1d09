"""Errors of the attestation service.

    VeracruzError
    ├ TabascoError          the operator's side: state, names, keys
    │ ├ DatabaseError       the database cannot be opened, brought up to date or used
    │ └ BusyError           too much is outstanding; the same request may succeed later
    └ RefusedError
      └ RefusalError        the answer is no, for a `Reason` of the closed set

A caller of the service sees a reason and its sentence, nothing else; `RefusalError.detail` is for
our own log.
"""

from enum import StrEnum
from typing import Final

from veracruz_utils.errors import RefusedError, VeracruzError


class TabascoError(VeracruzError):
    """Something on the operator's side is wrong; the message names it and the remedy."""


class DatabaseError(TabascoError):
    """The database cannot be opened, brought up to date or used."""


class BusyError(TabascoError):
    """Too much is outstanding; the same request may succeed later."""


class Reason(StrEnum):
    """Why the service says no; the values are part of the wire and do not change."""

    PLATFORM_UNKNOWN = "platform-unknown"
    CHALLENGE_NOT_LIVE = "challenge-not-live"
    KEY_UNSUITABLE = "key-unsuitable"
    KEY_TAKEN = "key-taken"
    KEY_REVOKED = "key-revoked"
    POSSESSION_UNPROVEN = "possession-unproven"
    ROOT_UNKNOWN = "root-unknown"
    EVIDENCE_REFUSED = "evidence-refused"
    EVIDENCE_UNACCEPTABLE = "evidence-unacceptable"
    MEASUREMENT_REVOKED = "measurement-revoked"
    TOKEN_MALFORMED = "token-malformed"  # noqa: S105 - a reason, not a password
    TOKEN_FORGED = "token-forged"  # noqa: S105 - a reason, not a password
    TOKEN_STALE = "token-stale"  # noqa: S105 - a reason, not a password
    TOKEN_NOT_SECURED = "token-not-secured"  # noqa: S105 - a reason, not a password
    INSTANCE_UNKNOWN = "instance-unknown"
    INSTANCE_EXPIRED = "instance-expired"
    INSTANCE_REVOKED = "instance-revoked"
    PLATFORM_MISMATCH = "platform-mismatch"


SENTENCES: Final[dict[Reason, str]] = {
    Reason.PLATFORM_UNKNOWN: "this service verifies no such platform",
    Reason.CHALLENGE_NOT_LIVE: "the challenge is unknown, used or expired, begin a new enrolment",
    Reason.KEY_UNSUITABLE: "the key is not a P-256 public key in DER SubjectPublicKeyInfo",
    Reason.KEY_TAKEN: "the key is already known in another place, enrol a fresh one",
    Reason.KEY_REVOKED: "the key was revoked, enrol a fresh one",
    Reason.POSSESSION_UNPROVEN: "the proof of possession is not by the key to enrol",
    Reason.ROOT_UNKNOWN: "the evidence is by no registered root, see tabasco root add",
    Reason.EVIDENCE_REFUSED: "the evidence is malformed, forged, or for another challenge or key",
    Reason.EVIDENCE_UNACCEPTABLE: "the evidence is authentic, no appraisal policy accepts it",
    Reason.MEASUREMENT_REVOKED: "what was measured is revoked",
    Reason.TOKEN_MALFORMED: "the token is not an RFC 9783 token in COSE_Sign1 with our claims",
    Reason.TOKEN_FORGED: "the token's signature is not by the enrolled instance it names",
    Reason.TOKEN_STALE: "the token answers another challenge, ask for a fresh one",
    Reason.TOKEN_NOT_SECURED: "the token's security lifecycle is not secured",
    Reason.INSTANCE_UNKNOWN: "the token's instance is not enrolled here",
    Reason.INSTANCE_EXPIRED: "the enrolment of the token's instance is over, enrol again",
    Reason.INSTANCE_REVOKED: "the token's instance was revoked",
    Reason.PLATFORM_MISMATCH: "the token names another platform than its instance enrolled with",
}
"""What a caller is told for each reason, after the reason itself."""


class RefusalError(RefusedError):
    """No, because of `reason`; `detail` is a fixed word or code for our own log."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {SENTENCES[reason]}")
        self.reason = reason
        self.detail = detail
