"""Components of the one world that the engine hosts: what they get, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import wat2wasm

from execution_engine import world
from execution_engine.abi import HOST_CALLS
from execution_engine.code_cache import CodeCache
from execution_engine.errors import (
    LimitCode,
    LimitError,
    ModuleRefusedError,
    RefusalCode,
    TrapCode,
    TrapError,
)
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.trace import traced
from execution_engine.wasm.examination import check_module, examine
from execution_engine.wit import wit
from support.components import assembled, component, component_of_wasi, interface
from support.guests import CountingRandom
from veracruz_utils.policy import Strategy

ZERO = "(i32.const 0)"
# Whole input 0 comes to address 1024 and goes out again.
ECHO = """
  (call $read-input (i32.const 0) (i32.const 0) (i32.const {size}) (i32.const 0))
  (call $write-output (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 1)
    (i32.const 16))
  (i32.load8_u (i32.const 0))
"""
FOREVER = "(loop $again (br $again)) (i32.const 0)"


def refusal(code, **limits):
    with pytest.raises(ModuleRefusedError) as caught:
        check_module(code, limits=EngineLimits(**limits))
    return caught.value.code


def test_the_world_has_the_host_calls_of_the_table():
    calls = {one.call for one in world.FUNCTIONS.values()} - {
        world.MESSAGE, world.AUTHOR_PART_SIZE, world.READ_AUTHOR_PART,
    }  # fmt: skip
    assert calls == {one.name for one in HOST_CALLS}
    for function in world.FUNCTIONS.values():
        assert f"  {function.name}: {function.type};" in wit()


def test_a_component_is_summarised_as_a_module_is():
    summary = check_module(component(ZERO), limits=EngineLimits())
    assert summary.component
    assert summary.runnable
    assert {one.name for one in summary.imports} == set(world.FUNCTIONS) - {
        "author-part-size", "read-author-part",
    }  # fmt: skip


def test_a_component_may_import_a_part_of_the_interface_or_nothing(run):
    assert run(component("(i32.const 7)")).return_code == 7
    nothing = """(component
      (core module $M (func (export "main") (result i32) (i32.const -5)))
      (core instance $m (instantiate $M))
      (func $main (result s32) (canon lift (core func $m "main")))
      (export "main" (func $main)))"""
    assert run(assembled(nothing)).return_code == -5


def test_an_input_comes_and_a_result_goes(run):
    data = bytes(range(256)) * 100
    outcome = run(component(ECHO.format(size=len(data))), [data])
    assert (outcome.return_code, outcome.output) == (0, data)
    assert outcome.host_calls == {"read_input": 1, "write_output": 1}
    assert outcome.memory_peak is None


def test_numbers_flags_streams_and_the_previous_result_come(run):
    body = """
      (call $input-size (i32.const 1) (i32.const 0))
      (call $stream-size (i32.const 0) (i32.const 16))
      (call $read-stream (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 32))
      (call $read-previous-result (i32.const 0) (i32.const 3) (i32.const 48))
      (i32.add (i32.mul (call $input-count) (i32.const 1000))
        (i32.add (i32.mul (call $stream-count) (i32.const 100))
          (i32.add (i32.mul (call $has-previous-result) (i32.const 10))
            (i32.add (i32.load (i32.const 4))
              (i32.add (call $previous-result-size)
                (i32.add (i32.load (i32.const 20))
                  (i32.add (i32.load8_u (i32.load (i32.const 36)))
                    (i32.load8_u (i32.load (i32.const 52))))))))))
    """
    outcome = run(component(body), [b"", b"ab"], [b"\0\1\2"], b"\4\5\6")
    assert outcome.return_code == 2000 + 100 + 10 + 2 + 3 + 3 + 1 + 4


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("(call $input-size (i32.const 1) (i32.const 0))", -4),
        ("(call $read-input (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))", -4),
        ("(call $read-input (i32.const 0) (i32.const 1) (i32.const 5) (i32.const 0))", -3),
        ("(call $read-input (i32.const 0) (i32.const -1) (i32.const -1) (i32.const 0))", -3),
        ("(call $stream-size (i32.const 0) (i32.const 0))", -10),
        ("(call $read-stream (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", -10),
        ("(call $read-previous-result (i32.const 0) (i32.const 1) (i32.const 0))", -11),
        ("(call $getrandom (i32.const 262145) (i32.const 0))", -3),
    ],
)
def test_what_is_not_there_is_answered_by_the_status_of_core_modules(run, call, status):
    outcome = run(component(f"{call} (i32.load (i32.const 4))"), [b"four"])
    assert outcome.return_code == status


def test_a_result_is_written_once(run):
    twice = (
        ECHO.format(size=2) + ECHO.format(size=1) + "(i32.load (i32.const 20)) (i32.add) (i32.add)"
    )
    outcome = run(component(twice), [b"ab"])
    assert (outcome.return_code, outcome.output) == (-6, b"ab")


def test_a_result_may_come_in_pieces_and_is_none_until_the_last(run):
    def piece(last):
        return f"(call $write-output {ZERO} (i32.const 3) (i32.const {last}) (i32.const 16))"

    assert run(component(piece(0) + piece(1) + ZERO)).output == bytes(6)
    assert run(component(piece(0) + piece(0) + ZERO)).output is None


def test_random_bytes_are_the_hosts(run):
    body = """(call $getrandom (i32.const 8) (i32.const 0))
      (call $write-output (i32.load (i32.const 4)) (i32.const 8) (i32.const 1) (i32.const 16))
    """ + ZERO  # fmt: skip
    assert run(component(body)).output == CountingRandom().fill(8)


@pytest.mark.parametrize(
    ("body", "code", "limits"),
    [
        (FOREVER, LimitCode.TIME, {"run_seconds": 0.05}),
        (FOREVER, LimitCode.FUEL, {"fuel": 10_000}),
        (ECHO.format(size=4), LimitCode.OUTPUT_SIZE, {"output_bytes": 3}),
        (f"(call $getrandom (i32.const 9) {ZERO}) {ZERO}", LimitCode.RANDOM_BYTES,
         {"random_bytes": 8}),
    ],
)  # fmt: skip
def test_limits_end_a_component_as_they_end_a_module(run, body, code, limits):
    with pytest.raises(LimitError) as caught:
        run(component(body), [b"four"], **limits)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("(unreachable)", TrapCode.UNREACHABLE),
        ("(i32.div_s (i32.const 1) (i32.const 0))", TrapCode.INTEGER_DIVIDE_BY_ZERO),
        ("(i32.div_s (i32.const 0x80000000) (i32.const -1))", TrapCode.INTEGER_OVERFLOW),
        ("(i32.trunc_f32_s (f32.const nan))", TrapCode.INVALID_CONVERSION),
        ("(i32.load (i32.const -8))", TrapCode.OUT_OF_BOUNDS_MEMORY),
        ("(call $deep)", TrapCode.STACK_OVERFLOW),
        ("(call_indirect (result i32) (i32.const 9))", TrapCode.OUT_OF_BOUNDS_TABLE),
        ("(call_indirect (result i32) (i32.const 1))", TrapCode.INDIRECT_CALL_TO_NULL),
        ("(call_indirect (result i64) (i32.const 0)) (i32.wrap_i64)", TrapCode.INDIRECT_CALL_TYPE),
    ],
)
def test_traps_have_the_codes_of_core_modules(run, body, code):
    more = "(func $deep (result i32) (call $deep)) (table 2 funcref) (elem (i32.const 0) $deep)"
    with pytest.raises(TrapError) as caught:
        run(component(body, code=more))
    assert caught.value.code is code


def test_a_list_larger_than_a_call_can_carry_traps(run):
    huge = f"(call $write-output {ZERO} (i32.const 64000000) (i32.const 1) (i32.const 16)) {ZERO}"
    with pytest.raises(TrapError) as caught:
        run(component(huge, memory="1000"))
    assert caught.value.code is TrapCode.OUT_OF_BOUNDS_HOST_CALL


def test_memory_does_not_grow_beyond_the_limit(run):
    grow = "(memory.grow (i32.const 1))"
    assert run(component(grow)).return_code == 1
    assert run(component(grow), memory_bytes=65536).return_code == -1


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        (interface(name="wasi:cli/stdout@0.2.0", functions={"f": "(func)"}),
         RefusalCode.FORBIDDEN_IMPORT),
        (interface(name="veracruz:guest/host@0.2.0"), RefusalCode.FORBIDDEN_IMPORT),
        (interface(functions={"delete-input": "(func (result u32))"}),
         RefusalCode.FORBIDDEN_IMPORT),
        (interface(functions={"input-count": "(func (result u64))"}), RefusalCode.IMPORT_TYPE),
        (interface(functions={"input-size": '(func (param "i" u32) (result $sizes))'}),
         RefusalCode.IMPORT_TYPE),
        (f'(import "{world.INTERFACE}" (func))', RefusalCode.IMPORT_KIND),
        (interface() + '(import "more" (func))', RefusalCode.FORBIDDEN_IMPORT),
        ("(component)", RefusalCode.FORBIDDEN_PART),
        ("(core type (func))", RefusalCode.FORBIDDEN_PART),
        ("(type (resource (rep i32)))", RefusalCode.FORBIDDEN_PART),
        ('(import "r" (type (sub resource)))', RefusalCode.FORBIDDEN_IMPORT),
        ("(type (stream u8))", RefusalCode.FORBIDDEN_PART),
        ("(type (future u8))", RefusalCode.FORBIDDEN_PART),
        ("", RefusalCode.EXPORT_TYPE),
        ("(core module (func $f) (start $f))", RefusalCode.EXPORT_TYPE),
    ],
)  # fmt: skip
def test_components_of_other_worlds_are_refused(code, refused):
    assert refusal(assembled(f"(component {code})")) is refused


def test_a_component_of_another_world_is_told_by_what_it_imports():
    found = examine(component_of_wasi(), limits=EngineLimits()).problems
    assert [code for code, _ in found] == [RefusalCode.FORBIDDEN_IMPORT] * 3 + [
        RefusalCode.FORBIDDEN_PART
    ]
    names = [detail.split("@")[0] for _, detail in found[:3]]
    assert names == ["'wasi:io/error", "'wasi:io/streams", "'wasi:cli/exit"]


@given(st.data())
def test_what_is_left_of_a_component_is_told_of_however_it_was_cut_or_changed(data):
    code = bytearray(component_of_wasi())
    place = data.draw(st.integers(8, len(code) - 1))
    code[place] = data.draw(st.integers(0, 255))
    cut = bytes(code[: data.draw(st.integers(8, len(code)))])
    assert examine(cut, limits=EngineLimits()).problems


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ('(export "other" (func $lifted))', RefusalCode.FORBIDDEN_EXPORT),
        ("(core module (func $f) (start $f))", RefusalCode.START_SECTION),
        ("(core module (memory 1))", RefusalCode.MEMORY_SIZE),
        ("(core module (table 500001 funcref))", RefusalCode.TABLE_SIZE),
        ("(core module" + "(table 1 funcref)" * 9 + ")", RefusalCode.TABLE_SIZE),
        ("(core module (func (local" + " i32" * 4001 + ")))", RefusalCode.LOCALS),
        ("(core module (func" + " block" * 2001 + " end" * 2001 + "))", RefusalCode.NESTING),
        (
            "(core module (func" + " (drop (i32.const 1))" * 200_000 + "))",
            RefusalCode.FUNCTION_SIZE,
        ),
        ("(core module (memory i64 1))", RefusalCode.FEATURE),
        ("(core module (func (result i32)))", RefusalCode.INVALID),
        ("(core module)" * 201, RefusalCode.TOO_MANY_ENTRIES),
        ("(core instance (instantiate $Main))", RefusalCode.INVALID),  # it has imports
        ("(core instance (instantiate 0))" * 201, RefusalCode.TOO_MANY_ENTRIES),
    ],
)
def test_what_is_wrong_inside_is_refused_before_it_is_compiled(more, refused):
    code = component(ZERO, more=more)
    assert refusal(code) is refused
    assert refused in {found for found, _ in examine(code, limits=EngineLimits()).problems}
    with pytest.raises(ModuleRefusedError):
        Program.load(code, strategy=Strategy.JIT, limits=EngineLimits())


def test_memory_at_first_and_the_size_of_all_are_limited():
    assert refusal(component(ZERO, memory="2"), memory_bytes=65536) is RefusalCode.MEMORY_SIZE
    assert refusal(component(ZERO), module_bytes=100) is RefusalCode.TOO_LARGE


@pytest.mark.parametrize("type_", ["s64", "u32", "f32", "bool", "char"])
def test_a_main_of_another_type_is_refused(type_):
    core = {"s64": "i64", "f32": "f32"}.get(type_, "i32")
    text = f"""(component
      (core module $M (func (export "main") (result {core}) ({core}.const 0)))
      (core instance $m (instantiate $M))
      (func $main (result {type_}) (canon lift (core func $m "main")))
      (export "main" (func $main)))"""
    assert refusal(assembled(text)) is RefusalCode.EXPORT_TYPE


def test_a_host_call_exported_as_main_is_refused():
    text = f'(component {interface()} (export "main" (func $host "input-count")))'
    assert refusal(assembled(text)) is RefusalCode.EXPORT_TYPE


def test_compiled_code_is_kept_and_held_to_the_limits_it_was_checked_for():
    code, cache = component("(i32.const 3)", memory="2"), CodeCache.in_memory()

    def load(**limits):
        return Program.load(code, strategy=Strategy.JIT, limits=EngineLimits(**limits), cache=cache)

    with load() as first, load() as second:
        assert (first.compiled, second.compiled) == (True, False)
        assert second.run(RunInputs(), random=CountingRandom()).return_code == 3
    with pytest.raises(ModuleRefusedError):
        load(function_bytes=1)
    with pytest.raises(ModuleRefusedError):
        load(memory_bytes=65536)


def test_a_module_with_memory_that_is_instantiated_twice_reaches_the_limit_of_the_run(run):
    twice = """(component
      (core module $M (memory 1) (func (export "main") (result i32) (i32.const 0)))
      (core instance $m (instantiate $M)) (core instance (instantiate $M))
      (func $main (result s32) (canon lift (core func $m "main")))
      (export "main" (func $main)))"""
    with pytest.raises(LimitError) as caught:
        run(assembled(twice))
    assert caught.value.code is LimitCode.MEMORY


def test_fuel_is_the_same_under_both_strategies():
    spent = set()
    for strategy in Strategy:
        limits = EngineLimits(fuel=1_000_000)
        with Program.load(
            component(ECHO.format(size=4)), strategy=strategy, limits=limits
        ) as program:
            spent.add(program.run(RunInputs([b"four"]), random=CountingRandom()).fuel)
    assert len(spent) == 1


def test_a_trace_is_told_of_host_calls_by_sizes():
    told = []
    with Program.load(
        component(ECHO.format(size=4)), strategy=Strategy.JIT, limits=EngineLimits()
    ) as program:
        program.run(RunInputs([b"four"]), random=CountingRandom(), wrap_call=traced(told.append))
    assert [(one.name, one.arguments, one.status) for one in told] == [
        ("read_input", (0, 0, 4), 0),
        ("write_output", (4, 1), 0),
    ]


@given(st.binary(max_size=200))
def test_any_bytes_after_the_header_are_examined(rest):
    header = bytes(wat2wasm("(component)"))[:8]
    assert examine(header + rest, limits=EngineLimits()).problems


@given(st.data())
def test_a_damaged_component_is_examined_and_never_crashes(data):
    code = bytearray(component(ZERO))
    for _ in range(data.draw(st.integers(1, 4))):
        code[data.draw(st.integers(8, len(code) - 1))] = data.draw(st.integers(0, 255))
    examine(bytes(code), limits=EngineLimits())
