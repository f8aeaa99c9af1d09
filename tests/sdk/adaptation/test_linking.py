"""Linking changes nothing of what a program does: random programs, and each thing that it moves."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

from execution_engine.errors import TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.wasm.binary import parse
from sdk.adaptation import adapt
from sdk.adaptation.names import function_names
from sdk.errors import AdaptationError
from support import guests
from support.guests import CountingRandom
from support.wasm_programs import Writer
from veracruz_utils.policy import Strategy

LIMITS = EngineLimits(memory_bytes=64 * 1024 * 1024, fuel=50_000_000)
DUMP = "(drop (call $write_output (i32.const 0) (i32.const 65536))) (local.get $i32_0)"


def ran(code):
    """What a program did: its code and result, or its trap."""
    load = Program.load
    with load(code, strategy=Strategy.JIT, limits=LIMITS, canonical_nans=True) as program:
        try:
            outcome = program.run(RunInputs((b"in",)), random=CountingRandom())
        except TrapError as error:
            return error.code
        return outcome.return_code, outcome.output


@settings(max_examples=40)  # two programs are compiled for each
@given(st.integers(0, 2**64))
def test_a_random_program_does_the_same_when_it_is_linked(seed):
    code, fields = Writer(Random(seed)).program()
    module = guests.main(f"{code} {DUMP}", fields=fields)
    alone = ran(module)
    if alone == (0, None):  # it left `main` by a tail call, and so gave nothing: the empty result
        alone = (0, b"")
    if alone is not TrapCode.OUT_OF_BOUNDS_MEMORY:  # behind its memory there is the arena
        assert ran(adapt(module)) == alone


def run(text, *inputs):
    with Program.load(
        adapt(wat2wasm(text)), strategy=Strategy.JIT, limits=EngineLimits()
    ) as program:
        return program.run(RunInputs(inputs), random=CountingRandom())


def test_functions_keep_their_places_in_tables_globals_and_references():
    outcome = run(
        """(module
          (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
          (import "env" "__veracruz_hcall_input_count" (func $count (param i32) (result i32)))
          (type $plain (func (result i32)))
          (memory (export "memory") 1) (table $t 8 funcref)
          (global $kept funcref (ref.func $nine)) (global $here (mut i32) (i32.const 5))
          (elem (table $t) (i32.const 0) func $nine $yield)
          (elem (table $t) (i32.const 2) funcref (ref.func $nine) (ref.null func))
          (elem $later func $yield $nine) (elem declare func $nine)
          (func $nine (result i32) i32.const 9)
          (func (export "main") (result i32)
            (table.init $t $later (i32.const 4) (i32.const 0) (i32.const 2))
            (table.set $t (i32.const 6) (global.get $kept))
            (table.set $t (i32.const 7) (ref.func $nine))
            (drop (call $count (i32.const 64)))
            (i32.add (i32.add (global.get $here) (i32.load (i32.const 64)))
              (i32.add
                (i32.add (call_indirect $t (type $plain) (i32.const 0))
                         (call_indirect $t (type $plain) (i32.const 1)))
                (i32.add
                  (i32.add (call_indirect $t (type $plain) (i32.const 2))
                           (call_indirect $t (type $plain) (i32.const 4)))
                  (i32.add (call_indirect $t (type $plain) (i32.const 5))
                    (i32.add (call_indirect $t (type $plain) (i32.const 6))
                             (call_indirect $t (type $plain) (i32.const 7)))))))))""",
        b"one",
    )
    assert outcome.return_code == 5 + 1 + 9 * 5


def test_data_of_the_program_is_put_and_taken_as_before():
    outcome = run(
        """(module
          (memory (export "memory") 1)
          (data (i32.const 8) "active") (data $kept "passive")
          (func (export "main") (result i32)
            (memory.init $kept (i32.const 100) (i32.const 0) (i32.const 7)) (data.drop $kept)
            (i32.add (i32.load8_u (i32.const 8)) (i32.load8_u (i32.const 100)))))"""
    )
    assert outcome.return_code == ord("a") + ord("p")


def test_what_starts_alone_and_what_initialises_come_before_main():
    outcome = run(
        """(module (memory (export "memory") 1) (global $seen (mut i32) (i32.const 0))
          (func $begin (global.set $seen (i32.const 1))) (start $begin)
          (func (export "_initialize")
            (global.set $seen (i32.add (i32.mul (global.get $seen) (i32.const 10)) (i32.const 2))))
          (func (export "main") (param i32 i32) (result i32)
            (i32.add (global.get $seen) (local.get 0))))"""
    )
    assert outcome.return_code == 12


def test_a_function_that_wasi_does_not_have_is_answered_that_there_is_none():
    outcome = run(
        """(module
          (import "wasi_snapshot_preview1" "sock_open" (func $open (param i32 i64) (result i32)))
          (memory (export "memory") 1)
          (func (export "main") (result i32) (call $open (i32.const 1) (i64.const 2))))"""
    )
    assert outcome.return_code == 52


def test_functions_keep_their_names():
    names = function_names(parse(adapt(wat2wasm(
        """(module
          (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
          (memory (export "memory") 1)
          (func $inner (result i32) (call $yield))
          (func (export "main") (result i32) (call $inner)))"""
    ))))  # fmt: skip
    assert "inner" in names.values()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('(memory (export "memory") 1)', "neither _start"),
        ('(memory (export "memory") 1) (func (export "main") (result i64) (i64.const 0))', "type"),
        ('(memory (export "memory") 1) (func (export "_start") (param i32))', "_start is"),
        ('(func (export "main") (result i32) (i32.const 0))', "no memory"),
        ('(import "env" "memory" (memory 1)) (func (export "_start"))', "--import-memory"),
        ('(import "a" "b" (func)) (memory 1) (func (export "_start"))', r"a\.b"),
        ('(import "env" "__veracruz_hcall_input_count" (func)) (memory 1)', "with type"),
        ('(import "wasi_snapshot_preview1" "sched_yield" (func)) (memory 1)', "with type"),
        ('(import "wasi_snapshot_preview1" "new" (func)) (memory 1)', "does not have"),
    ],
)
def test_what_cannot_be_linked_is_told(text, words):
    with pytest.raises(AdaptationError, match=words):
        adapt(wat2wasm(f"(module {text})"))


@given(st.binary(max_size=200))
def test_whatever_it_is_given_it_adapts_or_refuses(data):
    for code in (data, b"\0asm\1\0\0\0" + data, b"\0asm\x0d\0\1\0" + data):
        with pytest.raises(AdaptationError):
            adapt(code)


@given(st.data())
def test_a_damaged_module_is_adapted_or_refused(data):
    code = bytearray(
        guests.main("(i32.const 0)", fields='(global $a i32 (i32.const 1)) (data "x")')
    )
    for _ in range(data.draw(st.integers(1, 3))):
        code[data.draw(st.integers(8, len(code) - 1))] = data.draw(st.integers(0, 255))
    try:
        adapt(bytes(code))
    except AdaptationError:
        return


def test_a_text_that_ends_early_is_refused():
    with pytest.raises(AdaptationError, match="null"):
        adapt(guests.main("(i32.const 0)"), arguments=["a\0b"])
