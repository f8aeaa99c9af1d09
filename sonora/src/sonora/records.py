"""What Sonora tells of connections, launches and isolates: lines of its log, and its metrics."""

import logging
import time
from typing import Final

from colima.isolate import IsolateExit
from colima.sonora import IsolateEnding
from sonora import metrics
from sonora.isolates import Isolate
from veracruz_shells.log import about

_LOG: Final = logging.getLogger(__name__)
_ENDINGS: Final[dict[int | None, IsolateEnding]] = {
    IsolateExit.QUORUM: IsolateEnding.QUORUM,
    IsolateExit.EXPIRED: IsolateEnding.EXPIRED,
    IsolateExit.IDLE: IsolateEnding.IDLE,
}


def ending_of(isolate: Isolate) -> IsolateEnding:
    """How an isolate ended that has."""
    return _ENDINGS.get(isolate.exit_code, IsolateEnding.FAILURE)


def tell_launch(isolate: Isolate, *, peer: int, found_again: bool, seconds: float) -> None:
    """A bridge has an isolate."""
    outcome = "found-again" if found_again else "launched"
    metrics.LAUNCHES.add(outcome=outcome)
    if not found_again:
        metrics.LAUNCH_SECONDS.add(seconds)
    _LOG.info(
        "isolate %d %s: process %d, layers: %s",
        isolate.isolate_id,
        outcome.replace("-", " "),
        isolate.process_id,
        ", ".join(sorted(isolate.layers)),
        extra=about(
            isolate=isolate.isolate_id,
            policy=isolate.policy_digest.hex(),
            peer=peer,
            process=isolate.process_id,
            duration_s=seconds,
            outcome=outcome,
        ),
    )


def tell_refused_launch(policy: str, why: str, *, peer: int, seconds: float) -> None:
    """A bridge gets no isolate."""
    metrics.LAUNCHES.add(outcome="refused")
    told = about(peer=peer, policy=policy, duration_s=seconds, outcome="refused")
    _LOG.warning("launch refused: %s", why, extra=told)


def tell_token(isolate: Isolate, token: bytes, *, peer: int, seconds: float) -> None:
    """An isolate was vouched for."""
    metrics.TOKENS.add(outcome="minted")
    _LOG.info(
        "token minted",
        extra=about(
            isolate=isolate.isolate_id,
            policy=isolate.policy_digest.hex(),
            peer=peer,
            bytes_out=len(token),
            duration_s=seconds,
            outcome="minted",
        ),
    )


def tell_refused_token(isolate: Isolate, why: str, *, peer: int) -> None:
    """An isolate was not vouched for."""
    metrics.TOKENS.add(outcome="refused")
    policy = isolate.policy_digest.hex()
    told = about(isolate=isolate.isolate_id, policy=policy, peer=peer, outcome="refused")
    _LOG.warning("token refused: %s", why, extra=told)


def tell_bridge_gone(isolate: Isolate, *, peer: int) -> None:
    """A bridge went without a word; its isolate is held."""
    policy = isolate.policy_digest.hex()
    told = about(isolate=isolate.isolate_id, policy=policy, peer=peer, outcome="bridge-gone")
    _LOG.warning("isolate %d: a bridge is gone", isolate.isolate_id, extra=told)


def tell_end(isolate: Isolate, *, peer: int, outcome: str, without_bridge: bool = False) -> None:
    """An isolate is over; `peer` is the user whose it was."""
    seconds = round(time.monotonic() - isolate.begun, 6)
    metrics.ISOLATES_ENDED.add(outcome=outcome)
    metrics.ISOLATE_SECONDS.add(seconds)
    _LOG.info(
        "isolate %d ended without a bridge" if without_bridge else "isolate %d ended",
        isolate.isolate_id,
        extra=about(
            isolate=isolate.isolate_id,
            policy=isolate.policy_digest.hex(),
            peer=peer,
            duration_s=seconds,
            outcome=outcome,
        ),
    )
