"""Attestation results in JSON: EAR as a JWT (draft-ietf-rats-ear-03, RFC 7519, RFC 8725).

The names of the claims changed between the generations (`ear.status`, later `ear_status`), so which
names count follows from `eat_profile` alone. Byte strings are base64url without padding. Every
member is brought under its CBOR key and judged by the one set of rules in `ear_claims`.
"""

from collections.abc import Collection, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.members import refused
from psa_attestation.cbor.values import Key, Value
from psa_attestation.errors import ErrorCode
from psa_attestation.jose.base64url import from_base64url, to_base64url
from psa_attestation.jose.jws import sign_jws, verify_jws
from psa_attestation.jose.strict_json import decode_json, encode_json
from psa_attestation.results.appraisal import VECTOR_NAMES, Appraisal, Tier
from psa_attestation.results.ear import check_nonce, check_time
from psa_attestation.results.ear_claims import (
    BUILD,
    DEVELOPER,
    EXP,
    IAT,
    MACHINE,
    NBF,
    NEWEST,
    NONCE,
    POLICY_IDS,
    PROFILE,
    RAW_EVIDENCE,
    STATUS,
    SUBMODS,
    VECTOR,
    VERIFIER_ID,
    Ear,
    EarProfile,
    decode_ear,
)
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

_TYPES: Final = frozenset({"jwt", "eat+jwt", "ear+jwt"})
_TYPE: Final = "application/eat+jwt"
_BYTES: Final = frozenset({NONCE, RAW_EVIDENCE})
_TIERS: Final = {tier.name.lower(): int(tier) for tier in Tier}
_CLAIMS: Final = {name.replace("_", "-"): key for key, name in enumerate(VECTOR_NAMES)}
_VERIFIER: Final = {"developer": DEVELOPER, "build": BUILD}


@frozen
class _Names:
    """The keys of the claims by their JSON names, of the result and of an appraisal."""

    result: Mapping[str, int]
    appraisal: Mapping[str, int]


_COMMON: Final = {
    "eat_profile": PROFILE,
    "iat": IAT,
    "exp": EXP,
    "nbf": NBF,
    "eat_nonce": NONCE,
    "submods": SUBMODS,
}
_UNDERSCORES: Final = _Names(
    _COMMON | {"ear_verifier_id": VERIFIER_ID, "ear_raw_evidence": RAW_EVIDENCE},
    {
        "ear_status": STATUS,
        "ear_trustworthiness_vector": VECTOR,
        "ear_appraisal_policy_ids": POLICY_IDS,
        "eat_nonce": NONCE,
        "veracruz_machine": MACHINE,
    },
)
_DOTS: Final = _Names(
    _COMMON | {"ear.verifier-id": VERIFIER_ID, "ear.raw-evidence": RAW_EVIDENCE},
    {
        "ear.status": STATUS,
        "ear.trustworthiness-vector": VECTOR,
        "ear.appraisal-policy-id": POLICY_IDS,
        "eat_nonce": NONCE,
    },
)


def sign_ear_jwt(ear: Ear, key: ec.EllipticCurvePrivateKey, *, kid: str | None = None) -> str:
    """`ear` as a JWT signed by `key`, which the header calls `kid`.

    Raises:
        AttestationError: `ear` is not well-formed: we sign nothing that we would refuse.
    """
    payload = encode_json(_to_json(ear))
    decode_ear(_from_json(decode_json(payload)), NEWEST, None)
    return sign_jws(payload, key, typ=_TYPE, kid=kid)


def verify_ear_jwt(
    token: str,
    *,
    keys: Mapping[str, ec.EllipticCurvePublicKey],
    nonce: bytes | None,
    at: int,
    leeway_s: int = 0,
    profiles: Collection[EarProfile] = NEWEST,
    lifetime_s: int | None = None,
) -> Ear:
    """The attestation result in `token`, authentic, fresh and valid at `at`.

    It may well say that the attester is not to be trusted: the caller looks at each appraisal.

    Args:
        token: a compact JWS.
        keys: the verifier's published keys, by their kid.
        nonce: what the caller sent to the verifier; None where it sent nothing, and relies on time.
        at: the caller's time in seconds since 1970.
        leeway_s: by how many seconds the two clocks may differ.
        profiles: the generations of EAR that are read.
        lifetime_s: how long a result that names no end is good for; None refuses it.

    Raises:
        AttestationError: anything else.
    """
    document = decode_json(verify_jws(token, keys, types=_TYPES))
    ear, not_before = decode_ear(_from_json(document), profiles, lifetime_s)
    check_time(ear, not_before, at, leeway_s)
    if nonce is not None:
        check_nonce(ear, nonce)
    return ear


def _from_json(document: JsonValue) -> Value:
    """The members of a result by their CBOR keys; those that nobody knows are left out."""
    if not isinstance(document, dict):
        raise refused(ErrorCode.CLAIM_TYPE, "the result is not an object")
    dotted = document.get("eat_profile") in (
        EarProfile.VERAISON_2023.value,
        EarProfile.TRUSTEE_2024.value,
    )
    names = _DOTS if dotted else _UNDERSCORES
    members = _renamed(document, names.result)
    if isinstance(verifier := document.get(_name(names.result, VERIFIER_ID)), dict):
        members[VERIFIER_ID] = dict(_renamed(verifier, _VERIFIER))
    if isinstance(submods := document.get("submods"), dict):
        members[SUBMODS] = {name: _appraisal(part, names) for name, part in submods.items()}
    return members


def _appraisal(value: JsonValue, names: _Names) -> Value:
    if not isinstance(value, dict):
        return _plain(value)
    members = _renamed(value, names.appraisal)
    status = members.get(STATUS)
    if isinstance(status, str):
        members[STATUS] = _TIERS.get(status, -1)
    elif status is not None:
        raise refused(ErrorCode.CLAIM_TYPE, "the status is not text")
    if isinstance(vector := value.get(_name(names.appraisal, VECTOR)), dict):
        members[VECTOR] = {_claim(name): _plain(claim) for name, claim in vector.items()}
    if isinstance(machine := members.get(MACHINE), dict):
        members[MACHINE] = {name: _octets(measured) for name, measured in machine.items()}
    return members


def _octets(value: Value) -> Value:
    return from_base64url(value, "a register's value") if isinstance(value, str) else value


def _claim(name: str) -> int:
    # An unknown claim is refused: the status could not be compared with it.
    if name not in _CLAIMS:
        raise refused(
            ErrorCode.CLAIM_VALUE, f"the trust vector claims {name[:40]!r}, which is unknown"
        )
    return _CLAIMS[name]


def _renamed(members: Mapping[str, JsonValue], names: Mapping[str, int]) -> dict[Key, Value]:
    renamed: dict[Key, Value] = {}
    for name, key in names.items():
        if name in members:
            value = _plain(members[name])
            if key in _BYTES and isinstance(value, str):
                value = from_base64url(value, name)
            renamed[key] = value
    return renamed


def _plain(value: JsonValue) -> Value:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value


def _name(names: Mapping[str, int], key: int) -> str:
    return next(name for name, known in names.items() if known == key)


def _to_json(ear: Ear) -> dict[str, object]:
    return _present(
        {
            "eat_profile": ear.profile.value,
            "iat": ear.issued_at,
            "exp": ear.expires_at,
            "ear_verifier_id": {"developer": ear.verifier.developer, "build": ear.verifier.build},
            "submods": {name: _appraisal_to_json(part) for name, part in ear.submods.items()},
            "eat_nonce": _bytes_to_json(ear.nonce),
            "ear_raw_evidence": _bytes_to_json(ear.raw_evidence),
        }
    )


def _appraisal_to_json(appraisal: Appraisal) -> dict[str, object]:
    claims = appraisal.trust_vector.claims
    vector = {name: claims[key] for name, key in _CLAIMS.items() if key in claims}
    return _present(
        {
            "ear_status": appraisal.status.name.lower(),
            "ear_trustworthiness_vector": vector or None,
            "ear_appraisal_policy_ids": list(appraisal.policy_ids) or None,
            "eat_nonce": _bytes_to_json(appraisal.nonce),
            "veracruz_machine": {
                name: to_base64url(value) for name, value in appraisal.machine.items()
            }
            or None,
        }
    )


def _bytes_to_json(data: bytes | None) -> str | None:
    return None if data is None else to_base64url(data)


def _present(members: Mapping[str, object]) -> dict[str, object]:
    return {name: member for name, member in members.items() if member is not None}
