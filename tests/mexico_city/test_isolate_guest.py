"""The guest process: its limits, its loss, and that neither takes the front with it."""

import os
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from colima import runtime
from colima.runtime import (
    REQUEST,
    ComputationState,
    ContentKind,
    GetState,
    RefusalReason,
    ResponseStatus,
)
from execution_engine.strategy import COMPILE_THREADS
from support import runtime_guests as guests
from support.patience import PATIENCE_S
from support.processes import eventually, guest_of, keeper_of, open_files, runs, state
from veracruz_utils.policy import Limits, Role, Strategy

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER
STREAM = Role.STREAM_PROVIDER


def contents(rig) -> list[str]:
    """What the front has open, but for compiled code that Sonora had."""
    opened = open_files(rig.isolate.process_id)
    return [each for each in opened if not each.startswith("/memfd:code")]


def kill_guest(rig) -> None:
    """Kill the guest process and wait until the front has noticed."""
    guest = guest_of(rig.isolate.process_id)
    os.kill(guest, signal.SIGKILL)
    assert eventually(lambda: state(guest) is None)


@contextmanager
def standstill(rig):
    """The front does nothing meanwhile, and finds all that happened at once."""
    front = rig.isolate.process_id
    os.kill(front, signal.SIGSTOP)
    assert eventually(lambda: state(front) == "T")
    try:
        yield
    finally:
        os.kill(front, signal.SIGCONT)


def ask_for_result(caller) -> None:
    caller.connection.send_frame(REQUEST.encode(runtime.GetResult()))


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_guest_killed_mid_run_is_told_to_its_readers_and_the_front_serves_on(isolates, strategy):
    with (
        isolates.computation(
            [[PI], [READER], [READER]], program=guests.ENDLESS, strategy=strategy
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as first,
        rig.session(2) as second,
    ):
        author.program(guests.ENDLESS)
        ask_for_result(first)
        ask_for_result(second)
        assert eventually(lambda: author.ask(GetState()).running)
        kill_guest(rig)
        for reader in (first, second):
            answer = reader.next_answer()
            assert (answer.status, answer.reason) == (
                ResponseStatus.VM_ERROR,
                RefusalReason.GUEST_LOST,
            )
            assert answer.found == "signal-9"
        with rig.session(1) as later:
            assert later.stands_in() == (ComputationState.ERROR, 1, False)
            late, _ = later.result()
            assert late.found == "ERROR (guest lost: signal-9)"


def test_a_guest_killed_before_the_program_came_is_replaced_when_it_comes(isolates):
    with isolates.computation([[PI, READER]], program=guests.HELLO) as rig, rig.session(0) as only:
        kill_guest(rig)
        assert only.state() is ComputationState.INITIAL
        assert only.program(guests.HELLO) == runtime.Done()
        assert only.result()[1] == b"hello"


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_guest_killed_before_a_run_is_replaced_and_is_given_program_and_inputs(
    isolates, strategy
):
    with (
        isolates.computation(
            [[PI], [DATA], [READER]], program=guests.COLLECTOR, data=[1], strategy=strategy
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        author.program(guests.COLLECTOR)
        kill_guest(rig)
        provider.data(b"data")
        assert b"data" in reader.result()[1]
        assert reader.standing().attempt == 1


def test_a_guest_killed_after_a_round_leaves_its_result_and_another_runs_the_next(isolates):
    with isolates.computation([[PI, READER]], program=guests.HELLO) as rig, rig.session(0) as only:
        only.program(guests.HELLO)
        before = only.result()
        kill_guest(rig)
        assert only.result() == before
        assert only.ask(runtime.NextRound()) == runtime.Done()
        assert only.result()[1] == b"hello"
        assert only.ask(runtime.Shutdown()) == runtime.Done()
        assert rig.isolate.ended.wait(PATIENCE_S)
        assert rig.isolate.exit_code == 0


def test_a_guest_killed_in_its_run_costs_an_attempt_and_the_next_has_the_same_inputs(isolates):
    with (
        isolates.computation(
            [[PI], [DATA], [READER]], program=guests.ENDLESS, data=[1], terms={"attempts": 3}
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        author.program(guests.ENDLESS)
        provider.data(b"data")
        before = keeper_of(rig.isolate.process_id)
        for attempt in (1, 2):
            reader.connection.send_frame(REQUEST.encode(runtime.GetResult(retry=attempt > 1)))
            assert eventually(lambda: author.standing().running)
            kill_guest(rig)
            answer = reader.next_answer()
            assert (answer.reason, answer.found) == (RefusalReason.GUEST_LOST, "signal-9")
            standing = author.standing()
            assert standing.state is ComputationState.READY_TO_EXECUTE
            assert (standing.attempt, standing.failure) == (attempt, runtime.Failure.GUEST_LOST)
            assert reader.result()[0] == answer  # and nothing runs for it
        assert keeper_of(rig.isolate.process_id) == before
        assert author.standing().places[1].filling is runtime.Filling.FILLED


def test_a_run_that_fails_is_repaired_by_the_provider_of_its_input(isolates):
    with (
        isolates.computation(
            [[PI], [DATA], [READER]], program=guests.WANTS_FOUR, data=[1], terms={"attempts": 3}
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        author.program(guests.WANTS_FOUR)
        provider.data(b"fiver")
        failed = reader.result()[0]
        assert isinstance(failed, runtime.ProgramFailed)
        # Which one is for readers: a program must not tell its author anything by it.
        told = author.ask(runtime.GetFailureReport())
        assert told.failure == "the program returned an error code"
        assert provider.data(b"four").reason is RefusalReason.DUPLICATE_PACKAGE
        replaced = provider.upload(ContentKind.DATA, b"four", replace=True)
        assert isinstance(replaced, runtime.Accepted)
        answer, content = reader.result()
        assert isinstance(answer, runtime.ResultIs)
        assert content == b"four"
        assert reader.standing().attempt == 2


def test_an_input_is_withdrawn_after_a_failure_and_no_guest_has_it_any_more(isolates):
    with (
        isolates.computation(
            [[PI], [DATA], [READER]], program=guests.WANTS_FOUR, data=[1], terms={"attempts": 3}
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        author.program(guests.WANTS_FOUR)
        guest = guest_of(rig.isolate.process_id)
        provider.data(b"a secret that is not four bytes")
        assert isinstance(reader.result()[0], runtime.ProgramFailed)
        assert eventually(lambda: state(guest) is None)
        assert provider.ask(runtime.Withdraw(ContentKind.DATA, 0)) == runtime.Done()
        assert author.state() is ComputationState.DATA_SOURCES_LOADING
        assert reader.result()[0].reason is RefusalReason.WRONG_STATE
        assert isinstance(provider.data(b"four"), runtime.Accepted)
        assert reader.result()[1] == b"four"


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_repeated_run_compiles_nothing_again(isolates, strategy):
    with (
        isolates.computation(
            [[PI], [READER]],
            program=guests.TRAPPING,
            strategy=strategy,
            terms={"attempts": 100},
            limits=Limits(run_seconds=20),
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as reader,
    ):
        author.program(guests.TRAPPING)
        for _ in range(100):
            answer = reader.ask(runtime.GetResult(retry=True))
            assert answer.reason is RefusalReason.TRAPPED
        assert author.state() is ComputationState.ERROR
        assert reader.ask(runtime.GetResult(retry=True)).found == "ERROR (trapped: unreachable)"


def test_without_its_keeper_a_computation_fails(isolates):
    with isolates.computation([[PI, READER]], program=guests.HELLO) as rig, rig.session(0) as only:
        only.program(guests.HELLO)
        guest = guest_of(rig.isolate.process_id)
        os.kill(keeper_of(rig.isolate.process_id), signal.SIGKILL)
        assert eventually(lambda: not runs(guest))
        assert eventually(lambda: only.state() is ComputationState.ERROR)
        assert only.result()[0].found == "ERROR (guest lost: keeper)"


def test_a_session_that_arrives_as_the_guest_is_lost_is_served(isolates):
    with (
        isolates.computation([[PI, READER]], program=guests.HELLO) as rig,
        ExitStack() as stack,
    ):
        for _ in range(10):  # so that the next descriptor would be the lost guest's
            stack.enter_context(rig.session(0)).state()
        with standstill(rig):
            guest = guest_of(rig.isolate.process_id)
            os.kill(guest, signal.SIGKILL)
            assert eventually(lambda: not runs(guest))
            stack.enter_context(rig.raw_session())
        with rig.session(0) as only:
            assert only.program(guests.HELLO) == runtime.Done()
            assert only.result()[1] == b"hello"


def test_a_program_that_arrives_as_the_guest_is_lost_is_refused(isolates):
    with (
        isolates.computation([[PI, READER]], program=guests.HELLO) as rig,
        rig.session(0) as only,
        rig.session(0) as other,
    ):
        only.begin_upload(ContentKind.PROGRAM, len(guests.HELLO))
        with standstill(rig):
            only.connection.send_content(guests.HELLO)
            guest = guest_of(rig.isolate.process_id)
            os.kill(guest, signal.SIGKILL)
            assert eventually(lambda: not runs(guest))
        answer = only.next_answer()
        if answer != runtime.Done():  # the guest's end may have been noticed first
            assert answer.reason is RefusalReason.GUEST_LOST
            assert other.state() is ComputationState.ERROR


def test_a_program_that_takes_too_long_to_compile_is_given_up(isolates):
    bomb = guests.slow_to_compile(60)
    with (
        isolates.computation(
            [[PI], [READER]], program=bomb, limits=Limits(compile_seconds=1)
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as reader,
    ):
        author.begin_upload(ContentKind.PROGRAM, len(bomb))
        author.connection.send_content(bomb)
        assert reader.state() is ComputationState.INITIAL
        guest = guest_of(rig.isolate.process_id)
        answer = author.next_answer()
        assert (answer.status, answer.reason) == (
            ResponseStatus.VM_ERROR,
            RefusalReason.LIMIT_REACHED,
        )
        assert answer.found == "compile-time"
        assert state(guest) is None
        assert reader.state() is ComputationState.ERROR


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_large_program_is_compiled_by_threads_within_the_walls(isolates, strategy):
    large = guests.large(2**20)
    with (
        isolates.computation([[PI, READER]], program=large, strategy=strategy) as rig,
        rig.session(0) as caller,
    ):
        assert caller.program(large) == runtime.Done()
        threads = Path(f"/proc/{guest_of(rig.isolate.process_id)}/task")
        assert len(list(threads.iterdir())) == 1 + COMPILE_THREADS
        assert not caller.result()[0].present


def test_fifty_rounds_leave_no_descriptor_behind(isolates):
    with (
        isolates.computation(
            [[PI], [STREAM], [READER]], program=guests.COLLECTOR, streams=[1, 1]
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as streams,
        rig.session(2) as reader,
    ):
        author.program(guests.COLLECTOR)
        counts = []
        for turn in range(50):
            streams.stream(b"a", 0)
            streams.stream(b"b", 1)
            assert isinstance(reader.result()[0], runtime.ResultIs)
            counts.append(
                tuple(
                    len(open_files(each))
                    for each in (rig.isolate.process_id, guest_of(rig.isolate.process_id))
                )
            )
            if turn < 49:
                assert reader.ask(runtime.NextRound()) == runtime.Done()
        assert set(counts[2:]) == {counts[1]}


def test_what_a_finished_computation_keeps_open_is_its_inputs_and_its_result(isolates):
    with isolates.computation(
        [[PI], [DATA], [READER]], program=guests.COLLECTOR, data=[1, 1]
    ) as rig:
        empty = len(contents(rig))
        with rig.session(0) as author, rig.session(1) as provider, rig.session(2) as reader:
            author.program(guests.COLLECTOR)
            provider.data(b"a", 0)
            provider.data(b"b", 1)
            reader.result()
        assert eventually(lambda: len(contents(rig)) == empty + 4)  # and the program


def test_a_failed_computation_keeps_nothing(isolates):
    with isolates.computation([[PI], [DATA], [READER]], program=guests.TRAPPING, data=[1]) as rig:
        empty = len(contents(rig))
        with rig.session(0) as author, rig.session(1) as provider, rig.session(2) as reader:
            author.program(guests.TRAPPING)
            provider.data(b"secret")
            assert reader.result()[0].reason is RefusalReason.TRAPPED
        assert eventually(lambda: len(contents(rig)) == empty - 1)  # nor a channel to a guest


def test_the_guest_has_neither_the_isolates_other_channels_nor_any_earlier_input(isolates):
    with (
        isolates.computation([[PI], [DATA], [READER]], program=guests.COLLECTOR, data=[1]) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        author.program(guests.COLLECTOR)
        provider.data(b"secret")
        reader.result()
        sockets = [
            each
            for each in open_files(guest_of(rig.isolate.process_id))
            if each.startswith("socket:")
        ]
        assert len(sockets) == 1
        assert not [
            each for each in open_files(guest_of(rig.isolate.process_id)) if "memfd" in each
        ]
