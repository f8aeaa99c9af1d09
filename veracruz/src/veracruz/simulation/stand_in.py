"""A policy's stand-in: the same terms, among throw-away identities, on this machine."""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Final

from durango import Identity
from veracruz.errors import SimulationError
from veracruz.local import LocalServices
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import LINUX_SOFTWARE, IsolationLayer, Policy, PolicyFormat

_DAY: Final = timedelta(days=1)
_LEEWAY: Final = timedelta(minutes=5)
_MOST_NAME_CHARS: Final = 64
"""Of what a certificate calls its owner."""


@frozen
class StandIn:
    """What is simulated in place of a policy.

    Attributes:
        policy: the stand-in, whose digest is another.
        parties: everybody's throw-away identity, by client id.
        replaced: what differs from the original, a line each.
    """

    policy: Policy
    parties: Mapping[int, Identity] = field(repr=False)
    replaced: tuple[str, ...]


def require_current(policy: Policy) -> None:
    """Refuse what has no stand-in.

    Raises:
        SimulationError: the policy is of 2021.
    """
    if policy.format is not PolicyFormat.CURRENT:
        raise SimulationError(
            "the policy is of the format of 2021, and the current one is simulated: "
            "`durango policy convert` makes one that says the same"
        )


def stand_in_for(original: Policy, services: LocalServices, *, at: datetime) -> StandIn:
    """The stand-in for a policy.

    Args:
        original: of the current format; its dates may be over.
        services: those that it is to be simulated with, started.
        at: the time it is.

    Raises:
        SimulationError: the policy is of 2021.
    """
    require_current(original)
    parties = {
        each.client_id: Identity.create(
            each.label[:_MOST_NAME_CHARS], not_before=at - _LEEWAY, lifetime=_DAY
        )
        for each in original.identities
    }
    measurement = services.image.measurement.value.hex()
    # As it is written, so that all that is not replaced is what it was, whatever it is.
    document: dict[str, Any] = json.loads(original.raw)
    for said in document["identities"]:
        said["certificate"] = parties[said["id"]].certificate_pem().decode().strip()
    isolation = original.isolation & frozenset(map(IsolationLayer, services.isolation))
    document |= {
        "sinaloa_url": services.free_address(),
        "tabasco_url": services.tabasco,
        "tabasco_key": services.tabasco_key.strip(),
        "expires_at": f"{at + _DAY:%Y-%m-%dT%H:%M:%SZ}",
        "platforms": [{"name": LINUX_SOFTWARE, "measurements": [measurement]}],
        "isolation": [layer.value for layer in IsolationLayer if layer in isolation],
    }
    policy = Policy.parse(json.dumps(document, indent=2).encode() + b"\n", at=at)
    return StandIn(policy, parties, tuple(_replaced(original, policy)))


def _replaced(original: Policy, policy: Policy) -> list[str]:
    names = ", ".join(each.name for each in original.platforms)
    lines = [
        f"certificates of all {len(policy.identities)} principals: throw-away ones",
        f"the bridge {original.sinaloa}: {policy.sinaloa}",
        f"the attestation service {original.tabasco}, and its key: {policy.tabasco}",
        f"the end {original.expires_at:%Y-%m-%d}: {policy.expires_at:%Y-%m-%d}",
        f"platforms and measurements ({names}): {LINUX_SOFTWARE}, with the runtime that is here",
    ]
    if missing := original.isolation - policy.isolation:
        lines.append(
            f"layers of isolation that this machine does not give: {', '.join(sorted(missing))} "
            "(see sonora doctor)"
        )
    return lines
