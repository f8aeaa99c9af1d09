from collections import deque

import pytest

from colima.runtime import ComputationState
from mexico_city.lifecycle import NEXT, LifecycleEvent


def _reachable(start: ComputationState) -> set[ComputationState]:
    found, waiting = {start}, deque([start])
    while waiting:
        state = waiting.popleft()
        for (before, _), after in NEXT.items():
            if before is state and after not in found:
                found.add(after)
                waiting.append(after)
    return found


def test_states_have_the_numbers_of_2021():
    assert [(state.value, state.name) for state in ComputationState] == [
        (0, "INITIAL"),
        (1, "DATA_SOURCES_LOADING"),
        (2, "STREAM_SOURCES_LOADING"),
        (3, "READY_TO_EXECUTE"),
        (4, "FINISHED_EXECUTING"),
        (5, "ERROR"),
    ]


def test_nothing_leads_out_of_error():
    assert not [event for state, event in NEXT if state is ComputationState.ERROR]


def test_every_state_is_reached_from_the_initial_one():
    assert _reachable(ComputationState.INITIAL) == set(ComputationState)


def test_a_program_runs_only_after_everything_was_loaded_in_order():
    happy = [
        LifecycleEvent.PROGRAM_LOADED,
        LifecycleEvent.DATA_COMPLETE,
        LifecycleEvent.STREAMS_COMPLETE,
        LifecycleEvent.RUN_FINISHED,
    ]
    state = ComputationState.INITIAL
    for event in happy:
        state = NEXT[state, event]
    assert state is ComputationState.FINISHED_EXECUTING


@pytest.mark.parametrize(
    "event",
    [LifecycleEvent.RUN_FINISHED, LifecycleEvent.RUN_FAILED, LifecycleEvent.LAST_RUN_FAILED],
)
def test_a_run_ends_in_one_state_only(event):
    assert [state for state, of in NEXT if of is event] == [ComputationState.READY_TO_EXECUTE]


def test_a_round_begins_after_a_finished_one_only_and_asks_for_streams_again():
    begun = {
        state: after
        for (state, event), after in NEXT.items()
        if event is LifecycleEvent.ROUND_BEGUN
    }
    assert begun == {ComputationState.FINISHED_EXECUTING: ComputationState.STREAM_SOURCES_LOADING}


def test_a_lost_keeper_is_an_error_unless_the_round_had_finished():
    lost = {
        state: after
        for (state, event), after in NEXT.items()
        if event is LifecycleEvent.KEEPER_LOST
    }
    finished = lost.pop(ComputationState.FINISHED_EXECUTING)
    assert finished is ComputationState.FINISHED_EXECUTING
    assert set(lost) == set(ComputationState) - {
        ComputationState.FINISHED_EXECUTING,
        ComputationState.ERROR,
    }
    assert set(lost.values()) == {ComputationState.ERROR}


def test_what_leaves_a_computation_where_it_is():
    assert {step for step, after in NEXT.items() if step[0] is after} == {
        (ComputationState.FINISHED_EXECUTING, LifecycleEvent.KEEPER_LOST),
        (ComputationState.READY_TO_EXECUTE, LifecycleEvent.RUN_FAILED),
        (ComputationState.DATA_SOURCES_LOADING, LifecycleEvent.DATA_WITHDRAWN),
        (ComputationState.DATA_SOURCES_LOADING, LifecycleEvent.STREAM_WITHDRAWN),
        (ComputationState.STREAM_SOURCES_LOADING, LifecycleEvent.STREAM_WITHDRAWN),
    }
