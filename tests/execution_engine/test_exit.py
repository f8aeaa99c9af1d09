"""Leaving from within: a trap by `unreachable` that the module says was none."""

import pytest

from execution_engine.errors import LimitError, TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support import guests
from support.guests import CountingRandom
from veracruz_utils.policy import Strategy

LEFT = 1 << 32


def leaving(value, how="unreachable"):
    """A module that writes its result, says that it leaves, and ends like this."""
    return guests.module(
        f"""(global $exit (export "veracruz_exit") (mut i64) (i64.const 0))
        (data (i32.const 0) "result")
        (func (export "main") (result i32)
          (drop (call $write_output (i32.const 0) (i32.const 6)))
          (global.set $exit (i64.const {value})) {how})""",
        imports=guests.IMPORTS,
    )


def run(code, strategy=Strategy.JIT, **limits):
    limits = EngineLimits(run_seconds=20, **limits)
    with Program.load(code, strategy=strategy, limits=limits) as program:
        return program.run(RunInputs(), random=CountingRandom())


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("fuel", [None, 10_000])
@pytest.mark.parametrize("code", [0, 1, 255, 2**31 - 1, -1, -(2**31)])
def test_who_leaves_has_returned_the_code(code, fuel, strategy):
    outcome = run(leaving(LEFT | code & 0xFFFFFFFF), strategy, fuel=fuel)
    assert (outcome.return_code, outcome.output) == (code, b"result")
    assert (outcome.fuel is None) == (fuel is None)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("value", [0, 7, 0xFFFFFFFF, 2 << 32, -1, 1 << 63])
def test_who_does_not_say_so_has_trapped(value, strategy):
    with pytest.raises(TrapError) as caught:
        run(leaving(value), strategy)
    assert caught.value.code is TrapCode.UNREACHABLE


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("(i32.div_u (i32.const 1) (i32.const 0))", TrapCode.INTEGER_DIVIDE_BY_ZERO),
        ("(i32.load (i32.const -1))", TrapCode.OUT_OF_BOUNDS_MEMORY),
        ("(call $write_output (i32.const -1) (i32.const 9))", TrapCode.OUT_OF_BOUNDS_HOST_CALL),
    ],
)
def test_another_trap_is_a_trap_whatever_the_global_says(how, code):
    with pytest.raises(TrapError) as caught:
        run(leaving(LEFT, how))
    assert caught.value.code is code


def test_a_limit_is_a_limit_whatever_the_global_says():
    with pytest.raises(LimitError):
        run(leaving(LEFT, "(loop $on (br $on)) (i32.const 0)"), fuel=10_000)


def test_a_return_is_a_return_whatever_the_global_says():
    assert run(leaving(LEFT | 5, "(i32.const 3)")).return_code == 3


def test_who_leaves_in_initialize_does_not_come_to_main():
    code = guests.module(
        """(global $exit (export "veracruz_exit") (mut i64) (i64.const 0))
        (func (export "_initialize") (global.set $exit (i64.const 0x100000009)) unreachable)
        (func (export "main") (result i32) (i32.const 3))"""
    )
    assert run(code).return_code == 9


@pytest.mark.parametrize("declared", ["(mut i32) (i32.const 0)", "(mut f64) (f64.const 0)"])
def test_a_global_of_another_type_says_nothing(declared):
    type_ = declared[5:8]
    module = guests.module(
        f"""(global $exit (export "veracruz_exit") {declared})
        (func (export "main") (result i32) (global.set $exit ({type_}.const 1)) unreachable)"""
    )
    with pytest.raises(TrapError):
        run(module)
