"""How the pod of an attempt ended, by name."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sinaloa_operator.names import BRIDGE
from veracruz_utils.frozen import frozen

_BY_STATUS: Final = {
    1: "BridgeFailed",
    2: "BridgeMisused",
    3: "RefusedByAttestation",
    4: "PeerUnreachable",
    137: "Killed",
    143: "Terminated",
}
_MAX_MESSAGE: Final = 500


@frozen
class Ending:
    """How it ended.

    Attributes:
        reason: one word.
        message: the same for people; what a container said of it, bounded.
        good: whether it ended as the policy or the object says, and not by a failure.
    """

    reason: str
    message: str
    good: bool


def ending_of(pod: Mapping[str, Any] | None) -> Ending | None:
    """How the pod ended; None while it has not.

    A pod that is not there any more has ended with whatever was in it: its node was drained or
    lost, or somebody deleted it.
    """
    if pod is None:
        return Ending("PodGone", "the pod is gone, and its isolate with it", good=False)
    status = pod.get("status", {})
    phase = status.get("phase")
    if phase == "Succeeded":
        said = "all result readers asked for shutdown, or nobody came for as long as is allowed"
        return Ending("ByPolicy", said, good=True)
    if phase != "Failed":
        return None
    for each in status.get("containerStatuses") or ():
        ended = each.get("state", {}).get("terminated")
        if each.get("name") == BRIDGE and ended and ended.get("exitCode"):
            code = ended["exitCode"]
            said = _last_error(ended.get("message") or "") or f"exit status {code}"
            return Ending(_BY_STATUS.get(code, "BridgeFailed"), said, good=False)
    said = str(status.get("message") or "the pod failed")[:_MAX_MESSAGE]
    return Ending(str(status.get("reason") or "PodFailed"), said, good=False)


def _last_error(text: str) -> str:
    """Of the lines that a bridge ended with, the error; they are a stranger's as any."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    try:
        said = json.loads(lines[-1])
    except (ValueError, RecursionError):
        said = lines[-1]
    if isinstance(said, dict):
        said = said.get("message") or said.get("error") or lines[-1]
    shown = "".join(each if each.isprintable() else "?" for each in str(said))
    return shown[:_MAX_MESSAGE]
