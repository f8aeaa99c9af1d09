"""How long an isolate may live: until its policy expires, not long idle, nor without a bridge."""

from datetime import datetime

from colima.isolate import IsolateExit
from veracruz_utils.policy import Policy


class Lifetime:
    """When the end of an isolate is due.

    Args:
        policy: whose `expires_at`, `idle_seconds` and `detached_seconds` count.
        wall: what time it is, with a time zone.
        now: the same moment in seconds of a monotonic clock.
    """

    def __init__(self, policy: Policy, *, wall: datetime, now: float) -> None:
        self._expires_at = policy.expires_at
        # Both clocks are asked: a wall clock that is set back must not prolong anything, and the
        # monotonic one stands still while the machine sleeps.
        self._latest = now + (policy.expires_at - wall).total_seconds()
        self._idle_s = policy.limits.idle_seconds
        self._last_used = now
        self._detached_s = policy.limits.detached_seconds
        self._last_attached = now

    def remaining_s(self, now: float) -> float:
        """Seconds until the policy expires, as far as the monotonic clock tells."""
        return max(0.0, self._latest - now)

    def expired(self, *, wall: datetime, now: float) -> bool:
        """Whether the policy's time is over."""
        return now >= self._latest or wall >= self._expires_at

    def idled(self, *, in_use: bool, now: float) -> bool:
        """Whether it has been out of use for too long; to be asked now and again."""
        if in_use:
            self._last_used = now
        return now >= self._last_used + self._idle_s

    def abandoned(self, *, attached: bool, now: float) -> bool:
        """Whether no bridge has come for too long; to be asked now and again."""
        if attached:
            self._last_attached = now
        return not attached and now >= self._last_attached + self._detached_s


def ending_of(policy: Policy, exit_: IsolateExit) -> str:
    """Why an isolate ends, for its principals."""
    if exit_ is IsolateExit.EXPIRED:
        return f"the policy expired at {policy.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    return "every result reader asked for shutdown"
