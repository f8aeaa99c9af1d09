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
    DATA_WITHDRAWN = "a data input was withdrawn"
    STREAM_WITHDRAWN = "a stream input was withdrawn"
    RUN_FINISHED = "the program returned"
    RUN_FAILED = "a run failed, and there may be another"
    LAST_RUN_FAILED = "the last run that the policy allows failed"
    ROUND_BEGUN = "the next round begins"
    KEEPER_LOST = "there can be no guest process any more"


NEXT: Final[dict[tuple[State, LifecycleEvent], State]] = {
    (State.INITIAL, LifecycleEvent.PROGRAM_LOADED): State.DATA_SOURCES_LOADING,
    (State.INITIAL, LifecycleEvent.PROGRAM_REFUSED): State.ERROR,
    (State.INITIAL, LifecycleEvent.KEEPER_LOST): State.ERROR,
    (State.DATA_SOURCES_LOADING, LifecycleEvent.DATA_COMPLETE): State.STREAM_SOURCES_LOADING,
    (State.DATA_SOURCES_LOADING, LifecycleEvent.DATA_WITHDRAWN): State.DATA_SOURCES_LOADING,
    # Streams may be there before the data are once more.
    (State.DATA_SOURCES_LOADING, LifecycleEvent.STREAM_WITHDRAWN): State.DATA_SOURCES_LOADING,
    (State.DATA_SOURCES_LOADING, LifecycleEvent.KEEPER_LOST): State.ERROR,
    (State.STREAM_SOURCES_LOADING, LifecycleEvent.STREAMS_COMPLETE): State.READY_TO_EXECUTE,
    (State.STREAM_SOURCES_LOADING, LifecycleEvent.DATA_WITHDRAWN): State.DATA_SOURCES_LOADING,
    (State.STREAM_SOURCES_LOADING, LifecycleEvent.STREAM_WITHDRAWN): State.STREAM_SOURCES_LOADING,
    (State.STREAM_SOURCES_LOADING, LifecycleEvent.KEEPER_LOST): State.ERROR,
    (State.READY_TO_EXECUTE, LifecycleEvent.DATA_WITHDRAWN): State.DATA_SOURCES_LOADING,
    (State.READY_TO_EXECUTE, LifecycleEvent.STREAM_WITHDRAWN): State.STREAM_SOURCES_LOADING,
    (State.READY_TO_EXECUTE, LifecycleEvent.RUN_FINISHED): State.FINISHED_EXECUTING,
    (State.READY_TO_EXECUTE, LifecycleEvent.RUN_FAILED): State.READY_TO_EXECUTE,
    (State.READY_TO_EXECUTE, LifecycleEvent.LAST_RUN_FAILED): State.ERROR,
    (State.READY_TO_EXECUTE, LifecycleEvent.KEEPER_LOST): State.ERROR,
    (State.FINISHED_EXECUTING, LifecycleEvent.ROUND_BEGUN): State.STREAM_SOURCES_LOADING,
    # The result of a finished round stays readable; only another round needs a guest.
    (State.FINISHED_EXECUTING, LifecycleEvent.KEEPER_LOST): State.FINISHED_EXECUTING,
}
