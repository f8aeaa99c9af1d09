"""The lifecycle of a computation, as a table.

Six states, and every legal step. Whatever the table does not list is refused and changes nothing.
docs/explanation/lifecycle.md draws this table.
"""

import enum
from typing import Final

from colima.runtime import ComputationState as State


class LifecycleEvent(enum.Enum):
    """What moves a computation."""

    PROGRAM_LOADED = "the program is loaded"
    PROGRAM_REFUSED = "the program is refused"
    DATA_COMPLETE = "the last data input is in"
    STREAMS_COMPLETE = "the last stream input of the round is in"
    RUN_FINISHED = "the program returned"
    RUN_FAILED = "the program trapped or reached a limit"
    ROUND_BEGUN = "the next round begins"
    GUEST_LOST = "the guest process is gone"


NEXT: Final[dict[tuple[State, LifecycleEvent], State]] = {
    (State.INITIAL, LifecycleEvent.PROGRAM_LOADED): State.DATA_SOURCES_LOADING,
    (State.INITIAL, LifecycleEvent.PROGRAM_REFUSED): State.ERROR,
    (State.INITIAL, LifecycleEvent.GUEST_LOST): State.ERROR,
    (State.DATA_SOURCES_LOADING, LifecycleEvent.DATA_COMPLETE): State.STREAM_SOURCES_LOADING,
    (State.DATA_SOURCES_LOADING, LifecycleEvent.GUEST_LOST): State.ERROR,
    (State.STREAM_SOURCES_LOADING, LifecycleEvent.STREAMS_COMPLETE): State.READY_TO_EXECUTE,
    (State.STREAM_SOURCES_LOADING, LifecycleEvent.GUEST_LOST): State.ERROR,
    (State.READY_TO_EXECUTE, LifecycleEvent.RUN_FINISHED): State.FINISHED_EXECUTING,
    (State.READY_TO_EXECUTE, LifecycleEvent.RUN_FAILED): State.ERROR,
    (State.READY_TO_EXECUTE, LifecycleEvent.GUEST_LOST): State.ERROR,
    (State.FINISHED_EXECUTING, LifecycleEvent.ROUND_BEGUN): State.STREAM_SOURCES_LOADING,
    # The result of a finished round stays readable; only another round needs the guest.
    (State.FINISHED_EXECUTING, LifecycleEvent.GUEST_LOST): State.FINISHED_EXECUTING,
}
