"""All policies that a bridge serves, found by the digest that a client names."""

from typing import Final

from colima.sinaloa import POLICY_KEY
from sinaloa.computation import ServedPolicy, not_served
from sinaloa.errors import SinaloaError
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.call_handlers import Caller
from veracruz_utils.digest import Digest

MOST_PLACES: Final = 32768
"""For sessions, of all policies together."""


class Computations:
    """What is served now; for the event loop.

    Attributes:
        only: whether there is one policy, ever: then it is everybody's, whatever they name, and
            their own comparison of digests tells what is wrong.
    """

    def __init__(self, only: ServedPolicy | None = None) -> None:
        self.only = only
        self._served: dict[str, ServedPolicy] = {}
        if only is not None:
            self.add(only)

    @property
    def places(self) -> int:
        """For sessions, at most."""
        return MOST_PLACES if self.only is None else self.only.max_sessions

    def all(self) -> list[ServedPolicy]:
        """Each that is served."""
        return list(self._served.values())

    def add(self, computation: ServedPolicy) -> None:
        """Serve one more.

        Raises:
            SinaloaError: there is no room for its sessions.
        """
        taken = sum(each.max_sessions for each in self._served.values())
        if taken + computation.max_sessions > MOST_PLACES:
            raise SinaloaError(
                f"{computation.max_sessions} sessions are too many: a bridge has places for "
                f"{MOST_PLACES}, of which other policies have {taken}: start another bridge, or "
                "lower --max-sessions"
            )
        self._served[str(computation.policy)] = computation

    def remove(self, policy: Digest) -> ServedPolicy | None:
        """Serve this one no more; what it was."""
        return self._served.pop(str(policy), None)

    def of(self, caller: Caller) -> ServedPolicy:
        """What this client asks for.

        Raises:
            CallError: it is not served here, or the client does not say what it asks for.
        """
        if self.only is not None:
            return self.only
        named = caller.metadata.get(POLICY_KEY)
        if named is None:
            if len(self._served) == 1:
                return next(iter(self._served.values()))
            raise CallError(
                CallStatus.FAILED_PRECONDITION,
                "this bridge serves by policy, and your client names none: use a newer durango, "
                "or ask the delegate for a bridge of your policy alone",
            )
        found = self._served.get(named) if isinstance(named, str) else None
        if found is None:
            raise not_served()
        return found
