"""Writing a policy down."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy._current import VERSION
from veracruz_utils.policy._veracruz_2021 import PLATFORM_FIELDS
from veracruz_utils.policy.ciphersuites import CipherSuite
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.isolation import RUNTIME_LAYERS, IsolationLayer
from veracruz_utils.policy.policy import Policy
from veracruz_utils.policy.values import (
    AcceptedPlatform,
    Limits,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)


def render_policy(
    *,
    at: datetime,
    identities: Iterable[PolicyIdentity],
    sinaloa: Address,
    tabasco: Address,
    tabasco_key: bytes | None,
    expires_at: datetime,
    ciphersuite: CipherSuite,
    platforms: Sequence[AcceptedPlatform],
    data_provision_order: Sequence[int],
    streaming_order: Sequence[int] = (),
    program_digest: Digest,
    strategy: Strategy,
    debug: bool = False,
    limits: Limits | None = None,
    isolation: frozenset[IsolationLayer] | None = None,
    terms: Mapping[str, object] | None = None,
    policy_format: PolicyFormat = PolicyFormat.CURRENT,
) -> bytes:
    """The text of a policy that says this; the same values always give the same text.

    Args:
        at: the time it is; the text is checked by `Policy.parse` as of then.
        identities: in the order they are to have.
        sinaloa: where the delegate's bridge listens.
        tabasco: where the attestation service listens.
        tabasco_key: DER SubjectPublicKeyInfo, P-256; None, and only None, in a 2021 policy.
        expires_at: rounded down to the second, in a 2021 policy to the minute.
        ciphersuite: of TLS 1.3, in a 2021 policy of TLS 1.2.
        platforms: at least one; in a 2021 policy one measurement for each and only its platforms.
        data_provision_order: client ids.
        streaming_order: client ids.
        program_digest: SHA-256 of the program.
        strategy: how the program is executed.
        debug: whether the program's provider learns what it says and where in it a run failed.
        limits: None leaves the defaults unsaid; a 2021 policy cannot say any.
        isolation: the least that is accepted; None is all that the runtime brings about by itself,
            in a 2021 policy, which cannot say any, nothing.
        terms: the fields of `_terms.TermsForm` that are said, as JSON has them; none in a 2021
            policy.
        policy_format: which format to write.

    Raises:
        PolicyError: no such policy can be, or not in this format.
    """
    members = list(identities)
    document: dict[str, object] = {
        "identities": [_identity(identity) for identity in members],
        "sinaloa_url": str(sinaloa),
        "tabasco_url": str(tabasco),
        "ciphersuite": ciphersuite.name,
        "data_provision_order": list(data_provision_order),
        "streaming_order": list(streaming_order),
        "debug": debug,
        "execution_strategy": strategy.value,
    }
    expires_at = expires_at.astimezone(UTC)
    if policy_format is PolicyFormat.CURRENT:
        document = {"policy_version": VERSION, **document}
        document |= _only_current(tabasco_key, expires_at, platforms, program_digest, limits)
        least = RUNTIME_LAYERS if isolation is None else isolation
        document["isolation"] = [layer.value for layer in IsolationLayer if layer in least]
        document |= terms or {}
    else:
        if tabasco_key is not None or limits not in {None, Limits()} or isolation or terms:
            raise _unspeakable("Tabasco's key, limits, isolation or terms of conduct")
        if any(identity.name for identity in members):
            raise _unspeakable("names")
        document |= _only_2021(expires_at, platforms, program_digest)
    text = json.dumps(document, indent=2).encode() + b"\n"
    # By the one reader: nothing is written that an isolate would refuse.
    Policy.parse(text, at=at)
    return text


def pem_encode(label: str, der: bytes) -> str:
    """PEM as policies write it: the body on one line, no newline at the end."""
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----"


def _identity(identity: PolicyIdentity) -> dict[str, object]:
    name = {"name": identity.name} if identity.name else {}
    return {
        "id": identity.client_id,
        **name,
        "certificate": pem_encode("CERTIFICATE", identity.certificate),
        "roles": [role.value for role in Role if role in identity.roles],
    }


def _only_current(
    tabasco_key: bytes | None,
    expires_at: datetime,
    platforms: Sequence[AcceptedPlatform],
    program_digest: Digest,
    limits: Limits | None,
) -> dict[str, object]:
    fields: dict[str, object] = {
        "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platforms": [
            {
                "name": platform.name,
                "measurements": sorted(value.hex() for value in platform.measurements),
                **_machine(platform),
            }
            for platform in platforms
        ],
        "program_digest": str(program_digest),
    }
    if tabasco_key is not None:
        fields["tabasco_key"] = pem_encode("PUBLIC KEY", tabasco_key)
    if limits is not None:
        fields["limits"] = asdict(limits)
    return fields


def _machine(platform: AcceptedPlatform) -> dict[str, object]:
    """What is pinned of the machine; nothing is not said, and so changes no digest."""
    pinned = {each.name: sorted(value.hex() for value in each.values) for each in platform.machine}
    return {"machine": pinned} if pinned else {}


def _only_2021(
    expires_at: datetime, platforms: Sequence[AcceptedPlatform], program_digest: Digest
) -> dict[str, object]:
    fields: dict[str, object] = {
        "enclave_cert_expiry": {
            name: getattr(expires_at, name) for name in ("year", "month", "day", "hour", "minute")
        },
        "pi_hash": str(program_digest),
    }
    names = {name: field for name, field, _ in PLATFORM_FIELDS}
    for platform in platforms:
        if platform.machine:
            raise _unspeakable("what hardware measured of a machine")
        if platform.name not in names or len(platform.measurements) != 1:
            raise _unspeakable(f"{len(platform.measurements)} measurements of {platform.name}")
        (measurement,) = platform.measurements
        fields[names[platform.name]] = measurement.hex()
    return fields


def _unspeakable(what: str) -> PolicyError:
    return PolicyError(
        PolicyErrorCode.INVALID_VALUE,
        f"the format of 2021 has no place for {what}; write the current format",
    )
