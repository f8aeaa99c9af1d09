"""From a policy's text back to TOML, and between the formats as far as they say the same."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import tomli_w

from durango.errors import DurangoError
from durango.policy.building import text_of_source
from durango.policy.canonical import canonical_json
from durango.policy.source import parse_source
from veracruz_utils.policy import (
    OPAQUE,
    TLS_1_2_SUITES,
    AcceptedPlatform,
    InputTerms,
    Limits,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    Role,
    ciphersuite_named,
)
from veracruz_utils.policy.rendering import pem_encode, render_policy

PolicyForm: TypeAlias = Literal["json", "2021"]


def convert_policy(
    policy: Policy,
    form: PolicyForm,
    *,
    tabasco_key: Path | str | None = None,
    at: datetime | None = None,
) -> Policy:
    """The same in another format, as far as that can say it; it is another policy then.

    `diff_policies` tells what it says otherwise all the same.

    Args:
        policy: in any format.
        form: `json` is the current format, canonical; `2021` the format of 2021.
        tabasco_key: a file (PEM), to make a current policy of one of 2021, which names none.
        at: the time it is; None is now.

    Raises:
        DurangoError: the format of 2021 has no words for something; the message lists it all.
        SourceError: there is no key.
        PolicyError: no such policy can be.
    """
    at = at or datetime.now(UTC)
    if form == "2021":
        text = to_2021(policy, at=at, ciphersuite=TLS_1_2_SUITES[0].name)
    elif policy.format is PolicyFormat.CURRENT:
        text = canonical_json(policy.raw)
    else:
        source = policy_to_toml(policy, tabasco_key=tabasco_key).encode()
        text = text_of_source(parse_source(source, folder=Path()), releases=None, at=at)
    return Policy.parse(text, at=None)


def policy_to_toml(policy: Policy, *, tabasco_key: Path | str | None = None) -> str:
    """A source that `build_policy` makes a policy with the same meaning of.

    Of a policy that was built it makes the same, to the byte. Certificates and Tabasco's key are in
    it as PEM, the program by its digest.

    Args:
        policy: in any format.
        tabasco_key: the file of Tabasco's key, where the policy does not name it.
    """
    names = _names(policy)
    said = _said(policy)
    document: dict[str, object] = {
        "expires": policy.expires_at,
        "ciphersuite": policy.ciphersuite.name,
        "isolation": sorted(layer.value for layer in policy.isolation),
        "delegate": {"sinaloa": str(policy.sinaloa)},
        "attestation": _attestation(policy, tabasco_key),
        "program": _program(policy, names),
        "principals": {
            names[each.client_id]: _principal(policy, each) for each in policy.identities
        },
        "inputs": _places(policy.data_provision_order, policy.inputs, names),
        "streams": _places(policy.streaming_order, policy.streams, names),
        "result": _result(policy, said, names),
        "rounds": _rounds(said, names),
        "platforms": [
            {
                "name": each.name,
                "measurements": sorted(value.hex() for value in each.measurements),
                **_machine(each),
            }
            for each in policy.platforms
        ],
        "limits": _limits(policy.limits) or _without_gaps(said.get("limits", {})),
    }
    if policy.format is PolicyFormat.VERACRUZ_2021:
        del document["ciphersuite"]  # of TLS 1.2, which the current format does not have
    if policy.conduct.consent is not None:
        document["consent"] = _agreement(said["consent"], names)
    return tomli_w.dumps(
        {name: value for name, value in document.items() if value not in ([], {})}
        | {"isolation": document["isolation"]},
        multiline_strings=True,
    )


def to_2021(policy: Policy, *, at: datetime, ciphersuite: str) -> bytes:
    """The same in the format of 2021, if that can say it.

    Args:
        policy: in the current format.
        at: the time it is.
        ciphersuite: of TLS 1.2.

    Raises:
        DurangoError: it says what the format of 2021 has no words for; the message lists it all.
        PolicyError: no such policy can be.
    """
    if lost := lost_in_2021(policy):
        raise DurangoError(
            f"the format of 2021 cannot say {', '.join(lost)}: take it out, or keep this format"
        )
    return render_policy(
        at=at,
        identities=[
            PolicyIdentity(each.client_id, each.certificate, each.roles)
            for each in policy.identities
        ],
        sinaloa=policy.sinaloa,
        tabasco=policy.tabasco,
        tabasco_key=None,
        expires_at=policy.expires_at,
        ciphersuite=ciphersuite_named(ciphersuite, TLS_1_2_SUITES),
        platforms=policy.platforms,
        data_provision_order=policy.data_provision_order,
        streaming_order=policy.streaming_order,
        program_digest=policy.program_digest,
        strategy=policy.strategy,
        debug=policy.debug,
        policy_format=PolicyFormat.VERACRUZ_2021,
    )


def lost_in_2021(policy: Policy) -> list[str]:
    """What a policy says that the format of 2021 has no words for, but for names and the key."""
    conduct, result = policy.conduct, policy.result
    said = {
        "limits": policy.limits != Limits(),
        "consent": conduct.consent is not None,
        "determinism": conduct.deterministic,
        "types and sizes of inputs": any(
            each.type != OPAQUE or each.most_bytes is not None
            for each in (*policy.inputs, *policy.streams)
        ),
        "what may leave": (result.type, result.most_bytes, result.contributors, result.privacy)
        != (OPAQUE, None, 0, None),
        "who agrees to another round": conduct.next_round.least > 1,
        "what hardware measures of a machine": any(each.machine for each in policy.platforms),
        "several measurements of a platform": any(
            len(each.measurements) > 1 for each in policy.platforms
        ),
    }
    return [what for what, is_said in said.items() if is_said]


def _names(policy: Policy) -> dict[int, str]:
    """A name for everybody; who has none gets one."""
    people = policy.identities
    return {each.client_id: each.name or f"principal-{each.client_id}" for each in people}


def _attestation(policy: Policy, file: Path | str | None) -> dict[str, object]:
    said = {"tabasco": str(policy.tabasco)}
    if policy.tabasco_key is not None:
        said["key"] = pem_encode("PUBLIC KEY", policy.tabasco_key) + "\n"
    elif file is not None:
        said["key"] = str(Path(file).absolute())
    return {**said}


def _program(policy: Policy, names: dict[int, str]) -> dict[str, object]:
    (author,) = (each for each in policy.identities if Role.PI_PROVIDER in each.roles)
    said: dict[str, object] = {
        "from": names[author.client_id],
        "digest": str(policy.program_digest),
        "strategy": policy.strategy.value,
        "debug": policy.debug,
    }
    if policy.conduct.deterministic:
        said["deterministic"] = True
    return said


def _principal(policy: Policy, identity: PolicyIdentity) -> dict[str, object]:
    said: dict[str, object] = {
        "certificate": pem_encode("CERTIFICATE", identity.certificate) + "\n",
        "id": identity.client_id,
    }
    implied = {Role.PI_PROVIDER, Role.RESULT_READER}
    if identity.client_id in policy.data_provision_order:
        implied.add(Role.DATA_PROVIDER)
    elif identity.client_id in policy.streaming_order and Role.DATA_PROVIDER not in identity.roles:
        implied.add(Role.STREAM_PROVIDER)
    if more := sorted(identity.roles - implied):
        said["roles"] = [role.value for role in more]
    return said


def _places(
    order: tuple[int, ...], places: tuple[InputTerms, ...], names: dict[int, str]
) -> list[dict[str, object]]:
    said = []
    for number, place in zip(order, places, strict=True):
        entry: dict[str, object] = {"from": names[number]}
        if place.name:
            entry["name"] = place.name
        if place.type != OPAQUE:
            entry["type"] = place.type
        if place.most_bytes is not None:
            entry["bytes"] = place.most_bytes
        said.append(entry)
    return said


def _result(policy: Policy, said: Mapping[str, Any], names: dict[int, str]) -> dict[str, object]:
    readers = [
        names[each.client_id] for each in policy.identities if Role.RESULT_READER in each.roles
    ]
    result = {"readers": readers, "per_reader": said.get("results_per_reader")}
    return _without_gaps(result | said.get("result", {}))


def _rounds(said: Mapping[str, Any], names: dict[int, str]) -> dict[str, object]:
    return _without_gaps(
        {
            "attempts": said.get("attempts"),
            "most": said.get("rounds"),
            "next": _agreement(said.get("next_round"), names),
        }
    )


def _agreement(said: Any, names: dict[int, str]) -> object:  # noqa: ANN401 - what JSON has
    match said:
        case list():
            return [names.get(who, who) for who in said]
        case {"least": least, "of": of}:
            return {"least": least, "of": _agreement(of, names)}
    return said


def _machine(platform: AcceptedPlatform) -> dict[str, object]:
    pinned = {each.name: sorted(value.hex() for value in each.values) for each in platform.machine}
    return {"machine": pinned} if pinned else {}


def _limits(limits: Limits) -> dict[str, object]:
    usual = Limits()
    return {
        name: getattr(limits, name)
        for name in limits.__dataclass_fields__
        if getattr(limits, name) != getattr(usual, name)
    }


def _said(policy: Policy) -> Mapping[str, Any]:
    """What it says of its conduct, of a policy of 2021 what it means by not saying it."""
    if policy.format is PolicyFormat.CURRENT:
        found: Mapping[str, Any] = json.loads(policy.raw)
        return found
    conduct = policy.conduct
    return {
        "attempts": conduct.attempts,
        "rounds": min(conduct.rounds, 1_000_000),
        "next_round": {"least": conduct.next_round.least, "of": sorted(conduct.next_round.of)},
    }


def _without_gaps(said: Mapping[str, object]) -> dict[str, object]:
    """What is said; TOML has no word for nothing."""
    return {name: value for name, value in said.items() if value is not None}
