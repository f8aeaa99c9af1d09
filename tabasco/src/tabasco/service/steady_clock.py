"""The time of a running service, which does not go back.

What has expired would be believed again by a clock that was set back. At the start the audit log
says how late it is at least (`AuditLog.check_clock`); from then on the time since the start does,
which nobody sets and which goes on while the machine is suspended. A clock that goes forward is
believed.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tabasco.errors import ClockError
from tabasco.registry.audit import CLOCK_LEEWAY


def boot_time() -> float:
    """Seconds since the machine started, the time that it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """The time in UTC, from its making on; call it for the time.

    Args:
        wall: the clock of the machine.
        since_boot: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        since_boot: Callable[[], float] = boot_time,
    ) -> None:
        self._wall = wall
        self._since_boot = since_boot
        self._started, self._began = wall(), since_boot()

    def __call__(self) -> datetime:
        """The time.

        Raises:
            ClockError: the machine's clock is more than an hour behind what it was at the start
                and the time that went by since.
        """
        now = self._wall()
        least = self._started + timedelta(seconds=self._since_boot() - self._began)
        if now < least - CLOCK_LEEWAY:
            raise ClockError(
                f"the clock says {now.isoformat(timespec='seconds')}, and by the time since the "
                f"service started it is {least.isoformat(timespec='seconds')}: set the clock, or "
                "start again if it was wrong then"
            )
        return now
