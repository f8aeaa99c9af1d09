"""What an isolate does with a program by itself, whatever the program: run it, or refuse it."""

import random
from contextlib import suppress

import pytest
from wasmtime import wat2wasm

from execution_engine.code_cache import CodeCache
from execution_engine.compiled_program import CompiledProgram
from execution_engine.errors import (
    EngineError,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    RefusalCode,
    TrapCode,
    TrapError,
)
from execution_engine.limits import EngineLimits
from execution_engine.reader import sections
from execution_engine.run import RunInputs
from execution_engine.wasm.examination import examine
from support import hostile_programs as hostile
from support.components import assembled, component
from support.guests import CountingRandom, main, module, wasm
from support.module_bytes import MAGIC, custom, leb, section
from support.mutation import component_seeds, mutated, seeds
from veracruz_utils.policy import Strategy

LIMITS = EngineLimits(run_seconds=None, fuel=20_000)
GOOD = main("(i32.const 7)")
STARTS = module('(func) (start 0) (func (export "main") (result i32) (i32.const 0))')


@pytest.fixture(params=list(Strategy), ids=lambda strategy: strategy.value)
def strategy(request):
    return request.param


def load(code, *, strategy=Strategy.JIT, limits=LIMITS, cache=None):
    return CompiledProgram.load(code, strategy=strategy, limits=limits, cache=cache)


def refusal(code, **limits):
    with pytest.raises(ModuleRefusedError) as caught:
        load(code, limits=EngineLimits(run_seconds=None, **limits))
    return caught.value.code


def run(program):
    return program.run(RunInputs([b"ab"]), random=CountingRandom())


def test_a_module_and_a_component_run(strategy):
    for code in (GOOD, component("(i32.const 7)")):
        with load(code, strategy=strategy) as program:
            assert run(program).return_code == 7


@pytest.mark.parametrize(
    ("code", "limits", "code_of_refusal"),
    [
        (b"", {}, RefusalCode.NOT_WASM),
        (b"(module)", {}, RefusalCode.NOT_WASM),
        (b"\0asm\2\0\0\0", {}, RefusalCode.VERSION),
        (GOOD, {"module_bytes": 100}, RefusalCode.TOO_LARGE),
        (GOOD[:-1], {}, RefusalCode.MALFORMED),
        (MAGIC + b"\1\5\0", {}, RefusalCode.MALFORMED),
        (MAGIC + section(4, leb(100_001)), {}, RefusalCode.TOO_MANY_ENTRIES),
        (MAGIC + section(1, b"\1\x60\0\0") * 2, {}, RefusalCode.INVALID),
        (module("(func (result i32) (i64.const 0))"), {}, RefusalCode.INVALID),
        (hostile.jump_table(70_000), {}, RefusalCode.UNCOMPILABLE),
        (hostile.many_locals(50_000), {}, RefusalCode.LOCALS),
        (hostile.large_function(524_289), {}, RefusalCode.FUNCTION_SIZE),
        (hostile.with_memory(2), {"memory_bytes": 65536}, RefusalCode.MEMORY_SIZE),
        (hostile.with_table(11), {"table_elements": 10}, RefusalCode.TABLE_SIZE),
        (module("", imports='(import "env" "abort" (func))'), {}, RefusalCode.FORBIDDEN_IMPORT),
        (wasm('(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)))'), {},
         RefusalCode.IMPORT_KIND),
        (wasm('(module (import "env" "t" (table 1 funcref)) (memory (export "memory") 1))'), {},
         RefusalCode.IMPORT_KIND),
        (module("", imports='(import "env" "__veracruz_hcall_input_count" (func))'), {},
         RefusalCode.IMPORT_TYPE),
        (module("", memory="(memory 1)"), {}, RefusalCode.NO_MEMORY),
        (module("", memory='(func (export "memory"))'), {}, RefusalCode.NO_MEMORY),
        (STARTS, {}, RefusalCode.START_SECTION),
    ],
)  # fmt: skip
def test_what_is_not_run_is_refused_by_the_code_that_tools_give(code, limits, code_of_refusal):
    assert refusal(code, **limits) is code_of_refusal


def padded(number):
    """LEB128 in all of its five bytes, which is valid and unusual."""
    return bytes([number >> 7 * place & 0x7F | 0x80 for place in range(4)] + [number >> 28])


def test_a_start_function_is_found_wherever_its_section_is_and_however_it_is_written():
    parts = [(number, STARTS[at.at : at.end]) for _, number, at in sections(STARTS, 0, len(STARTS))]
    noise = custom("x", b"\x08\x01\x00") * 50
    for code in (
        MAGIC + b"".join(noise + section(number, content) for number, content in parts) + noise,
        MAGIC + b"".join(bytes([number]) + padded(len(it)) + it for number, it in parts),
        MAGIC + b"".join(section(n, padded(0) if n == 8 else content) for n, content in parts),
    ):
        assert refusal(code) is RefusalCode.START_SECTION


def test_vectors_in_types_are_no_end_of_the_process():
    """The engine's C interface aborts when it is asked for the kind of such a type."""
    vector = '(import "env" "__veracruz_hcall_input_count" (func (param v128) (result i32)))'
    assert refusal(module("", imports=vector)) is RefusalCode.IMPORT_TYPE
    with load(module('(func (export "main") (param v128) (result i32) (i32.const 0))')) as program:
        assert not program.summary.runnable
        with pytest.raises(TrapError) as caught:
            run(program)
    assert caught.value.code is TrapCode.NO_ENTRY_POINT


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("(component (component (core module (func $f) (start $f))))", RefusalCode.FORBIDDEN_PART),
        ("(core type (func))", RefusalCode.FORBIDDEN_PART),
        ("(component) (instance (instantiate 0))", RefusalCode.FORBIDDEN_PART),
        ("(core func (canon backpressure.inc))", RefusalCode.INVALID),
        ("(type (stream u8))", RefusalCode.INVALID),
        ('(import "r" (type (sub resource)))', RefusalCode.FORBIDDEN_IMPORT),
        ('(import "wasi:cli/stdout@0.2.0" (instance (export "f" (func))))',
         RefusalCode.FORBIDDEN_IMPORT),
        ('(import "veracruz:guest/host@0.1.0" (func))', RefusalCode.IMPORT_KIND),
        ('(import "veracruz:guest/host@0.1.0" (instance (export "t" (type (sub resource)))))',
         RefusalCode.FORBIDDEN_IMPORT),
        ('(import "veracruz:guest/host@0.1.0" (instance (export "f" (func))))',
         RefusalCode.FORBIDDEN_IMPORT),
        ('(import "veracruz:guest/host@0.1.0" (instance (export "input-count" (func))))',
         RefusalCode.IMPORT_TYPE),
        ("", RefusalCode.EXPORT_TYPE),
    ],
)  # fmt: skip
def test_components_of_other_worlds_are_refused(code, refused):
    assert refusal(assembled(f"(component {code})")) is refused


def test_a_type_deeper_than_the_stack_of_python_is_written_out_to_a_bound():
    types = "".join(f"(type $t{at} (list $t{at - 1}))" for at in range(1, 90))
    deep = f'(component (type $t0 (list u8)) {types} (import "x" (func (param "a" $t89))))'
    assert refusal(assembled(deep)) is RefusalCode.FORBIDDEN_IMPORT


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ('(export "other" (func $lifted))', RefusalCode.FORBIDDEN_EXPORT),
        ("(core module (func $f) (start $f))", RefusalCode.START_SECTION),
        ("(core module (table 500001 funcref))", RefusalCode.TABLE_SIZE),
        ("(core module (func (local" + " i32" * 4001 + ")))", RefusalCode.LOCALS),
        ("(core module (func (result i32)))", RefusalCode.INVALID),
        ("(core instance (instantiate $Main))", RefusalCode.INVALID),
    ],
)
def test_what_is_wrong_inside_a_component_is_refused(more, refused):
    assert refusal(component("(i32.const 0)", more=more)) is refused


def test_too_many_tables_or_memories_of_a_component_end_its_run():
    for more in (
        "(core module $T" + "(table 1 funcref)" * 9 + ") (core instance (instantiate $T))",
        "(core module $T (memory 1)) (core instance (instantiate $T))",
        "(core module $T) " + "(core instance (instantiate $T))" * 201,
    ):
        with load(component("(i32.const 0)", more=more)) as program:
            with pytest.raises(LimitError) as caught:
                run(program)
            assert caught.value.code is LimitCode.MEMORY


def test_code_of_a_program_that_is_refused_is_not_kept():
    kept = CodeCache.in_memory()
    wrong = module("", imports='(import "env" "abort" (func))')
    for _ in range(2):
        with pytest.raises(ModuleRefusedError):
            load(wrong, cache=kept)
    assert kept._store._entries == {}


def test_kept_code_is_held_to_the_limits_at_hand(strategy):
    kept = CodeCache.in_memory()
    for code in (GOOD, component("(i32.const 7)")):
        assert load(code, strategy=strategy, cache=kept).compiled
        assert not load(code, strategy=strategy, cache=kept).compiled
        with pytest.raises(ModuleRefusedError):
            load(
                code,
                strategy=strategy,
                cache=kept,
                limits=EngineLimits(run_seconds=None, locals=-1),
            )


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_program_runs_or_is_refused_and_what_tools_pass_is_loaded(seed):
    chance = random.Random(seed)
    for _ in range(40):
        pool = chance.choice((seeds(), component_seeds()))
        code = mutated(chance, chance.choice(pool), pool)
        try:
            program = load(code, strategy=chance.choice(list(Strategy)))
        except EngineError:
            assert examine(code, limits=LIMITS).problems
            continue
        with program, suppress(TrapError, LimitError):
            run(program)


def test_every_beginning_of_a_program_is_refused_but_those_without_custom_sections_at_the_end():
    for code in (GOOD, component("(i32.const 7)")):
        ends = {offset for offset, number, _ in sections(code, 0, len(code)) if number == 0}
        for end in set(range(len(code))) - ends:
            with pytest.raises(ModuleRefusedError):
                load(code[:end])


def test_any_section_of_another_place_is_the_validators_to_judge():
    header = bytes(wat2wasm("(component)"))
    for number in range(32):
        for head in (MAGIC, header):
            with pytest.raises(ModuleRefusedError):
                load(head + bytes([number, 1, 1]))
