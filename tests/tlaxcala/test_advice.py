"""What authors are told to do, for modules as toolchains make them."""

import pytest
from wasmtime import wat2wasm

from execution_engine import abi, world
from execution_engine.errors import RefusalCode
from execution_engine.wasm.features import FEATURES, missing_features
from support.components import assembled, component_of_wasi
from support.guests import main, module
from support.module_bytes import MAGIC, section, text
from tlaxcala import check
from tlaxcala.advice import OF_WASI_COMPONENTS, advice
from tlaxcala.rules import RULES_OF_THE_ENGINE

MAIN = '(func (export "main") (result i32) (i32.const 0))'
TRY = b"\0\x06\x40\x07\0\x0b\x41\0\x0b"
"""The body of a function with `try` and `catch` as they were, which no assembler writes."""
LEGACY = (
    MAGIC
    + section(1, b"\2\x60\0\0\x60\0\1\x7f")
    + section(3, b"\1\1")
    + section(5, b"\1\0\1")
    + section(13, b"\1\0\0")
    + section(7, b"\2" + text("main") + b"\0\0" + text("memory") + b"\2\0")
    + section(10, b"\1" + bytes([len(TRY)]) + TRY)
)
VECTOR = "(v128.const i64x2 0 0)"
NEEDING = {
    "memory64": [module(MAIN, memory='(memory (export "memory") i64 1)')],
    "threads": [
        module(MAIN, memory='(memory (export "memory") 1 1 shared)'),
        main("(drop (i32.atomic.load (i32.const 0))) (i32.const 0)"),
        main("(i32.atomic.rmw.add (i32.const 0) (i32.const 1))"),
    ],
    "exceptions": [
        main("(throw 0)", fields="(tag)"),
        main("(block $h (try_table (catch 0 $h) (throw 0))) (i32.const 0)", fields="(tag)"),
    ],
    "legacy_exceptions": [LEGACY],
    "gc": [
        module(MAIN + "(type (struct (field i32)))"),
        module(MAIN + "(rec (type (struct)) (type (array i8)))"),
    ],
    "function_references": [
        module(MAIN + "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))")
    ],
    "externref": [module(MAIN + "(func (param externref))"), module(MAIN + "(table 1 externref)")],
    "relaxed_simd": [main(f"(drop (i32x4.relaxed_trunc_f32x4_s {VECTOR})) (i32.const 0)")],
    "multi_memory": [module(MAIN + '(memory (export "second") 1)')],
    "stack_switching": [module(MAIN + "(type $f (func)) (type (cont $f))")],
    "wide_arithmetic": [
        main(
            "(call $both (i64.mul_wide_u (i64.const 1) (i64.const 1))) (i32.const 0)",
            fields="(func $both (param i64 i64))",
        )
    ],
    "custom_page_sizes": [module(MAIN, memory='(memory (export "memory") 1 (pagesize 1))')],
}


@pytest.mark.parametrize("name", NEEDING)
def test_a_module_that_needs_a_feature_is_told_which_and_what_to_do_without(name):
    for code in NEEDING[name]:
        [finding] = [one for one in check(code).findings if one.code == "TLX008"]
        assert finding.message == f"{name} ({FEATURES[name]}) is switched off"
        assert finding.remedy != RULES_OF_THE_ENGINE[RefusalCode.FEATURE].remedy
        assert not {"TLX005", "TLX006"} & {one.code for one in check(code).findings}


def test_every_feature_has_a_module_but_one_that_no_assembler_writes():
    assert NEEDING.keys() | {"compact_imports"} == FEATURES.keys()


def test_a_module_that_needs_several_is_told_of_each():
    code = module(MAIN + "(tag)", memory='(memory (export "memory") i64 1 1 shared)')
    assert missing_features(code) == ("memory64", "threads", "exceptions")
    assert [one.code for one in check(code).findings] == ["TLX008"] * 3


@pytest.mark.parametrize("code", [MAGIC, b"", MAGIC + b"\xff", main("(i64.const 0)")])
def test_no_feature_makes_a_module_of_what_is_none(code):
    assert missing_features(code) == ()


@pytest.mark.parametrize(
    ("module_name", "name", "words"),
    [
        ("wasi_snapshot_preview1", "fd_write", "veracruz-sdk adapt"),
        ("wasi_unstable", "fd_write", "before 0.1"),
        ("env", "abort", "--use abort="),
        ("env", "seed", "--use seed="),
        ("env", "trace", "--use trace="),
        ("env", "console.log", "AssemblyScript"),
        ("env", "__syscall_openat", "-sSTANDALONE_WASM"),
        ("env", "emscripten_resize_heap", "-sSTANDALONE_WASM"),
        ("env", "_emscripten_throw_longjmp", "-sSTANDALONE_WASM"),
        ("env", "invoke_vii", "-sSTANDALONE_WASM"),
        ("env", "__cxa_throw", "-sSTANDALONE_WASM"),
        ("a", "b", "-sSTANDALONE_WASM"),
        ("__wbindgen_placeholder__", "__wbindgen_throw", "wasm-bindgen"),
        ("__wbindgen_externref_xform__", "__wbindgen_externref_table_grow", "wasm-bindgen"),
        ("wbg", "__wbg_random_e6e0a85ff4db8ab6", "getrandom"),
        ("./program_bg.js", "__wbg_log", "wasm-bindgen"),
        ("gojs", "runtime.wasmExit", "GOOS=wasip1"),
        ("go", "syscall/js.valueGet", "GOOS=wasip1"),
        ("env", "__veracruz_hcall_read_inputs", "did you mean '__veracruz_hcall_read_input'?"),
        ("env", "__veracruz_hcall_getrandm", "did you mean '__veracruz_hcall_getrandom'?"),
        ("env", "read_input", "did you mean '__veracruz_hcall_read_input'?"),
        ("veracruz", "__veracruz_hcall_write_output", "import it from module 'env'"),
        ("env", "gsl_matrix_alloc", "'gsl_matrix_alloc' is nowhere defined"),
        ("env", "it's\n\x1b[31m`so`", r"nowhere defined"),
        ("elsewhere", "print_everything", "link without it"),
    ],
)
def test_an_import_is_told_of_for_the_toolchain_that_makes_it(module_name, name, words):
    imported = f"{quoted(module_name)} {quoted(name)} (func)"
    [finding] = check(module(MAIN, imports=f"(import {imported})")).findings
    assert finding.code == "TLX010"
    assert words in finding.remedy
    assert finding.remedy.isprintable()


def test_a_program_of_wasi_is_told_of_the_adapter_for_its_start_too():
    imports = '(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))'
    code = module('(func (export "_start"))', imports=imports)
    found = {one.code: one.remedy for one in check(code).findings}
    assert found.keys() == {"TLX010", "TLX040"}
    assert "makes `main` of its `_start`" in found["TLX040"]


def quoted(name):
    return '"' + "".join(f"\\{byte:02x}" for byte in name.encode()) + '"'


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wasi:cli/stdout@0.2.6", "wasm32-wasip1"),
        (world.INTERFACE.replace("0.1", "0.2"), f"did you mean '{world.INTERFACE}'?"),
    ],
)
def test_an_interface_of_a_component_is_told_of(name, words):
    code = assembled(f'(component (import "{name}" (instance)))')
    assert words in check(code).findings[0].remedy


def test_a_component_of_wasi_is_told_of_wasi_and_the_way_out():
    report = check(component_of_wasi())
    assert [one.code for one in report.findings] == ["TLX010"] * 3 + ["TLX015"]
    assert {one.remedy for one in report.findings[:3]} == {OF_WASI_COMPONENTS}
    for words in ("WASI 0.1", "wasm32-wasip1", "veracruz-sdk adapt"):
        assert words in OF_WASI_COMPONENTS


def test_host_calls_are_told_of_by_the_name_of_each():
    for call in abi.HOST_CALLS:
        detail = f"'env'.'{call.import_name}x' is not one of the host calls"
        assert call.import_name in advice(RefusalCode.FORBIDDEN_IMPORT, detail)


@pytest.mark.parametrize("code", RULES_OF_THE_ENGINE)
@pytest.mark.parametrize(
    "detail", ["", "'", "'a'.'b'", "'env'.\"it's\" is not", "(x) is switched off"]
)
def test_whatever_the_engine_says_there_is_advice(code, detail):
    assert advice(code, detail) == RULES_OF_THE_ENGINE[code].remedy


def test_imported_memories_and_tables_are_described_as_what_they_are():
    """A profile told of none, and of no bytes."""
    imports = '(import "env" "memory" (memory 17 32)) (import "env" "table" (table 5 funcref))'
    code = bytes(wat2wasm(f"(module {imports} {MAIN})"))
    report = check(code)
    assert {one.code for one in report.findings} == {"TLX011", "TLX030"}
    storage = report.profile.storage
    assert (storage.memory_initial, storage.memory_maximum) == (17 * 65536, 32 * 65536)
    assert (storage.tables, storage.table_elements) == (1, 5)
