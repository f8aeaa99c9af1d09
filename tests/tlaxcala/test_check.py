import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution_engine import EngineLimits, ModuleRefusedError, Program, Refusal
from support.guests import calling, main, module, wasm
from tlaxcala import RULES, check
from tlaxcala.rules import RULES_OF_THE_ENGINE
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy

GOOD = calling(("input_count", 0), ("write_output", 0, 4), data="abcd")


def codes(code):
    return [finding.code for finding in check(code).findings]


def test_a_module_that_assumes_only_the_abi_is_certified():
    report = check(GOOD)
    assert report.certified
    assert report.findings == ()
    assert report.digest == Digest.of(GOOD)
    assert report.size == len(GOOD)
    assert report.entry == "() -> (i32)"


def test_the_host_calls_it_imports_are_listed_in_the_order_of_the_abi():
    text = """(import "env" "__veracruz_hcall_write_output" (func (param i32 i32) (result i32)))
              (import "env" "__veracruz_hcall_input_count" (func (param i32) (result i32)))"""
    code = module('(func (export "main") (result i32) (i32.const 0))', imports=text)
    assert check(code).host_calls == ("input_count", "write_output")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"(module)", "TLX003"),
        (b"", "TLX003"),
        (b"\0asm\x0d\0\1\0", "TLX004"),
        (GOOD[:-1], "TLX005"),
        (main("(i64.const 0)"), "TLX006"),
        (main("(i32.const 0)", fields="(start 12) (func)"), "TLX020"),
        (wasm('(module (func (export "main") (result i32) (i32.const 0)))'), "TLX030"),
        (module(""), "TLX040"),
        (module('(func (export "main"))'), "TLX041"),
        (
            module(
                '(func (export "main") (result i32) (i32.const 0))',
                imports='(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))',
            ),
            "TLX010",
        ),
    ],
)
def test_each_way_of_breaking_the_abi_has_its_code(code, expected):
    report = check(code)
    assert codes(code) == [expected]
    assert not report.certified
    assert report.findings[0].title == RULES[expected].title
    assert report.findings[0].remedy == RULES[expected].remedy
    assert report.findings[0].message


def test_every_finding_is_listed_not_the_first_only():
    code = wasm(
        """(module (import "env" "abort" (func)) (import "env" "memory" (memory 1))
             (import "env" "__veracruz_hcall_input_count" (func)) (start 0))"""
    )
    assert codes(code) == ["TLX010", "TLX011", "TLX012", "TLX020", "TLX030", "TLX040"]


def test_a_finding_names_both_sides():
    code = module("", imports='(import "env" "__veracruz_hcall_getrandom" (func (param i64)))')
    [message] = [one.message for one in check(code).findings if one.code == "TLX012"]
    assert "'__veracruz_hcall_getrandom'" in message
    assert "(i64) -> ()" in message
    assert "(i32, i32) -> (i32)" in message


def test_limits_of_a_policy_can_be_given():
    assert codes(GOOD) == []
    report = check(GOOD, limits=EngineLimits(module_bytes=len(GOOD) - 1))
    assert [finding.code for finding in report.findings] == ["TLX002"]


def test_every_refusal_of_the_engine_that_can_be_foreseen_has_a_rule():
    assert set(RULES_OF_THE_ENGINE) == set(Refusal) - {Refusal.UNCOMPILABLE}


def test_codes_are_unique_and_every_rule_says_what_to_do():
    assert len(RULES) == len(RULES_OF_THE_ENGINE) + 3
    for code, rule in RULES.items():
        assert code == rule.code
        assert rule.title
        assert rule.explanation
        assert rule.remedy


def test_a_report_is_an_object_of_json():
    value = json.loads(json.dumps(check(module("")).as_json()))
    assert set(value) == {"certified", "digest", "size", "host_calls", "entry", "findings"}
    assert value["certified"] is False
    assert set(value["findings"][0]) == {"code", "title", "message", "remedy"}


@settings(max_examples=300)
@given(st.binary(max_size=100))
def test_arbitrary_bytes_give_a_verdict(content):
    assert not check(content).certified
    assert not check(b"\0asm\1\0\0\0" + content).certified


def mutated(data, code):
    """`code` with bytes changed, inserted or left out."""
    code = bytearray(code)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(8, len(code) - 1))
        match data.draw(st.sampled_from(("change", "insert", "drop"))):
            case "change":
                code[place] = data.draw(st.integers(0, 255))
            case "insert":
                code.insert(place, data.draw(st.integers(0, 255)))
            case _:
                del code[place]
    return bytes(code)


@settings(max_examples=400)
@given(st.data())
def test_what_is_certified_loads_and_what_is_not_is_refused_or_cannot_be_called(data):
    code = mutated(data, GOOD)
    report = check(code)
    strategy = data.draw(st.sampled_from(Strategy))
    try:
        program = Program.load(code, strategy=strategy, limits=EngineLimits())
    except ModuleRefusedError as error:
        refused = error
        program = None
    if program is None:
        assert not report.certified
        assert report.findings[0].code == RULES_OF_THE_ENGINE[refused.code].code
    else:
        with program:
            assert report.certified is program.summary.runnable
