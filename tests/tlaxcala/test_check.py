import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution_engine.limits import EngineLimits
from sdk.examples import programs
from support.certification import assert_certified_exactly_if_it_runs
from support.guests import calling, module, wasm
from support.mutation import component_seeds, mutated, program_seeds, seeds
from tlaxcala import check
from veracruz_utils.digest import Digest

GOOD = calling(("input_count", 0), ("write_output", 0, 4), data="abcd")
SEEDS = [*seeds(), *program_seeds()]
COMPONENTS = component_seeds()


def codes(code):
    return [finding.code for finding in check(code).findings]


def test_a_module_that_assumes_only_the_abi_is_certified():
    report = check(GOOD)
    assert report.certified
    assert report.findings == ()
    assert report.digest == Digest.of(GOOD)
    assert report.size == len(GOOD)
    assert report.entry == "() -> (i32)"


@pytest.mark.parametrize("name", programs.NAMES)
def test_the_example_programs_are_certified(name):
    report = check(programs.load(name))
    assert report.certified
    assert report.profile.calls.functions > 0


def test_the_host_calls_it_imports_are_listed_in_the_order_of_the_abi():
    text = """(import "env" "__veracruz_hcall_write_output" (func (param i32 i32) (result i32)))
              (import "env" "__veracruz_hcall_input_count" (func (param i32) (result i32)))"""
    code = module('(func (export "main") (result i32) (i32.const 0))', imports=text)
    assert check(code).host_calls == ("input_count", "write_output")


def test_every_finding_is_listed_not_the_first_only():
    code = wasm(
        """(module (import "env" "abort" (func)) (import "env" "memory" (memory 1))
             (import "env" "__veracruz_hcall_input_count" (func)) (start 0))"""
    )
    assert codes(code) == ["TLX010", "TLX011", "TLX012", "TLX030", "TLX020", "TLX040"]


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


@pytest.mark.parametrize(
    "instruction",
    [
        "(drop (i32.atomic.load (i32.const 0)))",
        "(drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))",
        "(local externref)",
        "(drop (drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0))))",
    ],
)
def test_features_that_the_engine_has_switched_off_are_refused(instruction):
    code = module(
        f'(func (export "main") (result i32) {instruction} (i32.const 0)) (func (result i32) '
        "(i32.const 1))"
    )
    assert set(codes(code)) == {"TLX008"}


@pytest.mark.parametrize(
    "field",
    [
        '(memory (export "second") 1)',
        "(memory i64 1)",
        "(tag)",
        "(type (struct))",
        "(global externref (ref.null extern))",
    ],
)
def test_declarations_of_features_that_are_switched_off_are_refused(field):
    code = module(f'(func (export "main") (result i32) (i32.const 0)) {field}')
    assert set(codes(code)) == {"TLX008"}


def test_a_report_is_an_object_of_json():
    value = json.loads(json.dumps(check(module("")).as_json()))
    assert set(value) == {
        "certified",
        "digest",
        "size",
        "host_calls",
        "entry",
        "profile",
        "parts",
        "findings",
    }
    assert value["certified"] is False
    assert set(value["findings"][0]) == {"code", "title", "message", "remedy"}
    assert set(value["profile"]) == {"code", "storage", "calls", "customs"}


@settings(max_examples=300)
@given(st.binary(max_size=100))
def test_arbitrary_bytes_give_a_verdict(content):
    assert not check(content).certified
    assert not check(b"\0asm\1\0\0\0" + content).certified


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=True), st.sampled_from(SEEDS))
def test_what_is_certified_runs_and_what_is_not_is_refused_or_can_never_run(random, seed):
    assert_certified_exactly_if_it_runs(mutated(random, seed, SEEDS))


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=True), st.sampled_from(COMPONENTS))
def test_a_component_that_is_certified_is_one_that_the_engine_runs(random, seed):
    assert_certified_exactly_if_it_runs(mutated(random, seed, COMPONENTS))
