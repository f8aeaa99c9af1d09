"""One policy that a bridge serves: its isolate, the places of its sessions, its quotas.

Nothing of it is shared with another policy: who floods one leaves the others theirs. The isolate is
there from the beginning, or launched for the first who asks for it. Ended by its policy it stays
ended. One that failed, or whose Sonora went away, is launched anew for who asks next, empty.
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Final, TypeVar

from sinaloa.isolate import End, IsolateLink
from sinaloa.peers import AttestationQuota
from sinaloa.places import Places
from sinaloa.session import SessionEnd
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_utils.digest import Digest
from veracruz_utils.errors import UnreachableError, VeracruzError

BY_POLICY: Final = frozenset({End.QUORUM, End.EXPIRED, End.IDLE})
"""How an isolate ends by its policy, after which there is no other."""
NO_ISOLATE_YET: Final = "there is no isolate yet"
RELAUNCH_S: Final = 5.0
"""Between two launches of one policy."""
_Value = TypeVar("_Value")


class ServedPolicy:
    """A policy and what serves it; for the event loop."""

    def __init__(
        self,
        policy: Digest,
        launch: Callable[[], IsolateLink] | None,
        *,
        max_sessions: int,
        isolate: IsolateLink | None = None,
    ) -> None:
        """A computation.

        Args:
            policy: the digest of its policy.
            launch: gives its isolate, and may block; None when `isolate` is all there will be.
            max_sessions: at once. For one more another gives way that has not shaken hands; if all
                have, it is refused as RESOURCE_EXHAUSTED.
            isolate: what is launched already.
        """
        self.policy = policy
        self.places = Places(max_sessions)
        self.max_sessions = max_sessions
        self.quota = AttestationQuota()
        self.found = isolate
        self._launch = launch
        self._launching = asyncio.Lock()
        self._launched_at = float("-inf")
        self._closed = False

    async def isolate(self) -> IsolateLink:
        """Its isolate, launched if need be.

        Raises:
            VeracruzError: there is none, and why.
        """
        async with self._launching:
            lost = self.found is None or self.found.end in {End.FAILURE, End.SONORA_GONE}
            if self.found is not None and not (lost and self._launch):
                return self.found
            if self._closed or self._launch is None:
                raise not_served()
            if time.monotonic() < self._launched_at + RELAUNCH_S:
                raise UnreachableError("the isolate was launched just now: try again in a moment")
            if self.found is not None:
                await _in_thread(self.found.close)
            self._launched_at = time.monotonic()
            self.found = await _in_thread(self._launch)
            return self.found

    def running(self) -> IsolateLink:
        """Its isolate, if there is one.

        Raises:
            CallError: there is none yet.
        """
        if self.found is None:
            raise CallError(
                CallStatus.FAILED_PRECONDITION,
                f"{NO_ISOLATE_YET}: it is launched for the first who asks",
            )
        self.found.check_running()
        return self.found

    @property
    def isolate_state(self) -> str:
        """What its isolate does, for metrics."""
        if self.found is None:
            return "waiting"
        return "running" if self.found.end is None else "ended"

    def cut(self, why: VeracruzError, end: SessionEnd) -> None:
        """End all sessions."""
        for session in self.places.sessions():
            session.cut(why, end)

    async def close(self, *, end: bool) -> None:
        """Serve no more; idempotent.

        Args:
            end: whether the isolate is to end; otherwise Sonora holds it for another bridge.
        """
        self._closed = True
        async with self._launching:
            isolate, self.found = self.found, None
        if isolate is not None:
            await _in_thread(isolate.close if end else isolate.leave)


async def _in_thread(work: Callable[[], _Value]) -> _Value:
    return await asyncio.get_running_loop().run_in_executor(None, copy_context().run, work)


def not_served() -> CallError:
    """What a principal is told whose policy has no isolate here."""
    return CallError(
        CallStatus.NOT_FOUND,
        "this bridge does not serve your policy: compare its digest with the others' "
        "(durango policy digest), and ask the delegate",
    )
