"""What is to be done for a computation: what is asked for and seen, in; a plan, out.

No input, no output, no clock. The plan is the same however often it is made of the same facts, so
that an operator may be killed between any two steps of it, and another goes on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sinaloa_operator.endings import Ending, ending_of
from sinaloa_operator.pods import attempt_of
from sinaloa_operator.specification import Placement
from veracruz_utils.frozen import frozen


class Course(StrEnum):
    """Where a computation is."""

    REFUSED = "Refused"
    WAITING = "Waiting"
    STARTING = "Starting"
    RUNNING = "Running"
    FINISHED = "Finished"
    FAILED = "Failed"


ENDED: Final = frozenset({Course.REFUSED, Course.FINISHED, Course.FAILED})
"""Phases that nothing leads out of."""


@frozen
class Seen:
    """What is known of a computation besides what it asks for.

    Attributes:
        pods: all of it, as the API server has them.
        attempt: the last attempt that its status tells of; 0 is none.
        ahead: computations of the namespace that have not ended and were there before it.
        quota: how many may be under way in the namespace; None is any number.
        attested: what asking the isolate as anybody may came to: empty is all well, None is that
            nobody asked yet.
    """

    pods: Sequence[Mapping[str, Any]]
    attempt: int
    ahead: int
    quota: int | None
    attested: str | None


@frozen
class Plan:
    """What is to be done, and what is so.

    Attributes:
        phase: where the computation is.
        attempt: the attempt that this is about.
        start: whether the objects of that attempt are to be made.
        end: names of pods to be ended.
        reason: one word for the phase.
        message: the same for people.
        ask: IP address of the bridge that is to be asked for an attestation; empty is nobody.
        attested: as in `Seen`, of this attempt.
    """

    phase: Course
    attempt: int
    start: bool
    end: tuple[str, ...]
    reason: str
    message: str
    ask: str = ""
    attested: str | None = None


def decide(placement: Placement, seen: Seen, now: datetime) -> Plan:
    """The next step for a computation that has not ended."""
    pods = {attempt_of(each): each for each in seen.pods}
    attempt = max([seen.attempt, *pods])
    if over := _time_is_over(placement, now):
        return _ended(pods, attempt, over)
    if attempt == 0:
        return _first(seen)
    ending = ending_of(pods.get(attempt))
    if ending is None:
        return _under_way(pods, attempt, seen)
    if ending.good or attempt >= placement.attempts:
        return _ended(pods, attempt, ending)
    said = f"attempt {attempt} of {placement.attempts} failed: {ending.message}"
    return Plan(
        Course.STARTING,
        attempt + 1,
        start=True,
        end=_names(pods),
        reason="Retrying",
        message=said,
    )


def refused(reason: str, message: str) -> Plan:
    """The plan for an object that cannot be placed."""
    return Plan(Course.REFUSED, 0, start=False, end=(), reason=reason, message=message)


def _first(seen: Seen) -> Plan:
    if seen.quota is not None and seen.ahead >= seen.quota:
        said = f"{seen.ahead} computations of this namespace are ahead, {seen.quota} may be at once"
        return Plan(Course.WAITING, 0, start=False, end=(), reason="QuotaReached", message=said)
    said = "the pod is being made"
    return Plan(Course.STARTING, 1, start=True, end=(), reason="Starting", message=said)


def _under_way(pods: Mapping[int, Mapping[str, Any]], attempt: int, seen: Seen) -> Plan:
    current = pods[attempt]
    old = _names({number: each for number, each in pods.items() if number != attempt})
    status = current.get("status", {})
    ready = any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in status.get("conditions") or ()
    )
    if not ready:
        said = f"pod {current['metadata']['name']} is {status.get('phase', 'Pending').lower()}"
        return Plan(Course.STARTING, attempt, start=True, end=old, reason="NotReady", message=said)
    return Plan(
        Course.RUNNING,
        attempt,
        start=True,
        end=old,
        reason="Serving",
        message=f"the bridge of attempt {attempt} takes sessions",
        ask=str(status.get("podIP", "")),
        attested=seen.attested,
    )


def _ended(pods: Mapping[int, Mapping[str, Any]], attempt: int, ending: Ending) -> Plan:
    phase = Course.FINISHED if ending.good else Course.FAILED
    return Plan(
        phase, attempt, start=False, end=_names(pods), reason=ending.reason, message=ending.message
    )


def _time_is_over(placement: Placement, now: datetime) -> Ending | None:
    if placement.lifetime_s is not None:
        end = placement.created + timedelta(seconds=placement.lifetime_s)
        if now >= end:
            said = f"timeToLiveSeconds was over at {end:%Y-%m-%dT%H:%M:%SZ}"
            return Ending("TimeToLiveOver", said, good=True)
    if now >= placement.policy.expires_at:
        said = f"the policy expired at {placement.policy.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        return Ending("PolicyExpired", said, good=True)
    return None


def _names(pods: Mapping[int, Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(
        each["metadata"]["name"]
        for each in pods.values()
        if not each["metadata"].get("deletionTimestamp")
    )
