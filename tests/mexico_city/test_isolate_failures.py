"""What is told of a failure inside: a code to those who ask, more to the author under `debug`."""

import pytest

from colima import isolate, runtime
from colima.runtime import ComputationState, FailureReport, GetFailureReport, RefusalReason
from execution_engine.errors import TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support import runtime_guests as guests
from support.guests import CountingRandom, main
from support.local_front import close_all, local_front
from support.processes import eventually
from veracruz_utils.policy import Limits, Role, Strategy

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER

DIVIDING = main(
    "(drop (call $read_input (i32.const 0) (i32.const 0) (i32.const 6))) (call $divide)",
    fields="""(func $divide (result i32) (i32.div_s (i32.load (i32.const 0)) (i32.const 0)))
              (data (i32.const 64) "text of the program")""",
)
INPUT = b"secret"


def failed(isolates, strategy=Strategy.JIT, **terms) -> tuple[runtime.Response, runtime.Response]:
    """What the author and the reader are told when the program divides by zero."""
    with (
        isolates.computation(
            [[PI], [DATA], [READER]], program=DIVIDING, data=[1], strategy=strategy, **terms
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as provider,
        rig.session(2) as reader,
    ):
        author.program(DIVIDING)
        early = author.ask(GetFailureReport())
        assert (early.reason, early.expected) == (RefusalReason.WRONG_STATE, "ERROR")
        provider.data(INPUT)
        answer, _ = reader.result()
        for other in (provider, reader):
            assert other.ask(GetFailureReport()).reason is RefusalReason.WRONG_ROLE
        return author.ask(GetFailureReport()), answer


@pytest.mark.parametrize("strategy", list(Strategy))
def test_under_debug_the_author_is_told_where_the_program_trapped(isolates, strategy):
    report, answer = failed(isolates, strategy, debug=True)
    assert (answer.reason, answer.found) == (RefusalReason.TRAPPED, "integer-divide-by-zero")
    assert report.failure == "trapped: integer-divide-by-zero"
    assert [frame.name for frame in report.frames] == ["divide", "main"]
    with (
        Program.load(DIVIDING, strategy=strategy, limits=EngineLimits()) as program,
        pytest.raises(TrapError) as caught,
    ):
        program.run(RunInputs([INPUT]), random=CountingRandom())
    assert [(frame.function, frame.offset, frame.name) for frame in report.frames] == [
        (frame.function, frame.offset, frame.name) for frame in caught.value.frames
    ]


def test_without_debug_the_author_is_told_the_code_and_no_more(isolates):
    report, answer = failed(isolates)
    assert report == FailureReport("trapped: integer-divide-by-zero", ())
    assert answer.found == "integer-divide-by-zero"


def test_a_limit_is_told_to_the_author_by_its_code(isolates):
    limits = Limits(run_seconds=1)
    with (
        isolates.computation([[PI, READER]], program=guests.ENDLESS, limits=limits) as rig,
        rig.session(0) as only,
    ):
        only.program(guests.ENDLESS)
        only.result()
        assert only.ask(GetFailureReport()) == FailureReport("limit reached: time", ())


SAYING = """(global (export "veracruz_message") i32 (i32.const 8))
    (data (i32.const 8) "\\10\\00\\00\\00\\07\\00\\00\\00") (data (i32.const 16) "a panic")
    (func (export "main") (result i32) %s)"""


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("body", "failure"),
    [("unreachable", "trapped: unreachable"), ("(i32.const -4)", "returned: -4"),
     ("(i32.const 0)", "")],
)  # fmt: skip
def test_what_a_program_says_goes_to_its_author_under_debug_alone(isolates, debug, body, failure):
    program = guests.module(SAYING % body)
    with (
        isolates.computation([[PI], [READER]], program=program, debug=debug) as rig,
        rig.session(0) as author,
        rig.session(1) as reader,
    ):
        author.program(program)
        answers = [reader.result()]
        report = author.ask(GetFailureReport())
        answers.append(reader.ask(GetFailureReport()))
    if debug:
        assert (report.failure, report.message) == (failure, "a panic")
    elif failure.startswith("returned"):  # with which code, is for readers
        assert report == FailureReport("the program returned an error code", ())
    elif failure:
        assert report == FailureReport(failure, ())
    else:
        assert isinstance(report, runtime.Refused)
    assert "a panic" not in repr(answers)


ENDLESS = "(loop (br 0)) (i32.const 0)"


@pytest.mark.parametrize("strategy", list(Strategy))
def test_what_a_program_said_before_its_time_was_up_goes_to_its_author(isolates, strategy):
    program = guests.module(SAYING % ENDLESS)
    with (
        isolates.computation(
            [[PI], [READER]], program=program, debug=True, limits=Limits(run_seconds=1),
            strategy=strategy,
        ) as rig,
        rig.session(0) as author,
        rig.session(1) as reader,
    ):  # fmt: skip
        author.program(program)
        answer = reader.result()
        assert author.ask(GetFailureReport()) == FailureReport("limit reached: time", (), "a panic")
    assert "a panic" not in repr(answer)


def test_what_a_program_said_before_another_limit_goes_to_its_author(isolates):
    program = guests.module(SAYING % ENDLESS)
    with (
        isolates.computation(
            [[PI, READER]], program=program, debug=True, limits=Limits(fuel=10_000)
        ) as rig,
        rig.session(0) as only,
    ):
        only.program(program)
        only.result()
        assert only.ask(GetFailureReport()) == FailureReport("limit reached: fuel", (), "a panic")


def trapped_with(isolates, *frames, debug, message="") -> runtime.Response:
    """What the author is told when the guest says that the program trapped in these frames."""
    with (
        local_front(isolates, [[PI], [READER]], program=guests.HELLO, debug=debug) as rig,
        rig.session(0) as author,
    ):
        author.begin_upload(runtime.ContentKind.PROGRAM, len(guests.HELLO))
        author.connection.send_content(guests.HELLO)
        rig.guest.load()
        author.next_answer()
        with rig.session(1) as reader:
            reader.connection.send_frame(runtime.REQUEST.encode(runtime.GetResult()))
            close_all(rig.guest.hear()[1])
            rig.guest.say(isolate.Trapped("unreachable", frames, message))
            reader.next_answer()
        assert eventually(lambda: author.state() is ComputationState.ERROR)
        return author.ask(GetFailureReport())


def test_frames_that_the_policy_does_not_allow_are_dropped_whatever_the_guest_says(isolates):
    frame = runtime.TrapFrame(1, 2, "name")
    assert trapped_with(isolates, frame, debug=True) == FailureReport(
        "trapped: unreachable", (runtime.TrapFrame(1, 2, "name"),)
    )
    refused = trapped_with(isolates, frame, debug=False, message="said")
    assert refused == FailureReport("trapped: unreachable", ())


@pytest.mark.parametrize("name", ["\x1b[31m", "a\nb", "\u202e", "caf\u00e9"])
def test_a_guest_that_gives_names_that_are_not_plain_is_not_quoted(isolates, name):
    report = trapped_with(isolates, runtime.TrapFrame(1, 2, name), debug=True)
    assert report == FailureReport("guest lost: protocol", ())


@pytest.mark.parametrize("message", ["\x1b[31m", "\u202e", "a\rb"])
def test_a_guest_whose_message_is_not_plain_is_not_quoted(isolates, message):
    report = trapped_with(isolates, debug=True, message=message)
    assert report == FailureReport("guest lost: protocol", ())
