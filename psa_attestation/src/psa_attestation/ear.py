"""Attestation results: EAR as a CWT in a COSE_Sign1 (draft-ietf-rats-ear-03).

Written and read in the draft's newest profile only. The one key that may sign is the caller's:
what a header says about keys is not looked at.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation._fields import array, integer, mapping, octets, refused, required, text
from psa_attestation.appraisal import INT8, VECTOR_NAMES, Appraisal, Tier, TrustVector
from psa_attestation.cbor import ANY_TAG, DecodeLimits, Encodable, Key, Value, decode, encode
from psa_attestation.cose import sign1, verify1
from psa_attestation.errors import AttestationError, Code, Stage

EAR_PROFILE: Final = "tag:ietf.org,2026:rats/ear#03"

_EXP, _NBF, _IAT, _NONCE = 4, 5, 6, 10
_PROFILE, _SUBMODS = 265, 266
_STATUS, _VECTOR, _RAW_EVIDENCE, _POLICY_IDS, _VERIFIER_ID = 1000, 1001, 1002, 1003, 1004
_DEVELOPER, _BUILD = 0, 1

_TIMES: Final = range(2**53)
_NONCE_SIZES: Final = range(8, 65)  # RFC 9711 section 4.1
_MAX_TEXT: Final = 256
_MAX_SUBMODS: Final = 16
_MAX_POLICIES: Final = 64
_MAX_EVIDENCE: Final = 32 * 1024
_LIMITS: Final = DecodeLimits(max_depth=12, max_items=2048, tags=ANY_TAG)


@dataclass(frozen=True, slots=True)
class VerifierId:
    """Who appraised: the verifier's developer and build, texts of at most 256 characters."""

    developer: str
    build: str


@dataclass(frozen=True, slots=True)
class Ear:
    """An attestation result.

    Attributes:
        issued_at: in seconds since 1970, UTC.
        expires_at: likewise; from this second on the result is void.
        verifier: who appraised.
        submods: the appraisals by the attester's name; at least one.
        nonce: the nonce of whoever asked for the result, 8 to 64 bytes.
        raw_evidence: the evidence that was appraised, at most 32 KiB.
    """

    issued_at: int
    expires_at: int
    verifier: VerifierId
    submods: Mapping[str, Appraisal]
    nonce: bytes | None = None
    raw_evidence: bytes | None = None


def sign_ear(ear: Ear, key: ec.EllipticCurvePrivateKey) -> bytes:
    """`ear` as a CWT (COSE_Sign1, tag 18) signed by `key`.

    Raises:
        AttestationError: `ear` is not well-formed: we sign nothing that we would refuse.
    """
    payload = encode(_encode_ear(ear))
    _decode_ear(decode(payload, _LIMITS))
    return sign1(payload, key)


def verify_ear(
    data: bytes, *, key: ec.EllipticCurvePublicKey, nonce: bytes, at: int, leeway_s: int = 0
) -> Ear:
    """The attestation result in `data`, authentic, fresh and valid at `at`.

    It may well say that the attester is not to be trusted: the caller looks at each appraisal.

    Args:
        data: a CWT (COSE_Sign1, tag 18).
        key: the verifier's published key.
        nonce: what the caller sent to the verifier.
        at: the caller's time in seconds since 1970.
        leeway_s: by how many seconds the two clocks may differ.

    Raises:
        AttestationError: anything else.
    """
    ear, not_before = _decode_ear(decode(verify1(data, key), _LIMITS))
    _check_time(ear, not_before, at, leeway_s)
    if ear.nonce is None:
        raise refused(Code.MISSING_CLAIM, "the result carries no nonce")
    if not hmac.compare_digest(ear.nonce, nonce):
        raise AttestationError(
            Code.NONCE_MISMATCH,
            Stage.FRESHNESS,
            f"the result answers nonce {ear.nonce.hex()}, expected {nonce.hex()}",
        )
    return ear


def _check_time(ear: Ear, not_before: int, at: int, leeway_s: int) -> None:
    if at - leeway_s >= ear.expires_at:
        raise AttestationError(
            Code.EXPIRED,
            Stage.FRESHNESS,
            f"the result expired at {ear.expires_at}, it is {at}: ask for a new one",
        )
    if at + leeway_s < max(ear.issued_at, not_before):
        raise AttestationError(
            Code.NOT_YET_VALID,
            Stage.FRESHNESS,
            f"the result is of {ear.issued_at}, it is {at}: compare the clocks",
        )


def _encode_ear(ear: Ear) -> dict[int, Encodable]:
    members: dict[int, Encodable] = {
        _EXP: ear.expires_at,
        _IAT: ear.issued_at,
        _PROFILE: EAR_PROFILE,
        _VERIFIER_ID: {_DEVELOPER: ear.verifier.developer, _BUILD: ear.verifier.build},
        _SUBMODS: {name: _encode_appraisal(part) for name, part in ear.submods.items()},
    }
    if ear.nonce is not None:
        members[_NONCE] = ear.nonce
    if ear.raw_evidence is not None:
        members[_RAW_EVIDENCE] = ear.raw_evidence
    return members


def _encode_appraisal(appraisal: Appraisal) -> dict[int, Encodable]:
    members: dict[int, Encodable] = {_STATUS: int(appraisal.status)}
    if appraisal.trust_vector.claims:
        members[_VECTOR] = appraisal.trust_vector.claims
    if appraisal.policy_ids:
        members[_POLICY_IDS] = appraisal.policy_ids
    if appraisal.nonce is not None:
        members[_NONCE] = appraisal.nonce
    return members


def _decode_ear(value: Value) -> tuple[Ear, int]:
    """The result, and the time (`nbf`) before which it is not valid."""
    members = mapping(value, "the result")
    profile = text(required(members, _PROFILE, "the profile"), "the profile", max_chars=_MAX_TEXT)
    if profile != EAR_PROFILE:
        raise refused(
            Code.PROFILE_UNKNOWN, f"the result has profile {profile[:80]!r}, not {EAR_PROFILE}"
        )
    ear = Ear(
        issued_at=_time(members, _IAT, "iat"),
        expires_at=_time(members, _EXP, "exp"),
        verifier=_verifier(required(members, _VERIFIER_ID, "the verifier id")),
        submods=_submods(required(members, _SUBMODS, "submods")),
        nonce=_nonce(members),
        raw_evidence=_raw_evidence(members),
    )
    if ear.expires_at <= ear.issued_at:
        raise refused(Code.CLAIM_VALUE, "the result expires before it is issued")
    return ear, _time(members, _NBF, "nbf") if _NBF in members else ear.issued_at


def _time(members: Mapping[Key, Value], key: int, name: str) -> int:
    # RFC 9711 section 4.3.1: a floating-point time is an error.
    return integer(required(members, key, name), name, _TIMES)


def _verifier(value: Value) -> VerifierId:
    members = mapping(value, "the verifier id")
    return VerifierId(
        text(required(members, _DEVELOPER, "developer"), "developer", max_chars=_MAX_TEXT),
        text(required(members, _BUILD, "build"), "build", max_chars=_MAX_TEXT),
    )


def _submods(value: Value) -> dict[str, Appraisal]:
    members = mapping(value, "submods")
    if not members:
        raise refused(Code.SUBMODS_EMPTY, "the result appraises nothing")
    if len(members) > _MAX_SUBMODS:
        raise refused(Code.CLAIM_VALUE, f"{len(members)} submods, at most {_MAX_SUBMODS} are read")
    return {
        text(name, "a submod's name", min_chars=1, max_chars=_MAX_TEXT): _appraisal(part)
        for name, part in members.items()
    }


def _appraisal(value: Value) -> Appraisal:
    members = mapping(value, "an appraisal")
    status = Tier(integer(required(members, _STATUS, "status"), "status", tuple(Tier)))
    vector = _vector(members[_VECTOR]) if _VECTOR in members else TrustVector()
    if status < vector.worst:
        raise refused(
            Code.STATUS_BETTER_THAN_VECTOR,
            f"the status is {status.name.lower()}, the vector's worst {vector.worst.name.lower()}",
        )
    return Appraisal(status, vector, _policy_ids(members), _nonce(members))


def _vector(value: Value) -> TrustVector:
    members = mapping(value, "the trust vector")
    claims: dict[str, int] = {}
    for key, claim in members.items():
        # An unknown claim is refused: the status could not be compared with it.
        index = integer(key, "a trust vector's key", range(len(VECTOR_NAMES)))
        claims[VECTOR_NAMES[index]] = integer(claim, VECTOR_NAMES[index], INT8)
    if not claims:
        raise refused(Code.CLAIM_VALUE, "the trust vector is empty")
    return TrustVector(**claims)


def _policy_ids(members: Mapping[Key, Value]) -> tuple[str, ...]:
    if _POLICY_IDS not in members:
        return ()
    policies = array(members[_POLICY_IDS], "policy ids", max_entries=_MAX_POLICIES)
    if not policies:
        raise refused(Code.CLAIM_VALUE, "the list of policy ids is empty")
    return tuple(text(policy, "a policy id", max_chars=_MAX_TEXT) for policy in policies)


def _nonce(members: Mapping[Key, Value]) -> bytes | None:
    if _NONCE not in members:
        return None
    if isinstance(members[_NONCE], list):
        raise refused(Code.NONCE_MUST_BE_SINGLE, "the nonce is a list, one nonce is expected")
    return octets(members[_NONCE], "the nonce", _NONCE_SIZES, Code.NONCE_LENGTH)


def _raw_evidence(members: Mapping[Key, Value]) -> bytes | None:
    if _RAW_EVIDENCE not in members:
        return None
    return octets(members[_RAW_EVIDENCE], "the raw evidence", range(_MAX_EVIDENCE + 1))
