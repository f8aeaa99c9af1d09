"""Each rule has a module that breaks it and no other."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from execution_engine.errors import ModuleRefusedError, RefusalCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from support.components import assembled, component
from support.guests import CountingRandom, calling, main, module, wasm
from support.module_bytes import MAGIC, leb, section, text
from tlaxcala import RULES, check
from tlaxcala.certificate import STATIC_LIMITS
from tlaxcala.rules import OWN_RULES, RULES_OF_THE_ENGINE
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Strategy

GOOD = calling(("input_count", 0), ("write_output", 0, 4), data="abcd")
MAIN = '(func (export "main") (result i32) (i32.const 0))'
STRICT = EngineLimits(
    module_bytes=70_000,
    memory_bytes=2 * 65536,
    function_bytes=66_000,
    locals=3,
    nesting=2,
    tables=2,
    table_elements=5,
)
"""Limits that `SMALL` reaches exactly."""

SMALL = module(
    '(func (export "main") (result i32) (local i32 i64 f32) (block (block)) (i32.const 0))',
    memory='(memory (export "memory") 2) (table 5 funcref) (table 1 funcref)',
)
NESTED = "(block (block (block)))"


def imports(what):
    return module(MAIN, imports=f"(import {what})")


def functions(count):
    """A module of so many functions that return 0, which has that many entries in a section."""
    return (
        MAGIC
        + section(1, b"\1\x60\0\1\x7f")
        + section(3, leb(count) + b"\0" * count)
        + section(5, b"\1\0\1")
        + section(7, b"\2" + text("main") + b"\0\0" + text("memory") + b"\2\0")
        + section(10, leb(count) + b"\4\0\x41\0\x0b" * count)
    )


BREAKING = {
    "TLX002": (calling(data="a" * 70_000), STRICT),
    "TLX003": (b"(module)", None),
    "TLX004": (b"\0asm\2\0\0\0", None),
    "TLX005": (GOOD[:-1], None),
    "TLX006": (main("(i64.const 0)"), None),
    "TLX008": (main("(throw 0)", fields="(tag)"), None),
    "TLX010": (imports('"elsewhere" "print" (func (param i32))'), None),
    "TLX011": (imports('"env" "stack" (global i32)'), None),
    "TLX012": (imports('"env" "__veracruz_hcall_getrandom" (func (param i64))'), None),
    "TLX013": (component("(i32.const 0)", more='(export "other" (func $lifted))'), None),
    "TLX014": (assembled("(component)"), None),
    "TLX015": (component("(i32.const 0)", more="(core type (func))"), None),
    "TLX020": (module(MAIN + "(func $f) (start $f)"), None),
    "TLX030": (wasm(f"(module {MAIN})"), None),
    "TLX031": (module(MAIN, memory='(memory (export "memory") 3)'), STRICT),
    "TLX032": (module(MAIN + "(table 6 funcref)"), STRICT),
    "TLX033": (module(MAIN + '(data (i32.const 65533) "abcd")'), None),
    "TLX034": (module(MAIN + "(table 1 funcref) (elem (i32.const 1) func 0)"), None),
    "TLX040": (module(""), None),
    "TLX041": (module('(func (export "main"))'), None),
    "TLX050": (functions(100_001), None),
    "TLX051": (main("(nop)" * 66_000 + "(i32.const 0)"), STRICT),
    "TLX052": (main("(local i32 i32 i32 i32) (i32.const 0)"), STRICT),
    "TLX053": (main(NESTED + "(i32.const 0)"), STRICT),
    "TLX054": (main(f"(br_table {'0 ' * 65_600} (i32.const 0) (i32.const 0))"), None),
}


def codes(report):
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("expected", BREAKING)
def test_a_module_that_breaks_one_rule_is_refused_by_its_code_alone(expected):
    code, limits = BREAKING[expected]
    report = check(code, limits=limits)
    assert codes(report) == [expected]
    assert not report.certified
    [finding] = report.findings
    assert finding.title == RULES[expected].title
    assert finding.remedy == RULES[expected].remedy or expected == "TLX008"  # see test_advice
    assert finding.message


def test_every_rule_has_such_a_module():
    by_other_means = {"TLX001", "TLX007"}  # of files and of policies
    assert set(BREAKING) | by_other_means == set(RULES)


def test_a_module_other_than_the_program_of_a_policy_is_refused():
    assert check(GOOD, program=Digest.of(GOOD)).certified
    [finding] = check(GOOD, program=Digest.of(SMALL)).findings
    assert finding.code == "TLX007"
    assert str(Digest.of(GOOD)) in finding.message
    assert str(Digest.of(SMALL)) in finding.message


def test_what_cannot_be_read_is_not_the_program_of_a_policy_either():
    assert codes(check(b"", program=Digest.of(GOOD))) == ["TLX003", "TLX007"]


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("expected", sorted(rule.code for rule in RULES_OF_THE_ENGINE.values()))
def test_the_engine_refuses_a_module_for_the_same(expected, strategy):
    code, limits = BREAKING[expected]
    with pytest.raises(ModuleRefusedError) as refused:
        Program.load(code, strategy=strategy, limits=limits or EngineLimits())
    assert RULES_OF_THE_ENGINE[refused.value.code].code == expected


@pytest.mark.parametrize("expected", ["TLX033", "TLX034", "TLX040", "TLX041"])
def test_what_is_refused_beyond_that_can_never_run(expected):
    with (
        Program.load(
            BREAKING[expected][0], strategy=Strategy.JIT, limits=EngineLimits()
        ) as program,
        pytest.raises(TrapError),
    ):
        program.run(RunInputs(), random=CountingRandom())


def test_a_module_that_reaches_every_limit_is_certified_and_one_more_of_anything_is_too_much():
    exact = replace(STRICT, module_bytes=len(SMALL))
    assert check(SMALL, limits=exact).certified
    for name in ("module_bytes", "memory_bytes", "locals", "nesting", "tables", "table_elements"):
        tight = replace(exact, **{name: getattr(exact, name) - 1})
        assert not check(SMALL, limits=tight).certified, name


def test_the_static_limits_are_those_that_can_refuse_a_module():
    code = main("(local i32 i64) (block (block)) (i32.const 0)", fields="(table 2 funcref)")
    refusing = {
        field.name
        for field in fields(EngineLimits)
        if not check(code, limits=replace(EngineLimits(), **{field.name: 1})).certified
    } | {"tables"}  # one table is within a limit of one
    assert refusing == set(STATIC_LIMITS)


def test_every_refusal_of_the_engine_that_can_be_foreseen_has_a_rule():
    assert set(RULES_OF_THE_ENGINE) == set(RefusalCode) - {RefusalCode.UNCOMPILABLE}


def test_codes_are_unique_and_every_rule_says_what_to_do():
    assert len(RULES) == len(RULES_OF_THE_ENGINE) + len(OWN_RULES)
    for code, rule in RULES.items():
        assert code == rule.code
        assert rule.title
        assert rule.explanation
        assert rule.remedy


def test_a_rule_that_is_broken_often_is_told_some_times_and_then_counted():
    many = "".join(f'(import "env" "f{place}" (func))' for place in range(50))
    found = check(module(MAIN, imports=many)).findings
    assert len(found) == 21
    assert {finding.code for finding in found} == {"TLX010"}
    assert found[-1].message == "and 30 more of this kind"


def test_the_page_of_tlaxcala_lists_every_rule_with_its_title():
    page = Path(__file__).parents[2] / "docs/reference/tlaxcala.md"
    rows = [line.strip("|").split("|") for line in page.read_text().splitlines() if "| TLX" in line]
    listed = [(code.strip(), title.strip()) for code, title, *_ in rows]
    assert listed == [(code, rule.title) for code, rule in RULES.items()]


def test_a_module_of_as_many_entries_as_allowed_is_certified():
    assert check(functions(100_000)).certified
