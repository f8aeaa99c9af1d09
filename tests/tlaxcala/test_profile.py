import pytest

from execution_engine.wasm.custom_sections import MAX_LISTED, Producer, SectionSize
from support.guests import IMPORTS, main, module, wasm
from support.module_bytes import custom, producers
from tlaxcala import check
from veracruz_utils.policy import Limits

MAIN = '(func $main (export "main") (result i32) (i32.const 0))'


def profile(code):
    report = check(code)
    assert report.certified, report.findings
    return report.profile


def host_calls(body, fields=""):
    """What is reached from a `main` of these instructions, with all host calls imported."""
    return profile(main(f"{body} (i32.const 0)", fields=fields)).calls.host_calls


def test_functions_that_are_called_in_place_of_a_return_are_reached():
    code = module(
        """(table funcref (elem $through)) (type $plain (func (result i32)))
        (func (export "main") (type $plain) (return_call $direct))
        (func $direct (type $plain) (return_call_indirect (type $plain) (i32.const 0)))
        (func $through (type $plain) (return_call $getrandom (i32.const 0) (i32.const 1)))
        (func $never (type $plain) (i32.const 0))""",
        imports='(import "env" "__veracruz_hcall_getrandom" '
        "(func $getrandom (param i32 i32) (result i32)))",
    )
    calls = check(code).profile.calls
    assert (calls.functions, calls.host_calls) == (3, ("getrandom",))


def test_sizes_and_counts_are_those_of_the_module():
    code = module(
        """(func (export "main") (result i32) (local i32 i64)
             (loop (loop (block (br_table 0 1 2 (i32.const 0))))) (i32.const 0))
           (func (nop) (nop)) (table 3 funcref) (data (i32.const 0) "abc") (data "de")""",
        memory='(memory (export "memory") 2 5)',
    )
    seen = profile(code)
    assert (seen.code.functions, seen.code.loops, seen.code.indirect_calls) == (2, 2, 0)
    assert (seen.code.most_locals, seen.code.deepest_nesting) == (2, 3)
    assert seen.code.largest_jump_table == 3
    assert seen.code.size == seen.code.largest_function + 4  # no locals, two nops, an end
    assert seen.code.instructions == 13
    assert (seen.storage.memory_initial, seen.storage.memory_maximum) == (2 * 65536, 5 * 65536)
    assert (seen.storage.tables, seen.storage.table_elements) == (1, 3)
    assert (seen.storage.data_segments, seen.storage.data_size) == (2, 5)


def test_a_memory_without_a_maximum_has_none():
    assert profile(module(MAIN)).storage.memory_maximum is None


def test_a_host_call_is_reached_through_functions_and_not_by_being_imported():
    fields = "(func $f (call $g)) (func $g (drop (call $input_count (i32.const 0)))) "
    dead = "(func $dead (drop (call $write_output (i32.const 0) (i32.const 0))))"
    assert host_calls("(call $f)", fields + dead) == ("input_count",)
    assert host_calls("(nop)", fields + dead) == ()


def test_recursion_ends():
    fields = "(func $f (call $g)) (func $g (call $f))"
    seen = profile(main("(call $f) (i32.const 0)", fields=fields))
    assert seen.calls.functions == 3


def test_the_initializer_is_an_entry_if_the_engine_calls_it():
    draw = "(drop (call $getrandom (i32.const 0) (i32.const 4)))"
    good = profile(main("(i32.const 0)", fields=f'(func (export "_initialize") {draw})'))
    assert good.calls.entries == ("_initialize", "main")
    assert good.calls.host_calls == ("getrandom",)
    other = profile(
        main("(i32.const 0)", fields=f'(func (export "_initialize") (param i32) {draw})')
    )
    assert other.calls.entries == ("main",)
    assert other.calls.host_calls == ()


INDIRECT = "(drop (call_indirect (param i32) (result i32) (i32.const 0) (i32.const 0)))"
CALLS_OUT = "(func $f (param i32) (result i32) (call $stream_count (local.get 0)))"


@pytest.mark.parametrize(
    "reference",
    [
        "(elem (i32.const 0) $f)",
        "(elem func $f)",
        "(elem declare func $f)",
        "(elem (i32.const 0) funcref (ref.null func) (ref.func $f))",
        "(elem funcref (ref.func $f))",
        "(elem declare funcref (ref.func $f))",
        "(elem (table 0) (offset (i32.const 1)) func $f)",
        "(elem (table 0) (offset (i32.const 1)) funcref (ref.func $f))",
        "(global funcref (ref.func $f))",
        "(elem declare func $f) (func (drop (ref.func $f)))",
    ],
)
def test_an_indirect_call_reaches_every_function_of_its_type_that_is_referred_to(reference):
    fields = f"(table 4 funcref) {CALLS_OUT} "
    assert host_calls(INDIRECT, fields) == ()
    assert host_calls(INDIRECT, fields + reference) == ("stream_count",)
    assert host_calls("(nop)", fields + reference) == ()


def test_an_indirect_call_of_another_type_does_not_reach_it():
    indirect = "(call_indirect (param i64) (i64.const 0) (i32.const 0))"
    fields = f"(table 4 funcref) {CALLS_OUT} (elem (i32.const 0) $f)"
    assert host_calls(indirect, fields) == ()


def test_an_indirect_call_reaches_the_host_itself():
    fields = "(table 4 funcref) (elem (i32.const 0) $input_count)"
    seen = profile(main(INDIRECT + "(i32.const 0)", fields=fields))
    assert seen.calls.host_calls == ("input_count",)
    assert (seen.calls.indirect_targets, seen.code.indirect_calls) == (1, 1)


def test_types_that_are_equal_count_as_one_however_often_they_are_declared():
    code = wasm(
        f"""(module (type $a (func (param i32) (result i32))) {IMPORTS}
             (memory (export "memory") 1) (table 1 funcref) (elem (i32.const 0) $f)
             (func $f (type $a) (call $stream_count (local.get 0)))
             (type $b (func (param i32) (result i32)))
             (func (export "main") (result i32)
               (call_indirect (type $b) (i32.const 0) (i32.const 0))))"""
    )
    assert profile(code).calls.host_calls == ("stream_count",)


def test_a_host_call_exported_as_main_is_what_the_engine_calls():
    assert profile(
        wasm(
            """(module (import "env" "__veracruz_hcall_write_output"
                 (func $call (param i32 i32) (result i32)))
               (export "main" (func $call)) (memory (export "memory") 1))"""
        )
    ).calls.host_calls == ("write_output",)


def test_a_module_that_is_refused_has_a_profile_if_it_is_valid():
    abort = '(import "env" "abort" (func)) (import "other" "__veracruz_hcall_getrandom" (func $g))'
    report = check(module(f'{MAIN} (func (export "_initialize") (call $g))', imports=abort))
    assert not report.certified
    assert report.profile.code.functions == 2
    assert report.profile.calls.host_calls == ()  # of another module, whatever its name


def test_a_module_that_is_not_valid_has_none():
    assert check(main("(i64.const 0)")).profile is None
    assert check(b"").profile is None


@pytest.mark.parametrize(
    ("offset", "fits"),
    [
        ("(i32.const 65532)", True),
        ("(i32.const 65533)", False),
        ("(i32.const -1)", False),
        ("(i32.add (i32.const 65530) (i32.const 2))", True),
        ("(i32.sub (i32.const 65530) (i32.const -3))", False),
        ("(i32.mul (i32.const 65536) (i32.const 65536))", True),
    ],
)
def test_data_must_fit_the_memory_as_it_is_at_first(offset, fits):
    code = module(f'{MAIN} (data {offset} "abcd")', memory='(memory (export "memory") 1 9)')
    assert check(code).certified is fits


def test_data_of_no_size_may_lie_at_the_end_and_not_beyond():
    assert check(module(f'{MAIN} (data (i32.const 65536) "")')).certified
    assert not check(module(f'{MAIN} (data (i32.const 65537) "")')).certified


def test_passive_data_needs_no_room():
    assert check(module(f'{MAIN} (data "abcd")', memory='(memory (export "memory") 0)')).certified


def test_custom_sections_are_listed_with_their_sizes():
    plain = len(profile(module(MAIN)).custom_sections.listed)  # the text format names what it can
    seen = profile(module(MAIN) + custom(".debug_info", b"abc") + custom("x")).custom_sections
    assert seen.listed[plain:] == (SectionSize(".debug_info", 3), SectionSize("x", 0))
    assert seen.count == plain + 2


def test_only_so_many_custom_sections_are_listed():
    seen = profile(module(MAIN) + custom("x", b"ab") * 500).custom_sections
    assert seen.count >= 500
    assert seen.size >= 1000
    assert len(seen.listed) == MAX_LISTED


def test_producers_are_told():
    section = producers(language=[("C11", ""), ("Rust", "2021")], sdk=[("wasi", "1")])
    assert profile(module(MAIN) + section).custom_sections.producers == (
        Producer("language", "C11", ""),
        Producer("language", "Rust", "2021"),
        Producer("sdk", "wasi", "1"),
    )


@pytest.mark.parametrize(
    "content", [b"", b"\1", b"\1\1x\5", b"\xff\xff\xff\xff\x0f", b"\1\2\xff\xfe\1"]
)
def test_a_malformed_producers_section_says_nothing(content):
    assert profile(module(MAIN) + custom("producers", content)).custom_sections.producers == ()


def test_text_of_custom_sections_is_escaped_and_cut():
    code = module(MAIN) + custom("\x1b[31m" + "x" * 500)
    code += producers(language=[("\x1b" * 90, "é")])
    seen = profile(code).custom_sections
    assert seen.listed[-2].name == ("\\x1b[31m" + "x" * 500)[:64]
    [producer] = seen.producers
    assert producer.name == ("\\x1b" * 90)[:64]
    assert producer.version == "\\xe9"


def test_many_producers_are_cut():
    code = module(MAIN) + producers(language=[("a", "1")] * 1000)
    assert len(profile(code).custom_sections.producers) == MAX_LISTED


def test_functions_named_by_the_name_section_are_counted():
    assert profile(module("(func $a) (func $b)" + MAIN)).custom_sections.named_functions == 3
    assert (
        profile(
            module('(func (export "main") (result i32) (i32.const 0))')
        ).custom_sections.named_functions
        is None
    )


@pytest.mark.parametrize("content", [b"\1", b"\1\x7f", b"\0\5a", b"\xff\xff"])
def test_a_malformed_name_section_names_nothing(content):
    code = module('(func (export "main") (result i32) (i32.const 0))') + custom("name", content)
    assert profile(code).custom_sections.named_functions == 0


def test_a_profile_is_an_object_of_json_named_like_its_attributes():
    value = profile(module(MAIN)).as_json()
    assert value["storage"]["memory_initial"] == 65536
    assert value["calls"]["entries"] == ("main",)
    assert value["customs"]["producers"] == ()


def test_a_large_module_is_profiled_whole():
    many = 20_000
    code = module(
        "".join(f"(func $f{n} (call $f{n + 1}))" for n in range(many)) + f"(func $f{many})"
        '(func (export "main") (result i32) (call $f0) (i32.const 0))'
    )
    assert profile(code).calls.functions == many + 2
    assert len(code) < Limits().program_bytes
