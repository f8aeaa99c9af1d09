"""The claims of a Confidential Space token as facts that a policy can ask for.

What an operator may change about a container stands beside its image: arguments, environment,
what overrides them, the project. A claim with members is one fact for all of it (JSON, members
sorted, `{}` or `[]` where the token has none) and one for each, so that a policy can ask for
exactly these, or for one of them. Reference: Google, "Attestation token claims".
"""

import re
from collections.abc import Mapping
from typing import Final

from psa_attestation.jose.strict_json import encode_json
from tabasco.verify.errors import malformed
from tabasco.verify.proven import Fact
from veracruz_utils.strict_json import JsonValue

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_MAX_NONCES: Final = 16
_TEXTS: Final = ("hwmodel", "swname", "dbgstat")
_LISTS: Final = ("swversion", "attester_tcb", "google_service_accounts")
_CONTAINER_TEXTS: Final = ("image_reference", "image_id", "restart_policy")
_CONTAINER_OBJECTS: Final = ("env", "env_override")
_CONTAINER_LISTS: Final = ("args", "cmd_override")
_GCE: Final = ("project_id", "project_number", "zone", "instance_name", "instance_id")
_SPACE: Final = "CONFIDENTIAL_SPACE"


def nonces_of(claims: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """The nonces that a token answers: at least one.

    Raises:
        EvidenceError: it is neither a text nor a list of a few.
    """
    value = claims.get("eat_nonce")
    found = value if isinstance(value, list) else [value]
    if not 0 < len(found) <= _MAX_NONCES:
        raise malformed(f"eat_nonce has {len(found)} nonces, 1 to {_MAX_NONCES} are read")
    texts = [each for each in found if isinstance(each, str) and 0 < len(each) <= 256]
    if len(texts) != len(found):
        raise malformed("a nonce is not a text of 1 to 256 characters")
    return tuple(texts)


def text_of(claims: Mapping[str, JsonValue], name: str) -> str:
    """A claim that is a short text.

    Raises:
        EvidenceError: it is not.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise malformed(f"{name} is not a text of 1 to 256 characters")
    return value


def image_digest(claims: Mapping[str, JsonValue]) -> dict[str, bytes]:
    """The digest of the container's image; nothing on a machine that runs no Confidential Space.

    Raises:
        EvidenceError: Confidential Space runs no container with a digest.
    """
    container = _object(_submod(claims, "container"), "the container")
    if not container and claims.get("swname") != _SPACE:
        return {}
    value = container.get("image_digest")
    match = _DIGEST.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise malformed("the container has no image digest")
    return {"image": bytes.fromhex(match[1])}


def facts_of(claims: Mapping[str, JsonValue]) -> dict[str, Fact]:
    """What a policy can ask of the machine, its project and its container.

    Raises:
        EvidenceError: a claim has another type than Google's reference says.
    """
    facts: dict[str, Fact] = {name: text_of(claims, name) for name in _TEXTS}
    facts["secboot"] = str(claims.get("secboot") is True).lower()
    for name in _LISTS:
        facts |= _members(name, claims.get(name))
    facts["nonces"] = _json(list(nonces_of(claims)))
    if "sub" in claims:
        facts["sub"] = text_of(claims, "sub")
    facts |= _gce(_object(_submod(claims, "gce"), "gce"))
    facts |= _container(_object(_submod(claims, "container"), "the container"))
    facts |= _space(_object(_submod(claims, "confidential_space"), "confidential_space"))
    return facts


def _gce(members: Mapping[str, JsonValue]) -> dict[str, Fact]:
    return {name: text_of(members, name) for name in _GCE if name in members}


def _container(members: Mapping[str, JsonValue]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name in _CONTAINER_TEXTS:
        if name in members:
            facts[name] = text_of(members, name)
    for name in _CONTAINER_OBJECTS:
        given = _object(members.get(name), name)
        facts[name] = _json(given)
        for variable, value in given.items():
            if not isinstance(value, str):
                raise malformed(f"{name} has a value that is not text")
            facts[f"{name}.{variable}"] = value
    for name in _CONTAINER_LISTS:
        facts[name] = _json(_texts(members.get(name), name))
    facts["image_signatures"] = _json(members.get("image_signatures") or [])
    return facts


def _space(members: Mapping[str, JsonValue]) -> dict[str, Fact]:
    monitored = _object(members.get("monitoring_enabled"), "monitoring_enabled")
    return {
        **_members("support_attributes", members.get("support_attributes")),
        "monitoring_enabled": _json(monitored),
    }


def _members(name: str, value: JsonValue) -> dict[str, Fact]:
    """A set of names: all of them, and that each is there."""
    texts = _texts(value, name)
    return {name: " ".join(sorted(texts)), **{f"{name}.{each}": "true" for each in texts}}


def _texts(value: JsonValue, name: str) -> list[str]:
    found = [] if value is None else value
    if not isinstance(found, list):
        raise malformed(f"{name} is not a list of texts")
    texts = [each for each in found if isinstance(each, str)]
    if len(texts) != len(found):
        raise malformed(f"{name} is not a list of texts")
    return texts


def _submod(claims: Mapping[str, JsonValue], name: str) -> JsonValue:
    return _object(claims.get("submods"), "submods").get(name)


def _object(value: JsonValue, name: str) -> Mapping[str, JsonValue]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(f"{name} is not an object")
    return value


def _json(value: object) -> str:
    return encode_json(value).decode()
