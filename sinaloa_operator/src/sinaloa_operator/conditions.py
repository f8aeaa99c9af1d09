"""The status of a computation: phase, conditions, names."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sinaloa_operator.decisions import ENDED, Course, Plan
from sinaloa_operator.names import SINALOA_PORT
from sinaloa_operator.pods import pod_name
from sinaloa_operator.specification import Placement

_ONLY_PRINCIPALS = (
    "what is missing is told in sessions of principals alone: `durango status` says it to each"
)


def status_of(
    placement: Placement | None, plan: Plan, before: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The status that an object is to have.

    Args:
        placement: what it asks for; None if that was refused.
        plan: what was decided.
        before: the status that it has.
        now: the time, for conditions that change.
    """
    wanted = [
        _condition("Accepted", *_accepted(plan)),
        _condition("Attested", *_attested(plan)),
        _condition("PrincipalsMissing", *_missing(placement, plan)),
        _condition("Finished", *_when(plan, Course.FINISHED)),
        _condition("Failed", *_when(plan, Course.FAILED, Course.REFUSED)),
    ]
    status: dict[str, Any] = {
        "phase": plan.phase.value,
        "reason": plan.reason,
        "message": plan.message,
        "attempt": plan.attempt,
        "conditions": _dated(wanted, before.get("conditions") or (), now),
    }
    if placement is not None:
        status["policyDigest"] = placement.policy.digest.value.hex()
        status["principals"] = [each.label for each in placement.policy.identities]
        if plan.attempt:
            status["pod"] = pod_name(placement, plan.attempt)
            status["address"] = f"{placement.name}.{placement.namespace}.svc:{SINALOA_PORT}"
    return status


def _accepted(plan: Plan) -> tuple[str, str, str]:
    if plan.phase is Course.REFUSED:
        return "False", plan.reason, plan.message
    return "True", "PlatformAccepted", "the policy accepts the platform that is asked for"


def _attested(plan: Plan) -> tuple[str, str, str]:
    if plan.phase is not Course.RUNNING or plan.attested is None:
        return "Unknown", "NotAsked", "no isolate was asked in this phase"
    if plan.attested:
        return "False", "AttestationRefused", plan.attested
    return (
        "True",
        "Verified",
        "tabasco vouched for an isolate that the policy accepts; each principal verifies it anew",
    )


def _missing(placement: Placement | None, plan: Plan) -> tuple[str, str, str]:
    if placement is None or plan.phase in ENDED:
        return "False", "Ended", "nobody is waited for"
    named = ", ".join(each.label for each in placement.policy.identities)
    return "Unknown", "OnlyPrincipalsKnow", f"in the policy are {named}; {_ONLY_PRINCIPALS}"


def _when(plan: Plan, *phases: Course) -> tuple[str, str, str]:
    if plan.phase in phases:
        return "True", plan.reason, plan.message
    return "False", plan.phase.value, plan.message


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message[:1024]}


def _dated(
    wanted: Sequence[dict[str, str]], before: Sequence[Mapping[str, Any]], now: datetime
) -> list[dict[str, str]]:
    """With the time of the last change of each, which is now if it is another than before."""
    known = {each.get("type"): each for each in before}
    dated = []
    for each in wanted:
        old = known.get(each["type"], {})
        same = old.get("status") == each["status"] and old.get("lastTransitionTime")
        when = old["lastTransitionTime"] if same else f"{now:%Y-%m-%dT%H:%M:%SZ}"
        dated.append({**each, "lastTransitionTime": when})
    return dated
