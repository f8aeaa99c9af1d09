"""Each host call under both strategies: effect, statuses, bounds."""

import mmap
import struct

import pytest

from execution_engine.abi import HostStatus
from execution_engine.abi_text import CALL_TEXTS
from execution_engine.errors import LimitCode, LimitError, TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import PlatformError, ServiceUnavailableError
from support.guests import STATUSES, CountingRandom, calling, main

PAGE = 65536
NUMBER_CALLS = [  # calls that write a number, with an index where they take one
    ("input_count",),
    ("input_size", 0),
    ("previous_result_size",),
    ("has_previous_result",),
    ("stream_count",),
    ("stream_size", 0),
]
INPUTS = ([b"abc"], [b"stream"], b"before")


def number(output, at=0):
    return struct.unpack_from("<I", output, at)[0]


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("input_count", (), 2),
        ("input_size", (0,), 3),
        ("input_size", (1,), 0),
        ("previous_result_size", (), 6),
        ("has_previous_result", (), 1),
        ("stream_count", (), 3),
        ("stream_size", (2,), 300),
    ],
)
def test_a_number_is_written_as_four_little_endian_bytes(run, call, arguments, expected):
    code = calling((call, *arguments, 8), data="\\ff" * 32, dump=True)
    output = run(code, [b"abc", b""], [b"", b"x", bytes(300)], b"before").output
    assert number(output, STATUSES) == HostStatus.SUCCESS
    assert output[:20] == b"\xff" * 8 + struct.pack("<I", expected) + b"\xff" * 8


@pytest.mark.parametrize("call", ["input_count", "stream_count"])
def test_without_inputs_their_number_is_zero(run, call):
    assert number(run(calling((call, 0), data="\\ff\\ff\\ff\\ff", dump=True)).output) == 0


@pytest.mark.parametrize("call", NUMBER_CALLS, ids=lambda call: call[0])
def test_a_number_fits_at_the_very_end_of_memory(run, call):
    assert run(calling((*call, PAGE - 4)), *INPUTS).return_code == HostStatus.SUCCESS


@pytest.mark.parametrize("call", NUMBER_CALLS, ids=lambda call: call[0])
@pytest.mark.parametrize("pointer", [PAGE - 3, PAGE, -1, -4, -0x80000000])
def test_a_number_that_does_not_fit_into_memory_traps(run, call, pointer):
    with pytest.raises(TrapError) as caught:
        run(calling((*call, pointer)), *INPUTS)
    assert caught.value.code is TrapCode.OUT_OF_BOUNDS_HOST_CALL


@pytest.mark.parametrize(
    ("size_call", "read_call", "status"),
    [
        ("input_size", "read_input", HostStatus.BAD_INPUT),
        ("stream_size", "read_stream", HostStatus.BAD_STREAM),
    ],
)
@pytest.mark.parametrize("index", [1, 2, -1, -0x80000000])
def test_an_index_from_the_count_on_is_a_status_and_writes_nothing(
    run, size_call, read_call, status, index
):
    code = calling((size_call, index, 0), (read_call, index, 0, 64), data="\\ee" * 64, dump=True)
    output = run(code, [b"abc"], [b"abc"]).output
    assert struct.unpack_from("<ii", output, STATUSES) == (status, status)
    assert output[:64] == b"\xee" * 64


@pytest.mark.parametrize(
    ("call", "arguments", "too_short"),
    [
        ("read_input", (1,), HostStatus.DATA_SOURCE_SIZE),
        ("read_stream", (1,), HostStatus.STREAM_SOURCE_SIZE),
        ("read_previous_result", (), HostStatus.PREVIOUS_RESULT_SIZE),
    ],
)
class TestReading:
    def read(self, run, step, content=b"content"):
        code = calling(step, data="\\ee" * 64, dump=True)
        return run(code, [b"", content], [b"", content], content).output

    @pytest.mark.parametrize("size", [7, 8, PAGE, -1])
    def test_all_of_it_is_copied_and_nothing_more(self, run, call, arguments, too_short, size):
        output = self.read(run, (call, *arguments, 16, size))
        assert number(output, STATUSES) == HostStatus.SUCCESS
        assert output[:32] == b"\xee" * 16 + b"content" + b"\xee" * 9

    @pytest.mark.parametrize("size", [0, 1, 6])
    def test_a_buffer_too_short_is_a_status_and_writes_nothing(
        self, run, call, arguments, too_short, size
    ):
        output = self.read(run, (call, *arguments, 16, size))
        assert struct.unpack_from("<i", output, STATUSES)[0] == too_short
        assert output[:64] == b"\xee" * 64

    def test_a_buffer_too_short_is_a_status_wherever_it_lies(self, run, call, arguments, too_short):
        code = calling((call, *arguments, -1, 6))
        assert run(code, [b"", b"content"], [b"", b"content"], b"content").return_code == too_short

    def test_it_fits_at_the_very_end_of_memory(self, run, call, arguments, too_short):
        assert self.read(run, (call, *arguments, PAGE - 7, 7))[-7:] == b"content"

    @pytest.mark.parametrize("buf", [PAGE - 6, PAGE, -7, -1])
    def test_a_range_that_leaves_memory_traps(self, run, call, arguments, too_short, buf):
        with pytest.raises(TrapError) as caught:
            self.read(run, (call, *arguments, buf, 7))
        assert caught.value.code is TrapCode.OUT_OF_BOUNDS_HOST_CALL

    @pytest.mark.parametrize("buf", [0, 1, PAGE - 1, PAGE])
    def test_an_empty_one_is_read_to_anywhere_in_memory(self, run, call, arguments, too_short, buf):
        output = self.read(run, (call, *arguments, buf, 0), content=b"")
        assert number(output, STATUSES) == HostStatus.SUCCESS

    def test_any_kind_of_buffer_is_read(self, run, call, arguments, too_short):
        with mmap.mmap(-1, 4096) as mapping:
            mapping[:7] = b"content"
            for content in (bytearray(b"content"), memoryview(b"content"), mapping):
                output = self.read(run, (call, *arguments, 0, 4096), content=content)
                assert output[: len(content)] == bytes(content)
        # Leaving the block closed the mapping: nothing of the run holds it any more.


@pytest.mark.parametrize("call", ["read_input", "read_stream"])
def test_an_empty_input_is_not_read_to_outside_memory(run, call):
    with pytest.raises(TrapError):
        run(calling((call, 0, PAGE + 1, 0)), [b""], [b""])


def test_in_the_first_round_there_is_no_previous_result(run):
    code = calling(
        ("has_previous_result", 0),
        ("previous_result_size", 4),
        ("read_previous_result", 8, 0),
        ("read_previous_result", -1, 0),
        data="\\ff" * 16,
        dump=True,
    )
    output = run(code).output
    assert struct.unpack_from("<IIII", output, STATUSES) == (0, 0, 0, 0)
    assert output[:16] == bytes(8) + b"\xff" * 8


def test_a_previous_result_may_be_there_and_empty(run):
    code = calling(("has_previous_result", 0), ("previous_result_size", 4), dump=True)
    assert struct.unpack_from("<II", run(code, previous=b"").output) == (1, 0)


def test_without_a_write_there_is_no_output(run):
    outcome = run(main("(i32.const 0)"))
    assert (outcome.output, outcome.output_size) == (None, None)


def test_the_output_is_the_range_of_memory(run):
    outcome = run(calling(("write_output", 1, 3), data="abcde"))
    assert (outcome.return_code, outcome.output, outcome.output_size) == (0, b"bcd", 3)


def test_all_of_memory_can_be_the_output(run):
    assert len(run(calling(("write_output", 0, PAGE))).output) == PAGE


@pytest.mark.parametrize("buf", [0, 1, PAGE])
def test_an_empty_output_counts_as_written(run, buf):
    code = calling(("write_output", buf, 0), ("write_output", 0, 4), data="abcd")
    outcome = run(code)
    assert outcome.return_code == HostStatus.RESULT_ALREADY_WRITTEN
    assert (outcome.output, outcome.output_size) == (b"", 0)


def test_a_second_output_is_refused_and_the_first_stays(run):
    outcome = run(calling(("write_output", 0, 2), ("write_output", 2, 2), data="abcd"))
    assert outcome.return_code == HostStatus.RESULT_ALREADY_WRITTEN
    assert outcome.output == b"ab"


@pytest.mark.parametrize(
    "outside", [(0, PAGE + 1), (PAGE, 1), (PAGE + 1, 0), (-1, 1), (1, -1), (-1, -1), (0, -1)]
)
def test_an_output_outside_memory_traps_even_as_the_second_one(run, outside):
    for steps in (
        [("write_output", *outside)],
        [("write_output", 0, 1), ("write_output", *outside)],
    ):
        with pytest.raises(TrapError) as caught:
            run(calling(*steps))
        assert caught.value.code is TrapCode.OUT_OF_BOUNDS_HOST_CALL


def test_what_was_written_before_a_trap_is_dropped(run):
    with pytest.raises(TrapError) as caught:
        run(calling(("write_output", 0, 1), ("(unreachable)",)))
    assert caught.value.code is TrapCode.UNREACHABLE


def test_an_output_larger_than_the_limit_ends_the_run(run):
    assert run(calling(("write_output", 0, 8)), output_bytes=8).output_size == 8
    with pytest.raises(LimitError, match="limit is 8 bytes") as caught:
        run(calling(("write_output", 0, 9)), output_bytes=8)
    assert caught.value.code is LimitCode.OUTPUT_SIZE


def test_a_second_output_is_refused_before_its_size_is_looked_at(run):
    code = calling(("write_output", 0, 8), ("write_output", 0, 9))
    assert run(code, output_bytes=8).return_code == HostStatus.RESULT_ALREADY_WRITTEN


def test_a_sink_gets_the_output_as_a_view_for_the_time_of_the_call(run):
    seen = []

    def sink(view):
        seen.append((view, bytes(view), view.readonly))

    outcome = run(calling(("write_output", 0, 3), data="abc"), output_sink=sink)
    assert (outcome.output, outcome.output_size) == (None, 3)
    [(view, content, readonly)] = seen
    assert (content, readonly) == (b"abc", True)
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_getrandom_fills_the_range_with_one_request(run):
    random = CountingRandom()
    output = run(calling(("getrandom", 2, 6), data="\\ee" * 12, dump=True), random=random).output
    assert number(output, STATUSES) == HostStatus.SUCCESS
    assert output[:12] == b"\xee\xee\1\2\3\4\5\6\xee\xee\xee\xee"
    assert random.requests == [6]


@pytest.mark.parametrize("buf", [0, 1, PAGE])
def test_getrandom_of_nothing_asks_nobody(run, buf):
    random = CountingRandom()
    assert run(calling(("getrandom", buf, 0)), random=random).return_code == HostStatus.SUCCESS
    assert random.requests == []


@pytest.mark.parametrize("outside", [(0, PAGE + 1), (PAGE, 1), (PAGE + 1, 0), (-1, 2), (0, -1)])
def test_getrandom_outside_memory_traps_before_anything_is_drawn(run, outside):
    random = CountingRandom()
    with pytest.raises(TrapError):
        run(calling(("getrandom", *outside)), random=random)
    assert random.requests == []


class Failing:
    def __init__(self, error):
        self.error = error

    def fill(self, size):
        raise self.error


class Short:
    def fill(self, size):
        return bytes(size - 1)


@pytest.mark.parametrize(
    ("random", "status"),
    [
        (Failing(ServiceUnavailableError("none")), HostStatus.SERVICE_UNAVAILABLE),
        (Failing(PlatformError("broken")), HostStatus.GENERIC),
        (Short(), HostStatus.GENERIC),
    ],
)
def test_randomness_that_is_not_there_is_a_status_and_writes_nothing(run, random, status):
    output = run(calling(("getrandom", 0, 8), data="\\ee" * 8, dump=True), random=random).output
    assert struct.unpack_from("<i", output, STATUSES)[0] == status
    assert output[:8] == b"\xee" * 8


REFUSED = {
    ("input_size", HostStatus.BAD_INPUT): [("input_size", 1, 0)],
    ("read_input", HostStatus.BAD_INPUT): [("read_input", 1, 0, 0)],
    ("read_input", HostStatus.DATA_SOURCE_SIZE): [("read_input", 0, 0, 2)],
    ("write_output", HostStatus.RESULT_ALREADY_WRITTEN): 2 * [("write_output", 0, 1)],
    ("getrandom", HostStatus.SERVICE_UNAVAILABLE): [("getrandom", 0, 1)],
    ("getrandom", HostStatus.GENERIC): [("getrandom", 0, 1)],
    ("read_previous_result", HostStatus.PREVIOUS_RESULT_SIZE): [("read_previous_result", 0, 5)],
    ("stream_size", HostStatus.BAD_STREAM): [("stream_size", 1, 0)],
    ("read_stream", HostStatus.BAD_STREAM): [("read_stream", 1, 0, 9)],
    ("read_stream", HostStatus.STREAM_SOURCE_SIZE): [("read_stream", 0, 0, 5)],
}


def test_every_refusal_of_the_table_is_given(run):
    assert list(REFUSED) == [
        (name, status) for name, text in CALL_TEXTS.items() for status, _ in text.refusals
    ]
    failures = {
        HostStatus.SERVICE_UNAVAILABLE: Failing(ServiceUnavailableError("none")),
        HostStatus.GENERIC: Failing(PlatformError("broken")),
    }
    for (_, status), steps in REFUSED.items():
        assert run(calling(*steps), *INPUTS, random=failures.get(status)).return_code == status


def test_a_random_source_with_a_bug_ends_the_run_as_the_hosts_failure(run):
    with pytest.raises(TrapError, match=r"host-failure\): ZeroDivisionError") as caught:
        run(calling(("getrandom", 0, 8)), random=Failing(ZeroDivisionError("secret")))
    assert caught.value.code is TrapCode.HOST_FAILURE
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "secret" not in str(caught.value)


def test_an_interrupt_in_a_host_call_comes_out_as_it_is(run):
    with pytest.raises(KeyboardInterrupt):
        run(calling(("getrandom", 0, 8)), random=Failing(KeyboardInterrupt()))


def test_random_bytes_have_a_limit_for_the_whole_run(run):
    assert run(calling(("getrandom", 0, 8), ("getrandom", 0, 8)), random_bytes=16).return_code == 0
    with pytest.raises(LimitError) as caught:
        run(calling(("getrandom", 0, 9), ("getrandom", 0, 8)), random_bytes=16)
    assert caught.value.code is LimitCode.RANDOM_BYTES


def test_many_random_bytes_are_drawn_in_pieces_in_order(run):
    random = CountingRandom()
    size = (1 << 20) + 5
    code = calling(("(drop (memory.grow (i32.const 31)))",), ("getrandom", PAGE, size),
                   ("write_output", PAGE, size))  # fmt: skip
    output = run(code, random=random).output
    assert random.requests == [1 << 20, 5]
    assert output == CountingRandom().fill(size)


def test_memory_that_grew_is_reachable_and_what_lies_beyond_is_not(run):
    grow = ("(drop (memory.grow (i32.const 1)))",)
    inside = calling(("input_count", 0), grow, ("read_input", 0, 2 * PAGE - 3, 3),
                     ("write_output", 2 * PAGE - 3, 3))  # fmt: skip
    outcome = run(inside, [b"abc"])
    assert outcome.output == b"abc"
    assert outcome.memory_peak == 2 * PAGE
    with pytest.raises(TrapError):
        run(calling(("input_count", 0), grow, ("read_input", 0, 2 * PAGE - 2, 3)), [b"abc"])


def test_an_input_of_a_whole_memory_is_copied(run):
    content = bytes(range(256)) * 256
    code = main("""
        (drop (call $read_input (i32.const 0) (i32.const 0) (i32.const 65536)))
        (call $write_output (i32.const 0) (i32.const 65536))""")
    assert run(code, [content]).output == content


def test_host_calls_are_counted_by_name(run):
    outcome = run(calling(("input_count", 0), ("input_count", 0), ("stream_size", 0, 0)))
    assert outcome.host_calls == {"input_count": 2, "stream_size": 1}


def test_an_input_that_32_bits_cannot_measure_is_refused_before_the_run(strategy):
    with (
        mmap.mmap(-1, 1 << 32, flags=mmap.MAP_PRIVATE | 0x4000) as huge,  # MAP_NORESERVE
        Program.load(main("(i32.const 0)"), strategy=strategy, limits=EngineLimits()) as program,
        pytest.raises(LimitError) as caught,
    ):
        program.run(RunInputs([huge]), random=CountingRandom())
    assert caught.value.code is LimitCode.INPUT_SIZE
