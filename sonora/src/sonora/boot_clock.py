"""The clock that enrolments are counted by: it goes on while the machine is suspended."""

import time


def boot_time() -> float:
    """Seconds since the machine started, the time that it slept included.

    Nobody sets this clock. `time.monotonic` stands still in a suspended machine, and an enrolment
    would be good for longer here than at Tabasco.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)
