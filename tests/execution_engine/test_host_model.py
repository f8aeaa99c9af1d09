"""Any sequence of host calls with any arguments does what a model in Python says.

The guest below is a small machine: it reads one record after the other from its streams, makes
the host call that the record names, and stores the status. Its model does the same to a bytearray.
"""

import struct

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from execution_engine.abi import HOST_CALLS
from execution_engine.errors import TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support.guests import CountingRandom, main
from veracruz_utils.policy import Strategy

PAGE = 65536
RECORD = 256
STATUSES = 1024
GROW = len(HOST_CALLS)
STEPS = 12

ARGUMENTS = ["(i32.load (i32.const 260))", "(i32.load (i32.const 264))",
             "(i32.load (i32.const 268))"]  # fmt: skip


def machine():
    """One block for each host call, left by the status on the stack."""
    opened = "".join(f"(block $c{place} " for place in reversed(range(GROW + 1)))
    table = " ".join(f"$c{place}" for place in range(GROW + 1))
    cases = [
        f"(local.set $status (call ${call.name} {' '.join(ARGUMENTS[: len(call.params)])})) "
        "(br $made)"
        for call in HOST_CALLS
    ]
    cases.append("(local.set $status (memory.grow (i32.const 1)))")
    body = ") ".join(["(br_table " + table + " (i32.load (i32.const 256)))", *cases])
    return main(
        f"""(local $step i32) (local $status i32)
        (block $ended (loop $next
          (br_if $ended (call $read_stream (local.get $step) (i32.const 256) (i32.const 16)))
          (block $made {opened} {body})
          (i32.store offset={STATUSES} (i32.mul (i32.const 4) (local.get $step))
            (local.get $status))
          (local.set $step (i32.add (local.get $step) (i32.const 1)))
          (br $next)))
        (drop (call $write_output (i32.const 0)
          (i32.mul (memory.size) (i32.const {PAGE}))))
        (local.get $status)"""
    )


class TrappedError(Exception):
    """The model's trap."""


class Model:
    """Section 1 of the ABI, over a bytearray; one method to a host call."""

    def __init__(self, inputs, streams, previous):
        self.inputs, self.streams, self.previous = inputs, streams, previous
        self.memory = bytearray(PAGE)
        self.output = None
        self.random = CountingRandom()

    def inside(self, start, size):
        if start + size > len(self.memory):
            raise TrappedError
        return slice(start, start + size)

    def put(self, ptr, content):
        self.memory[self.inside(ptr, len(content))] = content
        return 0

    def number(self, ptr, value):
        return self.put(ptr, struct.pack("<I", value))

    def input_count(self, ptr):
        return self.number(ptr, len(self.inputs))

    def input_size(self, index, ptr):
        return self.number(ptr, len(self.inputs[index])) if index < len(self.inputs) else -4

    def read_input(self, index, buf, size):
        if index >= len(self.inputs):
            return -4
        return self.put(buf, self.inputs[index]) if size >= len(self.inputs[index]) else -3

    def stream_count(self, ptr):
        return self.number(ptr, len(self.streams))

    def stream_size(self, index, ptr):
        return self.number(ptr, len(self.streams[index])) if index < len(self.streams) else -10

    def read_stream(self, index, buf, size):
        if index >= len(self.streams):
            return -10
        return self.put(buf, self.streams[index]) if size >= len(self.streams[index]) else -9

    def has_previous_result(self, ptr):
        return self.number(ptr, self.previous is not None)

    def previous_result_size(self, ptr):
        return self.number(ptr, len(self.previous or b""))

    def read_previous_result(self, buf, size):
        if not self.previous:
            return 0
        return self.put(buf, self.previous) if size >= len(self.previous) else -11

    def getrandom(self, buf, size):
        where = self.inside(buf, size)
        self.memory[where] = self.random.fill(size)
        return 0

    def write_output(self, buf, size):
        content = bytes(self.memory[self.inside(buf, size)])
        if self.output is not None:
            return -6
        self.output = content
        return 0

    def play(self):
        """Output and return code; the machine above, step by step."""
        step = status = 0
        while not self.read_stream(step, RECORD, 16):
            number, *arguments = struct.unpack_from("<4I", self.memory, RECORD)
            if number >= GROW:
                status = len(self.memory) // PAGE
                self.memory += bytes(PAGE)
            else:
                call = HOST_CALLS[number]
                status = getattr(self, call.name)(*arguments[: len(call.params)])
            struct.pack_into("<i", self.memory, STATUSES + 4 * step, status)
            step += 1
        self.write_output(0, len(self.memory))
        return self.output, status


inside = st.one_of(st.integers(0, 4), st.integers(0, 300), st.integers(0, PAGE - 4))
numbers = st.one_of(
    *[inside] * 8,  # or nearly every script would trap early
    st.integers(0, 2**32 - 1),
    st.integers(-16, 16).map(lambda near: PAGE + near),
    st.integers(-16, 16).map(lambda near: 2 * PAGE + near),
    st.integers(-16, -1).map(lambda low: low & 0xFFFFFFFF),
)
records = st.tuples(st.integers(0, GROW), numbers, numbers, numbers)
contents = st.lists(st.binary(max_size=40), max_size=3)


@pytest.fixture(scope="module")
def programs():
    """The machine under both strategies."""
    loaded = [
        Program.load(machine(), strategy=strategy, limits=EngineLimits()) for strategy in Strategy
    ]
    yield loaded
    for program in loaded:
        program.close()


def played(program, inputs):
    """Output and return code, or None for a trap."""
    try:
        outcome = program.run(inputs, random=CountingRandom())
    except TrapError as error:
        if error.code is not TrapCode.OUT_OF_BOUNDS_HOST_CALL:
            raise
        return None
    return outcome.output, outcome.return_code


@settings(max_examples=300, deadline=None)
@given(st.lists(records, max_size=STEPS), contents, st.none() | st.binary(max_size=40))
def test_any_host_calls_do_what_the_model_says(programs, script, inputs, previous):
    streams = [struct.pack("<4I", *record) for record in script] + [b"longer than one record"]
    try:
        expected = Model(inputs, streams, previous).play()
    except TrappedError:
        expected = None
    event("trapped" if expected is None else "returned")
    for program in programs:
        assert played(program, RunInputs(inputs, streams, previous)) == expected
