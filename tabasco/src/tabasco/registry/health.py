"""Whether a database answers, asked with a deadline and not by everybody who wants to know.

A database that has gone away may keep a query waiting for as long as the network likes. So the one
question at a time is asked in a thread of its own, and who wants to know waits for it no longer
than the deadline. An answer counts for a second: a flood of health checks is one query a second.
"""

import threading
import time
from typing import Final

from sqlalchemy import text

from tabasco.errors import DatabaseError, TabascoError
from tabasco.registry.database import Database

DEADLINE_S: Final = 2.0
_COUNTS_FOR_S: Final = 1.0
_GIVEN_UP_AFTER_S: Final = 30.0
"""Then it is asked anew, whatever became of the question before."""
_QUESTION: Final = text("select version_num from alembic_version")


class DatabaseHealth:
    """Whether `database` answers; safe to share by threads."""

    def __init__(self, database: Database, *, deadline_s: float = DEADLINE_S) -> None:
        self._database = database
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._asked: _Question | None = None

    def check(self) -> None:
        """Return if the database answers.

        Raises:
            DatabaseError: it does not, or not in time.
        """
        with self._lock:
            if self._asked is None or self._asked.is_over():
                self._asked = _Question(self._database)
            asked = self._asked
        if not asked.answered_within(self._deadline_s):
            raise DatabaseError("the database does not answer")


class _Question:
    """One question to the database, and what came of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._began = time.monotonic()
        self._ended: float | None = None
        self._done = threading.Event()
        self._well = False
        # A daemon: the end of the process does not wait for a database that does not answer.
        threading.Thread(target=self._ask, name="database health", daemon=True).start()

    def is_over(self) -> bool:
        """Whether it was answered too long ago to count, or never will be."""
        now = time.monotonic()
        if self._ended is None:
            return self._began + _GIVEN_UP_AFTER_S <= now
        return self._ended + _COUNTS_FOR_S <= now

    def answered_within(self, deadline_s: float) -> bool:
        """Whether it was answered well, at most so long after it was asked."""
        left = self._began + deadline_s - time.monotonic()
        return self._done.wait(max(0.0, left)) and self._well

    def _ask(self) -> None:
        try:
            with self._database.reading() as session:
                self._well = bool(session.scalar(_QUESTION))
        except TabascoError:
            self._well = False
        finally:
            self._ended = time.monotonic()
            self._done.set()
