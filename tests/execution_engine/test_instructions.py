"""The walk over instructions agrees with the text a body was made from, and with the validator."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution_engine.errors import ModuleRefusedError, RefusalCode
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.reader import BinaryError
from execution_engine.wasm.binary import parse
from execution_engine.wasm.examination import check_module
from execution_engine.wasm.instructions import FunctionShapes, function_shape
from support.guests import calling, main, module
from veracruz_utils.policy import Strategy


def shape(body, fields=""):
    code = module(f"(func $f {body}) {fields}")
    return function_shape(code, parse(code).bodies[0])


def test_an_empty_function_has_its_end_only():
    seen = shape("")
    assert (seen.instructions, seen.nesting, seen.loops) == (1, 0, 0)
    assert (seen.calls, seen.references, seen.indirect_calls) == (frozenset(), frozenset(), 0)


def test_blocks_loops_and_ifs_nest():
    seen = shape("(block (loop (if (i32.const 1) (then (nop)) (else (block))))) (loop)")
    assert (seen.nesting, seen.loops) == (4, 2)


def test_calls_references_and_jump_tables_are_seen():
    seen = shape(
        """(call $f) (call $g) (call $g) (drop (ref.func $h))
           (call_indirect (i32.const 0)) (call_indirect (i32.const 0))
           (block (block (br_table 0 1 1 0 (i32.const 2))))""",
        "(func $g) (func $h) (table 1 funcref) (elem declare func $h)",
    )
    assert seen.calls == {0, 1}
    assert seen.references == {2}
    assert (seen.indirect_calls, len(seen.indirect_types)) == (2, 1)
    assert seen.branch_targets == 4


@pytest.mark.parametrize(
    "body",
    [
        "(drop (i32.const -2147483648)) (drop (i64.const -9223372036854775808))",
        "(drop (f32.const nan)) (drop (f64.const -0x1p-1074))",
        "(drop (i32.load8_u offset=4294967295 align=1 (i32.const 0)))",
        "(i64.store (i32.const 0) (i64.const 2))",
        "(drop (memory.size)) (drop (memory.grow (i32.const 0)))",
        "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop $d)",
        "(memory.copy (i32.const 0) (i32.const 0) (i32.const 0))",
        "(memory.fill (i32.const 2) (i32.const 3) (i32.const 4))",
        "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e)",
        "(table.copy (i32.const 0) (i32.const 0) (i32.const 0)) (drop (table.size))",
        "(table.fill (i32.const 0) (ref.null func) (i32.const 0))",
        "(drop (table.grow (ref.null func) (i32.const 0)))",
        "(table.set (i32.const 0) (table.get (i32.const 0)))",
        "(drop (ref.is_null (ref.null func)))",
        "(drop (select (result i32) (i32.const 2) (i32.const 3) (i32.const 4)))",
        "(drop (select (i32.const 2) (i32.const 3) (i32.const 4)))",
        "(drop (i32.trunc_sat_f32_s (f32.const 0))) (drop (i64.extend32_s (i64.const 2)))",
        "(drop (v128.const i8x16 2 3 4 2 3 4 2 3 4 2 3 4 2 3 4 2))",
        "(drop (i8x16.shuffle 2 3 4 2 3 4 2 3 4 2 3 4 2 3 4 2 (local.get $v) (local.get $v)))",
        "(drop (i8x16.extract_lane_u 3 (local.get $v)))",
        "(drop (f64x2.replace_lane 1 (local.get $v) (f64.const 2)))",
        "(drop (v128.load32_lane offset=2 3 (i32.const 4) (local.get $v)))",
        "(v128.store8_lane offset=2 3 (i32.const 4) (local.get $v))",
        "(drop (v128.load32_zero offset=3 (i32.const 4))) (drop (v128.load64_splat (i32.const 2)))",
        "(drop (i32x4.dot_i16x8_s (local.get $v) (local.get $v)))",
        "(drop (f64x2.convert_low_i32x4_u (local.get $v)))",
        "(drop (v128.bitselect (local.get $v) (local.get $v) (local.get $v)))",
        "(block (result i32 i32) (i32.const 2) (i32.const 3)) drop drop",
        "(block (br_if 0 (i32.const 2)))",
    ],
)
def test_every_form_of_immediates_is_stepped_over(body):
    # A wrong step would take one of the many 2, 3 and 4 for a block, or lose the marks at the end.
    seen = shape(
        f"(local $v v128) (global.set $g (global.get $g)) {body} (call $f) (loop) (return)",
        '(table $t 1 funcref) (elem $e func $f) (data $d "") (global $g (mut i32) (i32.const 0))',
    )
    assert seen.calls == {0}
    assert seen.loops == 1
    assert seen.nesting == 1


def test_code_that_nests_deeper_than_the_limit_is_refused():
    code = module("(func " + "(block " * 20 + ")" * 20 + ")")
    assert check_module(code, limits=EngineLimits(nesting=20))
    with pytest.raises(ModuleRefusedError) as caught:
        check_module(code, limits=EngineLimits(nesting=19))
    assert caught.value.code is RefusalCode.NESTING


def test_bytes_that_look_like_blocks_do_not_count():
    code = module("(func " + "(drop (i32.const 2))" * 50 + ")")
    assert not FunctionShapes(parse(code)).deeper_than(0, 0)


@settings(max_examples=300)
@given(st.binary(max_size=100))
def test_arbitrary_code_has_a_shape_or_an_offset_of_its_error(content):
    code = b"\0asm\1\0\0\0" + content
    sample = parse(module("(func)")).bodies[0]
    body = type(sample)(offset=8, size=len(content), locals=0, code=8)
    try:
        seen = function_shape(code, body)
    except BinaryError as error:
        where = error.offset
    else:
        where = seen.instructions
    assert 0 <= where <= len(code)


@settings(max_examples=300)
@given(st.data())
def test_code_that_validates_can_be_walked(data):
    code = bytearray(calling(("read_input", 0, 0, 4), ("(if (i32.const 2) (then (loop (br 0))))",)))
    start = parse(bytes(code)).bodies[0].code
    for _ in range(data.draw(st.integers(1, 3))):
        code[data.draw(st.integers(start, len(code) - 1))] = data.draw(st.integers(0, 255))
    code = bytes(code)
    try:
        check_module(code, limits=EngineLimits())
    except ModuleRefusedError:
        return
    for body in parse(code).bodies:
        assert function_shape(code, body).instructions > 0


def jumping(targets):
    """A module whose main jumps by a table of so many targets, the default included."""
    table = " 0" * targets
    return main(f"(block (br_table{table} (i32.const 0))) (i32.const 0)")


@pytest.mark.parametrize("strategy", list(Strategy), ids=str)
def test_the_largest_jump_table_runs_and_a_larger_one_is_refused(strategy):
    Program.load(jumping(65_520), strategy=strategy, limits=EngineLimits()).close()
    with pytest.raises(ModuleRefusedError) as caught:
        Program.load(jumping(65_521), strategy=strategy, limits=EngineLimits())
    assert caught.value.code is RefusalCode.JUMP_TABLE


def test_bytes_that_only_look_like_a_large_jump_table_are_none():
    # 14 is the opcode of br_table, and the two after it read as the number of its targets.
    code = main("(drop (i32.wrap_i64 (i64.extend_i32_s (i32.const 14))))" * 12_000 + "unreachable")
    assert b"\x0e\xac\xa7\x1a" in code
    assert check_module(code, limits=EngineLimits())
