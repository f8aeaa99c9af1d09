"""A policy for people to read: who may do what, and what is accepted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from durango._words import layer_names, printable, size, timestamp
from durango.platforms import protection
from durango.policy.terms import conduct_facts, conduct_rows, terms_facts, terms_rows
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    IsolationLayer,
    Policy,
    PolicyIdentity,
    Role,
)

_SOON: Final = timedelta(days=1)


def policy_facts(policy: Policy) -> dict[str, object]:
    """What the policy says, for programs; the keys are stable."""
    return {
        "digest": str(policy.digest),
        "format": policy.format.value,
        "expires_at": timestamp(policy.expires_at),
        "program_digest": str(policy.program_digest),
        "execution_strategy": policy.strategy.value,
        "debug": policy.debug,
        "ciphersuite": policy.ciphersuite.name,
        "sinaloa": str(policy.sinaloa),
        "tabasco": str(policy.tabasco),
        "tabasco_key_digest": _key_digest(policy),
        "identities": [_identity_facts(policy, identity) for identity in policy.identities],
        "platforms": [
            {
                "name": platform.name,
                "measurements": sorted(value.hex() for value in platform.measurements),
                "machine": {
                    each.name: sorted(value.hex() for value in each.values)
                    for each in platform.machine
                },
                "protection": protection(platform.name),
            }
            for platform in policy.platforms
        ],
        "isolation": [layer for layer in IsolationLayer if layer in policy.isolation],
        "data_provision_order": list(policy.data_provision_order),
        "streaming_order": list(policy.streaming_order),
        "limits": {
            name: getattr(policy.limits, name) for name in policy.limits.__dataclass_fields__
        },
        **conduct_facts(policy),
        **terms_facts(policy),
    }


def policy_text(policy: Policy) -> str:
    """What the policy says, for people."""
    rows: list[tuple[str, str]] = [
        ("policy", f"{policy.digest} ({policy.format.value} format)"),
        ("ends", timestamp(policy.expires_at)),
        ("program", f"{policy.program_digest}, {policy.strategy.value}"),
    ]
    rows += [(identity.label, _identity_line(policy, identity)) for identity in policy.identities]
    rows += conduct_rows(policy)
    rows += terms_rows(policy)
    for platform in policy.platforms:
        rows.append(("platform", f"{platform.name}, {protection(platform.name)}"))
        rows += [("", f"measurement {value.hex()}") for value in sorted(platform.measurements)]
        rows += [
            ("", f"machine {register.name} {value.hex()}")
            for register in platform.machine
            for value in sorted(register.values)
        ]
    rows += [
        ("isolation", f"at least {layer_names(policy.isolation)}"),
        ("sinaloa", str(policy.sinaloa)),
        ("tabasco", f"{policy.tabasco}, {_key_line(policy)}"),
        ("TLS", policy.ciphersuite.name),
        ("limits", _limits_line(policy)),
        ("debug", "on: the program's provider learns where it fails" if policy.debug else "off"),
    ]
    width = max(10, *(len(name) for name, _ in rows))
    return "\n".join(f"{name:<{width}} {value}".rstrip() for name, value in rows)


def certificates_out_of_force(policy: Policy, *, at: datetime) -> list[str]:
    """Whose certificate is not valid at that time, and what follows."""
    lines = []
    for identity in policy.identities:
        certificate = x509.load_der_x509_certificate(identity.certificate)
        if at > certificate.not_valid_after_utc:
            state = f"ended at {timestamp(certificate.not_valid_after_utc)}"
        elif at < certificate.not_valid_before_utc:
            state = f"is not valid before {timestamp(certificate.not_valid_before_utc)}"
        else:
            continue
        lines.append(
            f"the certificate of {identity.label} {state}: until there is a policy with a new one "
            "it can send and fetch nothing"
        )
    return lines


def places(order: Sequence[int], client_id: int) -> list[int]:
    """The indices under which the program sees the inputs of this client."""
    return [index for index, client in enumerate(order) if client == client_id]


def _identity_facts(policy: Policy, identity: PolicyIdentity) -> dict[str, object]:
    certificate = x509.load_der_x509_certificate(identity.certificate)
    return {
        "id": identity.client_id,
        "name": identity.name or None,
        "certificate_digest": str(identity.digest),
        "subject": certificate.subject.rfc4514_string(),
        "certificate_expires_at": timestamp(certificate.not_valid_after_utc),
        "roles": [role.value for role in Role if role in identity.roles],
        "inputs": places(policy.data_provision_order, identity.client_id),
        "streams": places(policy.streaming_order, identity.client_id),
    }


def _identity_line(policy: Policy, identity: PolicyIdentity) -> str:
    certificate = x509.load_der_x509_certificate(identity.certificate)
    roles = ", ".join(role.value for role in Role if role in identity.roles)
    inputs = [f"input {index}" for index in places(policy.data_provision_order, identity.client_id)]
    streams = [f"stream {index}" for index in places(policy.streaming_order, identity.client_id)]
    gives = f" ({', '.join(inputs + streams)})" if inputs or streams else ""
    subject = printable(certificate.subject.rfc4514_string())
    return f"{roles}{gives}; certificate {identity.digest}, {subject}"


def _key_digest(policy: Policy) -> str | None:
    return None if policy.tabasco_key is None else str(Digest.of(policy.tabasco_key))


def _key_line(policy: Policy) -> str:
    if policy.tabasco_key is None:
        return "whose key the policy does not name"
    return f"key {Digest.of(policy.tabasco_key)}"


def _limits_line(policy: Policy) -> str:
    limits = policy.limits
    fuel = "any" if limits.fuel is None else str(limits.fuel)
    return (
        f"program {size(limits.program_bytes)}, input {size(limits.input_bytes)}, "
        f"inputs in all {size(limits.total_input_bytes)}, result {size(limits.output_bytes)}, "
        f"memory {size(limits.memory_bytes)}, run {limits.run_seconds} s, "
        f"compile {limits.compile_seconds} s, idle {limits.idle_seconds} s, fuel {fuel}"
    )
