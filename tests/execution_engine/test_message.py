"""What a program says to its author: read once when it has ended, wherever it points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_engine.errors import LimitError, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.message import MAX_MESSAGE_BYTES, is_plain, message_text
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support import guests
from support.components import component
from support.guests import CountingRandom
from veracruz_utils.policy import Strategy


def saying(body, *, text="a panic", size=None, start=64, at=16, declared="i32 (i32.const 16)"):
    """A module that points at its text, and then does this."""
    length = len(text) if size is None else size
    return guests.module(
        f"""(global (export "veracruz_message") {declared})
        (data (i32.const 64) "{text}")
        (func (export "main") (result i32)
          (i32.store (i32.const {at}) (i32.const {start}))
          (i32.store (i32.const {at + 4}) (i32.const {length})) {body})"""
    )


def said(code, strategy=Strategy.JIT):
    with Program.load(code, strategy=strategy, limits=EngineLimits(run_seconds=20)) as program:
        try:
            return program.run(RunInputs(), random=CountingRandom()).message
        except TrapError as error:
            return error.message


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("body", ["unreachable", "(i32.const 0)", "(i32.const -4)"])
def test_a_message_is_read_however_the_program_ends(body, strategy):
    assert said(saying(body), strategy) == "a panic"


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize(
    "limits", [EngineLimits(run_seconds=0.2), EngineLimits(run_seconds=None, fuel=10_000)]
)
def test_a_message_is_read_when_a_limit_ends_the_program(limits, strategy):
    code = saying("(loop (br 0)) (i32.const 0)")
    with (
        Program.load(code, strategy=strategy, limits=limits) as program,
        pytest.raises(LimitError) as caught,
    ):
        program.run(RunInputs(), random=CountingRandom())
    assert caught.value.message == "a panic"


@pytest.mark.parametrize("kind", [LimitError, TrapError])
def test_a_message_is_read_when_a_host_call_ends_the_program(kind):
    place = {LimitError: "0", TrapError: "70000"}[kind]
    code = guests.main(
        f"(drop (call $write_output (i32.const {place}) (i32.const 9))) (i32.const 0)",
        fields="""(global (export "veracruz_message") i32 (i32.const 8))
        (data (i32.const 8) "\\10\\00\\00\\00\\07\\00\\00\\00") (data (i32.const 16) "a panic")""",
    )
    with (
        Program.load(code, strategy=Strategy.JIT, limits=EngineLimits(output_bytes=8)) as program,
        pytest.raises(kind) as caught,
    ):
        program.run(RunInputs(), random=CountingRandom())
    assert caught.value.message == "a panic"


def test_a_message_is_no_part_of_the_error():
    with (
        Program.load(
            saying("unreachable"), strategy=Strategy.JIT, limits=EngineLimits()
        ) as program,
        pytest.raises(TrapError) as caught,
    ):
        program.run(RunInputs(), random=CountingRandom())
    assert "a panic" not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("start", "size", "text"),
    [(64, 0, ""), (65536 - 4, 4, "\\x00" * 4), (65536 - 4, 5, ""), (0xFFFFFFFF, 1, ""),
     (64, 0xFFFFFFFF, ""), (65536, 0, "")],
)  # fmt: skip
def test_what_points_outside_of_memory_says_nothing(start, size, text):
    assert said(saying("unreachable", start=start, size=size)) == text


@pytest.mark.parametrize(
    "declared",
    [
        "i64 (i64.const 16)",
        "i32 (i32.const 65536)",
        "i32 (i32.const -1)",
        "f32 (f32.const 16)",
        "funcref (ref.func 0)",
    ],
)
def test_a_global_that_is_no_address_says_nothing(declared):
    assert said(saying("unreachable", declared=declared)) == ""


def test_a_function_of_that_name_says_nothing():
    code = guests.module(
        '(func (export "veracruz_message") (result i32) (i32.const 16))'
        '(func (export "main") (result i32) unreachable)'
    )
    assert said(code) == ""


def test_of_a_long_message_the_end_is_kept():
    code = saying("unreachable", text="x" + "ab" * MAX_MESSAGE_BYTES)
    assert said(code) == "ab" * (MAX_MESSAGE_BYTES // 2)


SAY = """(call $message (i32.const {start}) (i32.const {size}) (i32.const 0)) {then}"""


@pytest.mark.parametrize("then", ["unreachable", "(i32.const 0)"])
def test_a_component_says_it_by_calls(then):
    body = SAY.format(start=512, size=3, then="") + SAY.format(start=515, size=2, then=then)
    code = component(body, code='(data (i32.const 512) "on\\0atwo")')
    assert said(code) == "on\ntw"


def test_of_what_a_component_says_the_end_is_kept():
    body = SAY.format(start=0, size=5000, then="") + SAY.format(start=512, size=3, then="")
    code = component(body + "(i32.const 0)", code='(data (i32.const 512) "end")')
    assert said(code).endswith("\\x00end")


@given(st.binary(max_size=2 * MAX_MESSAGE_BYTES))
def test_whatever_is_said_becomes_text_that_does_nothing_to_a_terminal(data):
    text = message_text(data)
    assert is_plain(text)
    assert "\x1b" not in text


def test_text_of_all_languages_is_kept():
    assert message_text("caf\u00e9 \u4e2d\n\tx\u202e".encode()) == "caf\u00e9 \u4e2d\n\tx\\u202e"
