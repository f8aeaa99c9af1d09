"""Hostile programs in real isolates: each ends by its own limit, and the front serves on."""

import pytest

from colima import isolate, runtime
from colima.runtime import ComputationState, ContentKind, RefusalReason
from support import hostile_programs as hostile
from support import runtime_guests as guests
from support.local_front import close_all, local_front
from support.processes import eventually, guest_of, state
from veracruz_utils.policy import Limits, Role, Strategy

PI, READER = Role.PI_PROVIDER, Role.RESULT_READER
MIB = 1024 * 1024


@pytest.fixture(params=list(Strategy), ids=lambda strategy: strategy.value)
def strategy(request):
    return request.param


class Attack:
    """A hostile program in an isolate of its own."""

    def __init__(self, isolates, code, **terms) -> None:
        self.code = code
        self.rig = isolates.computation([[PI], [READER]], program=code, **terms)

    def provided(self) -> tuple[RefusalReason, str]:
        """How the program itself is answered; it is not accepted."""
        with self.rig as rig, rig.session(0) as author, rig.session(1) as reader:
            answer = author.program(self.code)
            assert_serving(rig, author, reader)
            return answer.reason, answer.found

    def run(self) -> tuple[RefusalReason, str]:
        """How its run is answered; the program was accepted."""
        with self.rig as rig, rig.session(0) as author, rig.session(1) as reader:
            assert author.program(self.code) == runtime.Done()
            answer, _ = reader.result()
            assert_serving(rig, author, reader)
            return answer.reason, answer.found


def assert_serving(rig, *callers) -> None:
    """The computation has failed; sessions old and new are answered all the same."""
    for caller in callers:
        assert caller.stands_in() == (ComputationState.ERROR, 1, False)
    with rig.session(1) as later:
        assert later.ask(runtime.GetPolicyDigest()) == runtime.DigestIs(rig.policy.digest.value)
        late, _ = later.result()
        assert late.reason is RefusalReason.WRONG_STATE
    assert rig.isolate.exit_code is None


ONE_SECOND = Limits(run_seconds=1)


@pytest.mark.parametrize(
    "code",
    [guests.ENDLESS, hostile.HOST_CALLS, hostile.FILLS, hostile.GROWTH],
    ids=["an endless loop", "host calls without end", "an hour of fills", "growth without end"],
)
def test_a_program_without_end_ends_at_its_time(isolates, strategy, code):
    attack = Attack(isolates, code, strategy=strategy, limits=ONE_SECOND)
    assert attack.run() == (RefusalReason.LIMIT_REACHED, "time")


def test_time_runs_out_while_the_front_sleeps(isolates):
    attack = Attack(isolates, guests.ENDLESS, limits=ONE_SECOND)
    with attack.rig as rig:
        guest = guest_of(rig.isolate.process_id)
        with rig.session(0) as author:
            author.program(attack.code)
        with rig.session(1) as reader:
            assert reader.result()[0].reason is RefusalReason.LIMIT_REACHED
        assert eventually(lambda: state(guest) is None)


def test_fuel_ends_a_program_that_time_would_not(isolates, strategy):
    limits = Limits(fuel=10**7)
    attack = Attack(isolates, guests.ENDLESS, strategy=strategy, limits=limits)
    assert attack.run() == (RefusalReason.LIMIT_REACHED, "fuel")


def test_memory_that_is_refused_is_the_programs_to_live_without(isolates, strategy):
    limits = Limits(memory_bytes=4 * MIB)
    with (
        isolates.computation(
            [[PI, READER]], program=hostile.GREEDY, strategy=strategy, limits=limits
        ) as rig,
        rig.session(0) as only,
    ):
        only.program(hostile.GREEDY)
        answer, content = only.result()
        assert isinstance(answer, runtime.ResultIs)
        assert int.from_bytes(content, "little") == 4 * MIB // 65536


def test_endless_recursion_is_a_trap(isolates, strategy):
    assert Attack(isolates, hostile.RECURSION, strategy=strategy).run() == (
        RefusalReason.TRAPPED, "stack-overflow",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "limits", "found"),
    [
        (hostile.jump_table(250_000), {}, "uncompilable"),
        (hostile.many_locals(50_000), {}, "too-many-locals"),
        (hostile.large_function(524_289), {}, "function-too-large"),
        (hostile.with_memory(2), {"memory_bytes": 65536}, "memory-too-large"),
        (hostile.with_table(11), {"table_elements": 10}, "table-too-large"),
        (guests.HELLO, {"function_bytes": 3}, "function-too-large"),
        (hostile.many_locals(3), {"locals": 2}, "too-many-locals"),
    ],
)  # fmt: skip
def test_a_module_beyond_a_static_limit_is_refused_by_the_name_of_it(isolates, code, limits, found):
    attack = Attack(isolates, code, limits=Limits(**limits))
    assert attack.provided() == (RefusalReason.PROGRAM_REFUSED, found)


def test_a_module_larger_than_its_limit_is_not_even_taken_in(isolates):
    code = hostile.data(36 * MIB)
    with isolates.computation([[PI], [READER]], program=code) as rig, rig.session(0) as author:
        answer = author.begin_upload(ContentKind.PROGRAM, len(code))
        assert (answer.reason, answer.expected) == (
            RefusalReason.TOO_LARGE, f"program_bytes <= {32 * MIB}",
        )  # fmt: skip
        assert author.state() is ComputationState.INITIAL


def test_a_large_data_segment_within_the_limits_runs(isolates):
    code = hostile.data(12 * MIB)
    with isolates.computation([[PI, READER]], program=code) as rig, rig.session(0) as only:
        assert only.program(code) == runtime.Done()
        assert isinstance(only.result()[0], runtime.ResultIs)


LENIENT = {"locals": 50_000, "function_bytes": 2 * MIB}


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        (hostile.live_locals(2_000, loops=50, reads=3_000), {}),
        (hostile.live_locals(3_999, loops=300, reads=55_000), {}),
        (hostile.live_locals(40_000, loops=3, reads=70_000), LENIENT),
        (hostile.nested(2_500_000), {"function_bytes": 7_654_321}),
    ],
    ids=["28 KB", "0.5 MB", "0.6 MB", "7.5 MB of blocks inside one another"],
)
def test_a_module_that_compiles_for_long_is_given_up(isolates, strategy, code, limits):
    limits = Limits(compile_seconds=1, **limits)
    attack = Attack(isolates, code, strategy=strategy, limits=limits)
    assert attack.provided() == (RefusalReason.LIMIT_REACHED, "compile-time")


def test_the_compile_bomb_of_most_locals_is_refused_before_it_is_compiled(isolates):
    attack = Attack(isolates, hostile.live_locals(40_000, loops=3, reads=50_000))
    assert attack.provided() == (RefusalReason.PROGRAM_REFUSED, "too-many-locals")


def test_a_module_that_takes_much_memory_to_compile_is_given_up(isolates, strategy):
    limits = Limits(compile_memory_bytes=16 * MIB, compile_seconds=600)
    code = hostile.live_locals(3_999, loops=1_000, reads=3_000)
    assert Attack(isolates, code, strategy=strategy, limits=limits).provided() == (
        RefusalReason.LIMIT_REACHED, "compile-memory",
    )  # fmt: skip


def test_random_bytes_and_output_have_their_limits(isolates):
    drawing = Attack(isolates, guests.RANDOM, limits=Limits(random_bytes=31))
    assert drawing.run() == (RefusalReason.LIMIT_REACHED, "random-bytes")
    writing = Attack(isolates, guests.HELLO, limits=Limits(output_bytes=4))
    assert writing.run() == (RefusalReason.LIMIT_REACHED, "output-size")


def test_a_smaller_stack_overflows_sooner(isolates):
    code = hostile.calls(10_000)
    limits = Limits(stack_bytes=65536)
    assert Attack(isolates, code, limits=limits).run() == (RefusalReason.TRAPPED, "stack-overflow")
    with isolates.computation([[PI, READER]], program=code) as rig, rig.session(0) as only:
        only.program(code)
        assert isinstance(only.result()[0], runtime.ResultIs)


def test_a_guest_that_finds_no_memory_to_compile_says_so_and_is_ended(isolates):
    with local_front(isolates, [[PI], [READER]], program=guests.HELLO) as rig:
        with rig.session(0) as author:
            author.begin_upload(ContentKind.PROGRAM, len(guests.HELLO))
            author.connection.send_content(guests.HELLO)
            close_all(rig.guest.hear()[1])
            rig.guest.say(isolate.LimitReached("compile-memory"))
            answer = author.next_answer()
            assert (answer.reason, answer.found) == (RefusalReason.LIMIT_REACHED, "compile-memory")
        assert state(rig.guest.process.pid) is None
        with rig.session(1) as reader:
            assert reader.result()[0].found == "ERROR (limit reached: compile-memory)"
