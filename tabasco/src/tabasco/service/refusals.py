"""Refusals in the audit log: counted, not written one by one, as anybody can cause them.

Theory of operation. The first refusal of a kind is an entry of its own and begins a period. Those
after it are counted, and when the period is over they are one entry with their number. So whatever
strangers do, the log grows by two entries a period and kind; and kinds are few, as each is an
action, a platform that we know, and a reason of the closed set. A service that is killed takes the
counts of the period with it.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tabasco.registry import audit
from tabasco.registry.database import Database
from veracruz_utils.frozen import frozen

PERIOD: Final = timedelta(minutes=5)


@frozen
class RefusalKind:
    """What was refused, of what, and why."""

    action: str
    subject: str
    outcome: str


@dataclass(slots=True)
class _Period:
    began: datetime
    more: int = 0

    def is_over(self, at: datetime) -> bool:
        # A clock that was set back must not have a period last.
        return not self.began <= at < self.began + PERIOD


class Refusals:
    """The refusals of one service; safe to share by threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._periods: dict[RefusalKind, _Period] = {}

    def add(self, refused: RefusalKind, *, at: datetime) -> None:
        """Count one more, or write it down if it is the first of its kind in a period."""
        with self._lock:
            period = self._periods.get(refused)
            if period is not None and not period.is_over(at):
                period.more += 1
                return
            self._periods[refused] = _Period(at)
        if period is not None:
            self._write(refused, period, at)
        self._write(refused, None, at)

    def write_counts(self, *, at: datetime, all_of_them: bool = False) -> None:
        """Write down what was counted in periods that are over, or in every period."""
        with self._lock:
            over = {
                refused: period
                for refused, period in self._periods.items()
                if all_of_them or period.is_over(at)
            }
            for refused in over:
                del self._periods[refused]
        for refused, period in over.items():
            self._write(refused, period, at)

    def _write(self, refused: RefusalKind, period: _Period | None, at: datetime) -> None:
        subject = refused.subject
        if period is not None:
            if not period.more:
                return
            subject += f", {period.more} more from {period.began.isoformat(timespec='seconds')} on"
        with self._database.writing() as session:
            audit.record(
                session,
                at=at,
                actor=audit.SERVICE,
                action=refused.action,
                subject=subject,
                outcome=refused.outcome,
            )
