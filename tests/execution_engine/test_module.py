"""Which modules are refused, and with which code; the engine never compiles them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

from execution_engine.abi import HOST_CALLS
from execution_engine.errors import ModuleRefusedError, RefusalCode
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.wasm.binary import parse
from execution_engine.wasm.examination import check_module
from support.guests import calling, main, module, wasm
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy

LIMITS = EngineLimits()
GOOD = main("(i32.const 0)")
HEADER = b"\0asm\1\0\0\0"


def refusal(code, **limits):
    with pytest.raises(ModuleRefusedError) as caught:
        check_module(code, limits=EngineLimits(**limits))
    return caught.value


def section(number, content):
    assert len(content) < 0x80
    return bytes([number, len(content)]) + content


def test_a_good_module_is_summarised():
    summary = check_module(GOOD, limits=LIMITS)
    assert summary.digest == Digest.of(GOOD)
    assert [one.name for one in summary.imports] == [call.import_name for call in HOST_CALLS]
    assert summary.runnable
    assert not summary.has_initialize


@pytest.mark.parametrize("type_", ["(result i32)", "(param i32 i32) (result i32)"])
def test_both_types_of_main_are_runnable(type_):
    code = module(f'(func (export "main") {type_} (i32.const 0))')
    assert check_module(code, limits=LIMITS).runnable


@pytest.mark.parametrize(
    "type_", ["", "(param i32) (result i32)", "(result i64)", "(param i32 i64) (result i32)"]
)
def test_a_main_of_another_type_loads_and_is_not_runnable(type_):
    code = module(f'(func (export "main") {type_} (unreachable))')
    summary = check_module(code, limits=LIMITS)
    assert summary.entry is not None
    assert not summary.runnable


def test_a_main_that_is_no_function_loads_and_is_not_runnable():
    code = module('(global (export "main") i32 (i32.const 0))')
    assert check_module(code, limits=LIMITS).entry is None


@pytest.mark.parametrize(("type_", "known"), [("", True), ("(param i32)", False)])
def test_an_initializer_counts_only_with_its_own_type(type_, known):
    code = module(f'(func (export "_initialize") {type_})')
    assert check_module(code, limits=LIMITS).has_initialize is known


@pytest.mark.parametrize("call", HOST_CALLS, ids=lambda call: call.name)
def test_each_host_call_is_accepted_with_its_type_and_no_other(call):
    def importing(params, results="(result i32)"):
        text = f'(import "env" "{call.import_name}" (func {params} {results}))'
        return module("", imports=text)

    right = "(param" + " i32" * len(call.params) + ")"
    assert check_module(importing(right), limits=LIMITS).imports[0].type == call.type
    for wrong in (
        importing(right.replace("i32", "i64", 1)),
        importing(right.replace(")", " i32)")),
        importing(""),
        importing(right, ""),
        importing(right, "(result i64)"),
        importing(right, "(result i32 i32)"),
    ):
        assert refusal(wrong).code is RefusalCode.IMPORT_TYPE


@pytest.mark.parametrize(
    "text",
    [
        '(import "env" "__veracruz_hcall_unknown" (func))',
        '(import "env" "input_count" (func (param i32) (result i32)))',
        '(import "veracruz" "__veracruz_hcall_input_count" (func (param i32) (result i32)))',
        '(import "" "__veracruz_hcall_input_count" (func (param i32) (result i32)))',
        '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))',
        '(import "env" "abort" (func))',
    ],
)
def test_any_other_function_is_refused(text):
    assert refusal(module("", imports=text)).code is RefusalCode.FORBIDDEN_IMPORT


@pytest.mark.parametrize(
    "text",
    [
        '(import "env" "memory" (memory 1))',
        '(import "env" "table" (table 1 funcref))',
        '(import "env" "__stack_pointer" (global (mut i32)))',
        '(import "env" "__veracruz_hcall_input_count" (global i32))',
    ],
)
def test_anything_imported_that_is_no_function_is_refused(text):
    assert refusal(wasm(f"(module {text})")).code is RefusalCode.IMPORT_KIND


def test_an_imported_memory_is_refused_though_exported():
    code = wasm('(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)))')
    assert refusal(code).code is RefusalCode.IMPORT_KIND


def test_a_start_section_is_refused():
    assert refusal(module("(func) (start 0)")).code is RefusalCode.START_SECTION


@pytest.mark.parametrize(
    "memory",
    ["", "(memory 1)", '(memory (export "mem") 1)', '(func (export "memory"))'],
)
def test_without_an_exported_memory_a_module_is_refused(memory):
    assert refusal(module("", memory=memory)).code is RefusalCode.NO_MEMORY


def test_text_is_refused_though_the_compiler_would_take_it():
    assert refusal(b"(module)").code is RefusalCode.NOT_WASM


@pytest.mark.parametrize(
    "code", [b"", b"\0", b"\0as", b"\x7fELF" + bytes(60), b"\xef\xbb\xbf\0asm"]
)
def test_other_files_are_refused(code):
    assert refusal(code).code is RefusalCode.NOT_WASM


@pytest.mark.parametrize("version", [b"", b"\1\0\0", b"\2\0\0\0", b"\x0d\0\2\0"])
def test_other_versions_are_refused(version):
    assert refusal(b"\0asm" + version).code is RefusalCode.VERSION


def test_a_module_over_the_limit_is_refused():
    assert check_module(GOOD, limits=EngineLimits(module_bytes=len(GOOD)))
    error = refusal(GOOD, module_bytes=len(GOOD) - 1)
    assert error.code is RefusalCode.TOO_LARGE
    assert str(len(GOOD)) in str(error)
    assert str(len(GOOD) - 1) in str(error)


def test_a_memory_larger_than_the_limit_is_refused():
    code = module("", memory='(memory (export "memory") 2)')
    assert check_module(code, limits=EngineLimits(memory_bytes=2 * 65536))
    assert refusal(code, memory_bytes=2 * 65536 - 1).code is RefusalCode.MEMORY_SIZE


def test_a_memory_that_may_grow_over_the_limit_is_accepted():
    code = module("", memory='(memory (export "memory") 1 65536)')
    assert check_module(code, limits=EngineLimits(memory_bytes=65536))


def test_tables_over_the_limits_are_refused():
    assert check_module(module("(table 10 funcref)"), limits=EngineLimits(table_elements=10))
    assert refusal(module("(table 11 funcref)"), table_elements=10).code is RefusalCode.TABLE_SIZE
    assert refusal(module("(table 1 funcref)" * 17)).code is RefusalCode.TABLE_SIZE


def test_functions_and_locals_over_the_limits_are_refused():
    code = module("(func (local i32 i32 i64))" + "(func" + " (nop)" * 20 + ")")
    assert check_module(code, limits=EngineLimits(locals=3, function_bytes=22))
    assert refusal(code, locals=2).code is RefusalCode.LOCALS
    assert refusal(code, function_bytes=21).code is RefusalCode.FUNCTION_SIZE


def test_a_body_that_declares_billions_of_locals_is_refused_at_once():
    body = b"\x01\xff\xff\xff\xff\x0f\x7f\x0b"
    code = (
        HEADER
        + section(1, b"\x01\x60\0\0")
        + section(3, b"\1\0")
        + section(5, b"\1\0\1")
        + section(7, b"\1\6memory\2\0")
        + section(10, b"\1" + bytes([len(body)]) + body)
    )
    assert refusal(code).code is RefusalCode.LOCALS


def leb(number):
    """Unsigned LEB128."""
    content = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        if not number:
            return bytes([*content, low])
        content.append(low | 0x80)


def with_body(body):
    """A module whose only function is this body, as bytes."""
    types = section(1, b"\1\x60\0\0") + section(3, b"\1\0")
    code = leb(1) + leb(len(body)) + body
    return HEADER + types + module("")[len(HEADER) :] + b"\x0a" + leb(len(code)) + code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\1" + leb(50_000) + b"\x7f\x0b", RefusalCode.LOCALS),
        (b"\0" + b"\3\x40" * 40_000 + b"\x0b" * 40_001, RefusalCode.NESTING),
        (b"\0" + b"\2\x40" * 100_000 + b"\x0b" * 100_001, RefusalCode.NESTING),
        (
            b"\0\2\x40\x41\0\x0e" + leb(600_000) + b"\0" * 600_001 + b"\x0b\x0b",
            RefusalCode.FUNCTION_SIZE,
        ),
        (b"\0" + b"\x41\0\x1a" * 400_000 + b"\x0b", RefusalCode.FUNCTION_SIZE),
    ],
    ids=["50 000 locals", "40 000 loops", "100 000 blocks", "giant jump table", "1.2 MB of code"],
)
def test_modules_made_to_keep_the_compiler_busy_are_refused_before_it_sees_them(body, code):
    assert refusal(with_body(body)).code is code


def test_data_may_be_large():
    code = module('(data (i32.const 0) "' + "a" * 60_000 + '")')
    assert check_module(code, limits=LIMITS)


@pytest.mark.parametrize(
    ("count", "refused"), [(b"\xa0\x8d\x06", RefusalCode.MALFORMED), (b"\xa1\x8d\x06", None)]
)
def test_a_vector_of_more_entries_than_we_look_at_is_refused_before_it_is_read(count, refused):
    code = HEADER + b"\1\3" + count  # 100 000 types, and one more
    assert refusal(code).code is (refused or RefusalCode.TOO_MANY_ENTRIES)


@pytest.mark.parametrize(
    "text",
    [
        '(module (memory (export "memory") 1 1 shared))',
        '(module (memory (export "memory") i64 1))',
        '(module (memory (export "memory") 1) (memory 1))',
        '(module (memory (export "memory") 1 (pagesize 1)))',
        '(module (memory (export "memory") 1) (tag))',
        '(module (memory (export "memory") 1) (func (param externref)))',
        '(module (memory (export "memory") 1) (type (struct (field i32))))',
        '(module (memory (export "memory") 1) (func (param (ref func))))',
        '(module (memory (export "memory") 1) (func (param anyref)))',
        '(module (memory (export "memory") 1) (table 1 (ref null func)))'.replace(
            "(ref null func)", "(ref null extern) (ref.null extern)"
        ),
        """(module (memory (export "memory") 1) (func (param v128 v128) (result v128)
             (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))""",
        """(module (memory (export "memory") 1) (func (param i64 i64 i64 i64) (result i64 i64)
             (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))""",
        '(module (memory (export "memory") 1) (func (drop (i32.atomic.load (i32.const 0)))))',
        '(module (memory (export "memory") 1) (func (try_table)))',
        '(module (rec (type (func)) (type (func))) (memory (export "memory") 1))',
    ],
)
def test_features_outside_the_fixed_set_are_refused(text):
    assert refusal(bytes(wat2wasm(text))).code is RefusalCode.FEATURE


@pytest.mark.parametrize(
    "body",
    [
        "(func (param i32) (result i32) (i32.extend8_s (local.get 0)))",
        "(func (param f64) (result i32) (i32.trunc_sat_f64_s (local.get 0)))",
        "(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(func (result i32 i32) (i32.const 0) (i32.const 1))",
        "(table 1 funcref) (func (result funcref) (table.get (i32.const 0)))",
        "(func (param v128 v128) (result v128) (i32x4.add (local.get 0) (local.get 1)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        '(global (export "g") (mut i32) (i32.const 0))',
    ],
)
def test_features_of_the_fixed_set_are_taken_by_both_strategies(body):
    code = module(body)
    for strategy in Strategy:
        Program.load(code, strategy=strategy, limits=LIMITS).close()


def test_what_does_not_validate_is_refused_with_its_offset():
    error = refusal(module("(func (result i32) (i64.const 0))"))
    assert error.code is RefusalCode.INVALID
    assert "expected i32, found i64 (at offset 0x" in str(error)


@pytest.mark.parametrize(
    ("code", "where"),
    [
        (HEADER + b"\1", "offset 9"),
        (HEADER + b"\1\5\0", "offset 10"),
        (HEADER + b"\1\1\1", "offset 11"),
        (HEADER + b"\1\2\0\0", "section 1 is longer than its content at offset 11"),
        (HEADER + b"\1\1\0\1\1\0", "section 1 is unknown, repeated or out of order at offset 11"),
        (HEADER + b"\3\1\0\1\1\0", "section 1 is unknown, repeated or out of order"),
        (HEADER + b"\x0e\1\0", "section 14 is unknown"),
        (HEADER + b"\1\x80\x80\x80\x80\x80\0", "number longer than five bytes"),
        (HEADER + b"\1\x80\x80\x80\x80\x10", "number larger than 32 bits"),
        (HEADER + section(0, b"\2\xc3\x28"), "name is not UTF-8"),
        (HEADER + section(1, b"\1\x60\1\x11\0"), "unsupported value type 0x11"),
        (HEADER + section(1, b"\1\x60\xe9\7\0"), "1001 values"),
        (HEADER + section(3, b"\1\0"), "type 0 is used, 0 are declared"),
        (HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0"), "1 functions are declared, 0"),
        (HEADER + section(7, b"\1\0\x05\0"), "unknown kind 0x05"),
    ],
)  # fmt: skip
def test_malformed_bytes_are_refused_with_their_offset(code, where):
    error = refusal(code)
    assert error.code is RefusalCode.MALFORMED
    assert where in str(error)


def test_a_modules_own_text_is_cut_and_made_printable():
    name = "\\1b[31m\\e2\\80\\ae" + "x" * 500
    error = refusal(module("", imports=f'(import "env" "{name}" (func))'))
    assert str(error).isascii()
    assert str(error).isprintable()
    assert len(str(error)) < 250


def test_what_the_validator_quotes_of_a_module_is_left_out():
    code = module('(func (export "secret")) (func (export "sesame"))')
    error = refusal(code.replace(b"sesame", b"secret"))
    assert error.code is RefusalCode.INVALID
    assert "secret" not in str(error)


def printable_refusal(code):
    """Whether a module is taken, or refused with a message that can be printed."""
    try:
        check_module(code, limits=LIMITS)
    except ModuleRefusedError as error:
        return str(error).isprintable()
    return True


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_a_summary_or_a_refusal(content):
    assert printable_refusal(content)
    assert printable_refusal(HEADER + content)


SAMPLE = calling(("input_count", 0), ("write_output", 0, 4), data="abcd")


@settings(max_examples=300)
@given(st.data())
def test_what_passes_the_check_compiles_and_what_the_compiler_lists_is_what_we_saw(data):
    code = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        code[data.draw(st.integers(8, len(code) - 1))] = data.draw(st.integers(0, 255))
    try:
        program = Program.load(bytes(code), strategy=Strategy.JIT, limits=LIMITS)
    except ModuleRefusedError:
        return
    with program:
        assert told_apart(program.summary) == told_apart(check_module(bytes(code), limits=LIMITS))
        assert [one.name for one in program._module.exports] == [
            one.name for one in parse(bytes(code)).exports
        ]


def told_apart(summary):
    """A summary without the types of values that do not matter to the engine."""
    entry = summary.entry if summary.runnable else summary.entry is not None
    return replace(summary, entry=entry)
