"""The claims of an attestation result, in three generations of EAR, as values and as CBOR members.

The generations share their CBOR keys; what differs is the profile's name, whether the policies are
a list, and the names in JSON (`ear_jwt`). A result is read by the rules of the profile it names and
of no other; what is written is the newest.
"""

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Final

from psa_attestation.cbor.members import (
    array,
    integer,
    mapping,
    octets,
    plain_text,
    refused,
    required,
    text,
)
from psa_attestation.cbor.values import Encodable, Key, Value
from psa_attestation.errors import ErrorCode
from psa_attestation.results.appraisal import INT8, VECTOR_NAMES, Appraisal, Tier, TrustVector
from veracruz_utils.frozen import frozen

EXP, NBF, IAT, NONCE = 4, 5, 6, 10
PROFILE, SUBMODS = 265, 266
STATUS, VECTOR, RAW_EVIDENCE, POLICY_IDS, VERIFIER_ID = 1000, 1001, 1002, 1003, 1004
DEVELOPER, BUILD = 0, 1
MACHINE = -76004
"""Private to us, as claims of our tokens are; who does not know it passes over it."""

# Above that a reader of JSON may round (RFC 8259 section 6).
_TIMES: Final = range(2**53)
_NONCE_SIZES: Final = range(8, 65)  # RFC 9711 section 4.1
_MAX_TEXT: Final = 256
_MAX_SUBMODS: Final = 16
_MAX_POLICIES: Final = 64
_MAX_EVIDENCE: Final = 32 * 1024
_MAX_REGISTERS: Final = 32
_MAX_REGISTER_NAME: Final = 32
_REGISTER_SIZES: Final = (32, 48, 64)


class EarProfile(Enum):
    """A generation of EAR; the value is its `eat_profile`."""

    IETF_03 = "tag:ietf.org,2026:rats/ear#03"
    VERAISON_2023 = "tag:github.com,2023:veraison/ear"
    TRUSTEE_2024 = "tag:github.com,2024:confidential-containers/Trustee"


EAR_PROFILE: Final = EarProfile.IETF_03.value
NEWEST: Final = frozenset({EarProfile.IETF_03})


@frozen
class VerifierId:
    """Who appraised: the verifier's developer and build, texts of at most 256 characters."""

    developer: str
    build: str


@frozen
class Ear:
    """An attestation result.

    Attributes:
        issued_at: in seconds since 1970, UTC.
        expires_at: likewise; from this second on the result is void.
        verifier: who appraised.
        submods: the appraisals by the attester's name; at least one.
        nonce: the nonce of whoever asked for the result, 8 to 64 bytes.
        raw_evidence: the evidence that was appraised, at most 32 KiB.
        profile: the generation it was read in; the newest is the only one that is written.
    """

    issued_at: int
    expires_at: int
    verifier: VerifierId
    submods: Mapping[str, Appraisal]
    nonce: bytes | None = None
    raw_evidence: bytes | None = None
    profile: EarProfile = EarProfile.IETF_03


def encode_ear(ear: Ear) -> dict[int, Encodable]:
    """The members of `ear` by their keys; whether they are well-formed is for `decode_ear`."""
    if ear.profile is not EarProfile.IETF_03:
        raise refused(
            ErrorCode.PROFILE_NOT_ALLOWED, f"results of {ear.profile.value} are only read"
        )
    members: dict[int, Encodable] = {
        EXP: ear.expires_at,
        IAT: ear.issued_at,
        PROFILE: EAR_PROFILE,
        VERIFIER_ID: {DEVELOPER: ear.verifier.developer, BUILD: ear.verifier.build},
        SUBMODS: {name: _encode_appraisal(part) for name, part in ear.submods.items()},
    }
    if ear.nonce is not None:
        members[NONCE] = ear.nonce
    if ear.raw_evidence is not None:
        members[RAW_EVIDENCE] = ear.raw_evidence
    return members


def _encode_appraisal(appraisal: Appraisal) -> dict[int, Encodable]:
    members: dict[int, Encodable] = {STATUS: int(appraisal.status)}
    if appraisal.trust_vector.claims:
        members[VECTOR] = appraisal.trust_vector.claims
    if appraisal.policy_ids:
        members[POLICY_IDS] = appraisal.policy_ids
    if appraisal.nonce is not None:
        members[NONCE] = appraisal.nonce
    if appraisal.machine:
        members[MACHINE] = dict(appraisal.machine)
    return members


def decode_ear(
    value: Value, profiles: Collection[EarProfile], lifetime_s: int | None
) -> tuple[Ear, int]:
    """The result, and the time (`nbf`) before which it is not valid.

    Args:
        value: the members by their keys, whatever they were encoded in.
        profiles: the generations that are read.
        lifetime_s: how long a result that names no end is good for; None refuses it.

    Raises:
        AttestationError: stage `claims`.
    """
    members = mapping(value, "the result")
    profile = _profile(members, profiles)
    issued_at = _time(members, IAT, "iat")
    if EXP in members or lifetime_s is None:
        expires_at = _time(members, EXP, "exp")
    else:
        expires_at = issued_at + lifetime_s
    ear = Ear(
        issued_at=issued_at,
        expires_at=expires_at,
        verifier=_verifier(required(members, VERIFIER_ID, "the verifier id")),
        submods=_submods(required(members, SUBMODS, "submods"), profile),
        nonce=_nonce(members),
        raw_evidence=_raw_evidence(members),
        profile=profile,
    )
    if ear.expires_at <= ear.issued_at:
        raise refused(ErrorCode.CLAIM_VALUE, "the result expires before it is issued")
    return ear, _time(members, NBF, "nbf") if NBF in members else ear.issued_at


def _profile(members: Mapping[Key, Value], profiles: Collection[EarProfile]) -> EarProfile:
    name = text(required(members, PROFILE, "the profile"), "the profile", max_chars=_MAX_TEXT)
    profile = next((each for each in EarProfile if each.value == name), None)
    if profile is None:
        raise refused(ErrorCode.PROFILE_UNKNOWN, f"profile {name[:80]!r} is not one of a result")
    if profile not in profiles:
        raise refused(
            ErrorCode.PROFILE_NOT_ALLOWED, f"results of {profile.value} are not read here"
        )
    return profile


def _time(members: Mapping[Key, Value], key: int, name: str) -> int:
    # RFC 9711 section 4.3.1: a floating-point time is an error.
    return integer(required(members, key, name), name, _TIMES)


def _verifier(value: Value) -> VerifierId:
    members = mapping(value, "the verifier id")
    return VerifierId(
        text(required(members, DEVELOPER, "developer"), "developer", max_chars=_MAX_TEXT),
        text(required(members, BUILD, "build"), "build", max_chars=_MAX_TEXT),
    )


def _submods(value: Value, profile: EarProfile) -> dict[str, Appraisal]:
    members = mapping(value, "submods")
    if not members:
        raise refused(ErrorCode.SUBMODS_EMPTY, "the result appraises nothing")
    if len(members) > _MAX_SUBMODS:
        raise refused(
            ErrorCode.CLAIM_VALUE, f"{len(members)} submods, at most {_MAX_SUBMODS} are read"
        )
    return {
        text(name, "a submod's name", min_chars=1, max_chars=_MAX_TEXT): _appraisal(part, profile)
        for name, part in members.items()
    }


def _appraisal(value: Value, profile: EarProfile) -> Appraisal:
    members = mapping(value, "an appraisal")
    status = Tier(integer(required(members, STATUS, "status"), "status", tuple(Tier)))
    vector = _vector(members[VECTOR]) if VECTOR in members else TrustVector()
    # Who looks at the status alone must not be told better than the worst of the claims.
    if status < vector.worst:
        raise refused(
            ErrorCode.STATUS_BETTER_THAN_VECTOR,
            f"the status is {status.name.lower()}, the vector's worst {vector.worst.name.lower()}",
        )
    machine = _machine(members[MACHINE]) if MACHINE in members else {}
    return Appraisal(status, vector, _policy_ids(members, profile), _nonce(members), machine)


def _machine(value: Value) -> dict[str, bytes]:
    members = mapping(value, "the machine")
    if not 1 <= len(members) <= _MAX_REGISTERS:
        raise refused(
            ErrorCode.CLAIM_VALUE,
            f"the machine has {len(members)} registers, 1 to {_MAX_REGISTERS} are read",
        )
    return {
        plain_text(name, "a register's name", min_chars=1, max_chars=_MAX_REGISTER_NAME): octets(
            measured, "a register's value", _REGISTER_SIZES
        )
        for name, measured in members.items()
    }


def _vector(value: Value) -> TrustVector:
    members = mapping(value, "the trust vector")
    claims: dict[str, int] = {}
    for key, claim in members.items():
        # An unknown claim is refused: the status could not be compared with it.
        index = integer(key, "a trust vector's key", range(len(VECTOR_NAMES)))
        claims[VECTOR_NAMES[index]] = integer(claim, VECTOR_NAMES[index], INT8)
    if not claims:
        raise refused(ErrorCode.CLAIM_VALUE, "the trust vector is empty")
    return TrustVector(**claims)


def _policy_ids(members: Mapping[Key, Value], profile: EarProfile) -> tuple[str, ...]:
    if POLICY_IDS not in members:
        return ()
    if profile is not EarProfile.IETF_03:  # the older two name one
        return (text(members[POLICY_IDS], "the policy id", max_chars=_MAX_TEXT),)
    policies = array(members[POLICY_IDS], "policy ids", max_entries=_MAX_POLICIES)
    if not policies:
        raise refused(ErrorCode.CLAIM_VALUE, "the list of policy ids is empty")
    return tuple(text(policy, "a policy id", max_chars=_MAX_TEXT) for policy in policies)


def _nonce(members: Mapping[Key, Value]) -> bytes | None:
    if NONCE not in members:
        return None
    if isinstance(members[NONCE], list):
        raise refused(ErrorCode.NONCE_MUST_BE_SINGLE, "the nonce is a list, one nonce is expected")
    return octets(members[NONCE], "the nonce", _NONCE_SIZES, ErrorCode.NONCE_LENGTH)


def _raw_evidence(members: Mapping[Key, Value]) -> bytes | None:
    if RAW_EVIDENCE not in members:
        return None
    return octets(members[RAW_EVIDENCE], "the raw evidence", range(_MAX_EVIDENCE + 1))
