"""Runs: results, traps, limits, hostile programs, under both strategies."""

import gc
import os
import platform
import struct
import subprocess
import sys
import threading
import weakref
from dataclasses import fields
from pathlib import Path

import pytest
import wasmtime

from execution_engine.errors import (
    EngineError,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    TrapCode,
    TrapError,
)
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import EngineSettings, engine_version, make_engine
from execution_engine.trace import traced
from support.guests import CountingRandom, calling, main, module
from support.patience import PATIENCE_S
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, Strategy

LOOP = main("(loop (br 0)) (unreachable)")


def trap(run, code, **limits):
    with pytest.raises(TrapError) as caught:
        run(code, **limits)
    return caught.value


def limit(run, code, **limits):
    with pytest.raises(LimitError) as caught:
        run(code, **limits)
    return caught.value.code


@pytest.mark.parametrize("code", [0, 1, -1, 2**31 - 1, -(2**31)])
def test_the_number_main_returns_is_the_outcome(run, code):
    assert run(main(f"(i32.const {code})")).return_code == code


def test_a_failing_program_keeps_what_it_wrote(run):
    outcome = run(main("(drop (call $write_output (i32.const 0) (i32.const 2))) (i32.const -4)"))
    assert (outcome.return_code, outcome.output) == (-4, b"\0\0")


def test_a_main_with_parameters_gets_zeros(run):
    code = module(
        """(func (export "main") (param i32 i32) (result i32)
             (i32.add (i32.const 7) (i32.or (local.get 0) (local.get 1))))"""
    )
    assert run(code).return_code == 7


def test_a_host_call_exported_as_main_is_called(run):
    text = '(import "env" "__veracruz_hcall_write_output" (func $w (param i32 i32) (result i32)))'
    outcome = run(module('(export "main" (func $w))', imports=text))
    assert (outcome.return_code, outcome.output) == (0, b"")


def test_an_initializer_runs_before_main(run):
    code = module(
        """(global $set (mut i32) (i32.const 0))
           (func (export "_initialize") (global.set $set (i32.const 5)))
           (func (export "main") (result i32) (global.get $set))"""
    )
    assert run(code).return_code == 5


def test_start_functions_of_other_hosts_are_not_called(run):
    code = module(
        """(func (export "_start") unreachable) (func (export "_initialize") (param i32))
           (func (export "main") (result i32) (i32.const 0))"""
    )
    assert run(code).return_code == 0


def test_a_trap_in_the_initializer_ends_the_run(run):
    code = module(
        """(func (export "_initialize") unreachable)
           (func (export "main") (result i32) (i32.const 0))"""
    )
    assert trap(run, code).code is TrapCode.UNREACHABLE


TABLE = "(table 2 funcref) (elem (i32.const 0) $other) (func $other) (type $t (func (param i32)))"


@pytest.mark.parametrize(
    ("body", "fields", "code"),
    [
        ("(unreachable)", "", TrapCode.UNREACHABLE),
        ("(i32.load (i32.const 65533))", "", TrapCode.OUT_OF_BOUNDS_MEMORY),
        ("(i32.load (i32.const -1))", "", TrapCode.OUT_OF_BOUNDS_MEMORY),
        ("(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537)) (i32.const 0)", "",
         TrapCode.OUT_OF_BOUNDS_MEMORY),
        ("(i32.div_s (i32.const 1) (i32.const 0))", "", TrapCode.INTEGER_DIVIDE_BY_ZERO),
        ("(i32.rem_u (i32.const 1) (i32.const 0))", "", TrapCode.INTEGER_DIVIDE_BY_ZERO),
        ("(i32.div_s (i32.const 0x80000000) (i32.const -1))", "", TrapCode.INTEGER_OVERFLOW),
        ("(i32.trunc_f64_s (f64.const nan))", "", TrapCode.INVALID_CONVERSION),
        ("(i32.trunc_f64_s (f64.const 1e10))", "", TrapCode.INTEGER_OVERFLOW),
        ("(call $main)", "", TrapCode.STACK_OVERFLOW),
        ("(call_indirect (i32.const 2)) (i32.const 0)", TABLE, TrapCode.OUT_OF_BOUNDS_TABLE),
        ("(call_indirect (i32.const 1)) (i32.const 0)", TABLE, TrapCode.INDIRECT_CALL_TO_NULL),
        ("(call_indirect (type $t) (i32.const 1) (i32.const 0)) (i32.const 0)", TABLE,
         TrapCode.INDIRECT_CALL_TYPE),
    ],
)  # fmt: skip
def test_each_kind_of_trap_has_its_code(run, body, fields, code):
    error = trap(run, main(body, fields=fields))
    assert error.code is code
    assert str(error) == f"program trapped ({code})"


@pytest.mark.parametrize(
    ("segment", "code"),
    [
        ("(data (i32.const 65536) \"a\")", TrapCode.OUT_OF_BOUNDS_MEMORY),
        ("(table 1 funcref) (elem (i32.const 1) 0) (func)", TrapCode.OUT_OF_BOUNDS_TABLE),
    ],
)  # fmt: skip
def test_a_segment_that_does_not_fit_ends_the_run_by_a_trap(run, segment, code):
    assert trap(run, module(f'(func (export "main") (result i32) unreachable) {segment}')).code is (
        code
    )


def test_a_trap_says_where_it_happened_to_who_asks_and_not_in_its_message(run):
    error = trap(run, main("(call $inner)", fields="(func $inner (result i32) (unreachable))"))
    assert [frame.name for frame in error.frames] == ["inner", "main"]
    assert [frame.function for frame in error.frames] == [12, 11]
    assert all(frame.offset > 0 for frame in error.frames)
    assert "inner" not in str(error)


def test_the_frames_of_a_deep_stack_are_few(run):
    assert 1 <= len(trap(run, main("(call $main)")).frames) <= 20


def test_a_name_of_the_modules_choice_is_made_printable(run):
    code = main('(call $"\\1b[31m\\n\\e2\\80\\ae")',
                fields='(func $"\\1b[31m\\n\\e2\\80\\ae" (result i32) (unreachable))')  # fmt: skip
    name = trap(run, code).frames[0].name
    assert name.isprintable()
    assert name.isascii()


def test_the_numbers_a_program_passed_are_not_in_the_message(run):
    error = trap(run, calling(("write_output", 424242, 1)))
    assert "424242" in error.debug
    assert "424242" not in str(error)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("", "no function of that name is exported"),
        ('(func (export "main"))', r"it is \(\) -> \(\)"),
        ('(func (export "main") (param i32) (result i32) (i32.const 0))', r"it is \(i32\)"),
        ('(func (export "_start") (result i32) (i32.const 0))', "no function of that name"),
    ],
)
def test_without_a_main_that_can_be_called_the_run_fails_and_says_why(run, fields, found):
    with pytest.raises(TrapError, match=found) as caught:
        run(module(fields))
    assert caught.value.code is TrapCode.NO_ENTRY_POINT


def test_nothing_runs_before_a_missing_main_is_noticed(run):
    assert trap(run, module('(func (export "_initialize") unreachable)')).code is (
        TrapCode.NO_ENTRY_POINT
    )


def test_65536_nested_calls_fit(run):
    code = main(
        "(call $down (i32.const 65536))",
        fields="""(func $down (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))""",
    )
    assert run(code).return_code == 65536


def test_an_endless_loop_ends_at_its_time(run):
    assert limit(run, LOOP, run_seconds=0.05) is LimitCode.TIME


def test_an_endless_loop_in_the_initializer_ends_at_its_time(run):
    code = module(
        """(func (export "_initialize") (loop (br 0)))
           (func (export "main") (result i32) (i32.const 0))"""
    )
    assert limit(run, code, run_seconds=0.05) is LimitCode.TIME


def test_endless_recursion_through_a_table_ends(run):
    code = main(
        "(call_indirect (result i32) (i32.const 0))",
        fields="(table 1 funcref) (elem (i32.const 0) $main)",
    )
    assert trap(run, code).code is TrapCode.STACK_OVERFLOW


def test_a_storm_of_host_calls_ends_at_its_time(run):
    code = main("(loop (drop (call $input_count (i32.const 0))) (br 0)) (unreachable)")
    assert limit(run, code, run_seconds=0.05) is LimitCode.TIME


def test_endless_fills_of_all_memory_end_at_their_time(run):
    code = main(
        """(drop (memory.grow (i32.const 1023)))
           (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 67108864)) (br 0))
           (unreachable)"""
    )
    assert limit(run, code, run_seconds=0.05) is LimitCode.TIME


def test_memory_does_not_grow_over_its_limit(run):
    code = main(
        """(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
           (memory.size)"""
    )
    outcome = run(code, memory_bytes=10 * 65536 + 1)
    assert outcome.return_code == 10
    assert outcome.memory_peak == 10 * 65536


def test_a_table_does_not_grow_over_its_limit(run):
    code = main("(table.grow (ref.null func) (i32.const 10))", fields="(table 1 funcref)")
    assert run(code, table_elements=11).return_code == 1
    assert run(code, table_elements=10).return_code == -1


def test_fuel_is_used_and_ends_a_program_alike_under_both_strategies():
    code = main(
        """(local $i i32)
           (loop (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (memory.fill (i32.const 0) (i32.const 1) (local.get $i))
             (br_if 0 (i32.lt_u (local.get $i) (i32.const 100))))
           (drop (call $input_count (i32.const 0)))
           (i32.const 0)"""
    )

    def used(strategy, fuel):
        with Program.load(code, strategy=strategy, limits=EngineLimits(fuel=fuel)) as program:
            try:
                return program.run(RunInputs(), random=CountingRandom()).fuel
            except LimitError as error:
                return error.code

    needed = used(Strategy.JIT, 10**9)
    assert 5050 < needed < 10_000
    # The last few units are counted together: what matters is that both end at the same place.
    for fuel in (1, 100, needed // 2, *range(needed - 40, needed + 2, 3)):
        assert used(Strategy.JIT, fuel) == used(Strategy.INTERPRETATION, fuel)
    assert used(Strategy.JIT, needed // 2) is LimitCode.FUEL


def test_without_a_budget_no_fuel_is_reported(run):
    assert run(main("(i32.const 0)")).fuel is None


def bits_of_nans(strategy, *, canonical):
    """Of an impossible quotient and difference, and of a sum with a NaN that has a payload."""
    code = main(
        """(f64.store (i32.const 0) (f64.div (f64.const 0) (f64.const 0)))
           (f32.store (i32.const 8) (f32.sub (f32.const inf) (f32.const inf)))
           (f64.store (i32.const 16) (f64.add (f64.const nan:0x8000000000bed) (f64.const 1)))
           (call $write_output (i32.const 0) (i32.const 24))"""
    )
    with Program.load(
        code, strategy=strategy, limits=EngineLimits(), canonical_nans=canonical
    ) as program:
        output = program.run(RunInputs(), random=CountingRandom()).output
    return struct.unpack("<QI4xQ", output)


def test_canonical_nans_have_the_same_bits_under_both_strategies(strategy):
    canonical = (0x7FF8 << 48, 0x7FC00000, 0x7FF8 << 48)
    assert bits_of_nans(strategy, canonical=True) == canonical


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="a processor may drop payloads"
)
def test_other_nans_are_the_processors_and_keep_a_payload(strategy):
    quotient, difference, total = bits_of_nans(strategy, canonical=False)
    assert quotient & 0x7FFF << 48 == 0x7FF8 << 48
    assert difference & 0x7FFFFFFF == 0x7FC00000
    assert total == 0x7FF8_0000_0000_0BED


def test_tail_calls_take_no_stack_and_the_same_fuel_under_both_strategies():
    code = main(
        "(return_call $down (i32.const 1000000) (i32.const 0))",
        fields="""(table funcref (elem $down)) (type $two (func (param i32 i32) (result i32)))
          (func $down (type $two)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (if (i32.and (local.get 0) (i32.const 1)) (then (return_call $down
              (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 1)))))
            (return_call_indirect (type $two)
              (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (i32.const 0)))""",
    )
    limits = EngineLimits(fuel=10**8, stack_bytes=2**16)
    found = set()
    for strategy in Strategy:
        with Program.load(code, strategy=strategy, limits=limits) as program:
            outcome = program.run(RunInputs(), random=CountingRandom())
            found.add((outcome.return_code, outcome.fuel))
    assert len(found) == 1
    assert found.pop()[0] == 500_000


def test_a_host_call_in_place_of_a_return_answers_and_traps_as_others_do(run):
    code = main("(return_call $write_output (i32.const 0) (i32.const 4))")
    assert run(code).output == bytes(4)
    outside = main(
        "(return_call $f (i32.const 0))",
        fields="(func $f (param i32) (result i32)"
        " (return_call $write_output (i32.const 65536) (i32.const 4)))",
    )
    with pytest.raises(TrapError) as trapped:
        run(outside)
    assert trapped.value.code is TrapCode.OUT_OF_BOUNDS_HOST_CALL


def test_an_endless_chain_of_tail_calls_ends_at_its_limits(run):
    code = main("(return_call $f)", fields="(func $f (result i32) (return_call $f))")
    with pytest.raises(LimitError) as limit:
        run(code, fuel=100_000)
    assert limit.value.code is LimitCode.FUEL
    with pytest.raises(LimitError) as limit:
        run(code, run_seconds=0.1)
    assert limit.value.code is LimitCode.TIME


def test_a_program_runs_again_from_its_first_state(strategy):
    code = main(
        """(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
           (global.set $g (i32.add (global.get $g) (i32.const 1)))
           (i32.store (i32.const 4) (global.get $g))
           (call $write_output (i32.const 0) (i32.const 8))""",
        fields="(global $g (mut i32) (i32.const 40))",
    )
    with Program.load(code, strategy=strategy, limits=EngineLimits()) as program:
        for _ in range(3):
            outcome = program.run(RunInputs(), random=CountingRandom())
            assert outcome.output == struct.pack("<II", 1, 41)


def test_a_program_runs_again_after_a_trap_and_after_a_limit(strategy):
    code = main(
        """(if (call $has_previous_result (i32.const 0)) (then (unreachable)))
           (if (i32.load (i32.const 0)) (then (loop (br 0))))
           (i32.const 3)"""
    )
    limits = EngineLimits(run_seconds=0.05)
    with Program.load(code, strategy=strategy, limits=limits) as program:
        for previous in (None, b"", None):
            try:
                outcome = program.run(RunInputs(previous_result=previous), random=CountingRandom())
            except LimitError:
                assert previous is not None
            else:
                assert outcome.return_code == 3


def test_two_threads_may_run_one_program(strategy):
    code = calling(("read_input", 0, 0, 4), ("write_output", 0, 4))
    results = {}
    with Program.load(code, strategy=strategy, limits=EngineLimits()) as program:

        def body(number):
            inputs = RunInputs([struct.pack("<I", number)])
            results[number] = program.run(inputs, random=CountingRandom()).output

        threads = [threading.Thread(target=body, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {number: struct.pack("<I", number) for number in range(8)}


def test_no_thread_is_left_behind(run):
    before = threading.active_count()
    run(main("(i32.const 0)"))
    limit(run, LOOP, run_seconds=0.02)
    assert threading.active_count() == before


def test_the_stack_size_of_other_threads_is_left_as_it_was(run):
    before = threading.stack_size()
    run(main("(i32.const 0)"))
    assert threading.stack_size() == before


def test_a_closed_program_does_not_run(strategy):
    program = Program.load(main("(i32.const 0)"), strategy=strategy, limits=EngineLimits())
    program.close()
    program.close()
    with pytest.raises(EngineError, match="closed"):
        program.run(RunInputs(), random=CountingRandom())


def test_the_digest_is_that_of_the_bytes(strategy):
    code = main("(i32.const 0)")
    with Program.load(code, strategy=strategy, limits=EngineLimits()) as program:
        assert program.summary.digest == Digest.of(code)


def test_the_engine_is_the_one_of_the_strategy(strategy):
    with make_engine(EngineSettings(strategy)) as engine:
        assert engine.is_pulley() == (strategy is Strategy.INTERPRETATION)


def test_the_engine_names_itself_and_its_version():
    name, _, version = engine_version().partition(" ")
    assert name == "wasmtime"
    assert version.count(".") == 2


def test_a_module_that_is_refused_leaves_nothing_to_close():
    for strategy in Strategy:
        with pytest.raises(ModuleRefusedError):
            Program.load(b"", strategy=strategy, limits=EngineLimits())


def test_inputs_and_results_are_let_go_when_a_run_ends(run):
    class Bytes(bytearray):
        """A buffer that can be watched."""

    def once(code):
        content = Bytes(b"secret")
        watched.append(weakref.ref(content))
        try:
            run(code, [content])
        except EngineError as error:
            errors.append(str(error))
        content.append(0)  # raises BufferError while anybody holds a view

    watched, errors = [], []
    gc.disable()
    try:
        once(calling(("read_input", 0, 0, 6), ("write_output", 0, 6)))
        once(calling(("read_input", 0, 0, 6), ("write_output", 0, 6), ("write_output", -1, 6)))
        once(calling(("read_input", 0, 0, 6), ("(unreachable)",)))
        assert [one() for one in watched] == [None] * 3
    finally:
        gc.enable()
    assert len(errors) == 2


def test_limits_come_from_the_policy():
    given = {field.name: place for place, field in enumerate(fields(Limits), 2**16)}
    given |= {"locals": 7, "compile_seconds": 9}
    limits = EngineLimits.from_policy(Limits(**given))
    assert limits.module_bytes == given["program_bytes"]
    of_the_process = {
        "program_bytes", "input_bytes", "total_input_bytes", "compile_seconds",
        "compile_memory_bytes", "idle_seconds", "detached_seconds",
    }  # fmt: skip
    for name in given.keys() - of_the_process:
        assert getattr(limits, name) == given[name], name


def test_the_defaults_are_those_of_a_policy_that_names_no_limits():
    assert EngineLimits.from_policy(Limits()) == EngineLimits()


FORKED = """
import os, sys
from execution_engine.errors import LimitError, ModuleRefusedError, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import engine_version
from platform_services import LinuxRandomSource
from veracruz_utils.policy import Strategy

code = bytes.fromhex(sys.argv[1])
child = os.fork()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

def watch(event, arguments):
    if event in ("import", "open", "os.exec", "subprocess.Popen"):
        os.write(2, f"{event} {arguments}\\n".encode())
        os._exit(70)

sys.addaudithook(watch)
for strategy in Strategy:
    for fuel in (None, 10**6):
        limits = EngineLimits(fuel=fuel, run_seconds=0.2)
        with Program.load(code, strategy=strategy, limits=limits) as program:
            for inputs, expected in (([b"ab"], b"ab"), ([], None), ([b"abc"], "limit")):
                try:
                    outcome = program.run(RunInputs(inputs), random=LinuxRandomSource())
                except LimitError:
                    assert expected == "limit"
                except TrapError as error:
                    assert expected is None and error.frames
                else:
                    assert outcome.output == expected
    try:
        Program.load(code[:-1], strategy=strategy, limits=limits)
    except ModuleRefusedError as error:
        str(error)
engine_version()
os._exit(0)
"""


def test_a_process_forked_from_one_that_imported_us_needs_no_file_and_no_import():
    code = main(
        """(drop (call $input_size (i32.const 0) (i32.const 0)))
           (if (i32.eqz (i32.load (i32.const 0))) (then (unreachable)))
           (if (i32.eq (i32.load (i32.const 0)) (i32.const 3)) (then (loop (br 0))))
           (drop (call $getrandom (i32.const 16) (i32.const 8)))
           (drop (call $read_input (i32.const 0) (i32.const 4) (i32.const 2)))
           (call $write_output (i32.const 4) (i32.const 2))"""
    )
    done = subprocess.run(
        [sys.executable, "-c", FORKED, code.hex()],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 0


CRAMPED = """
import resource, sys
from execution_engine.errors import TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from veracruz_utils.policy import Strategy

code, limits = bytes.fromhex(sys.argv[1]), EngineLimits()
with Program.load(code, strategy=Strategy[sys.argv[2]], limits=limits) as program:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    try:
        program.run(RunInputs(), random=LinuxRandomSource())
    except TrapError as error:
        print(error.code, bool(error.debug))
        print(error)
"""


def test_a_process_without_room_for_a_program_says_that_it_is_not_the_programs_fault(strategy):
    done = subprocess.run(
        [sys.executable, "-c", CRAMPED, main("(i32.const 0)").hex(), strategy.name],
        capture_output=True, timeout=PATIENCE_S, check=False, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    code, message = done.stdout.splitlines()
    assert code == "host-failure True"
    assert "address space" in message


INTERRUPTED = """
import os, signal, sys, threading
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from veracruz_utils.policy import Strategy

for strategy in Strategy:
    with Program.load(
        bytes.fromhex(sys.argv[1]), strategy=strategy, limits=EngineLimits()
    ) as program:
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            program.run(RunInputs(), random=LinuxRandomSource())
        except KeyboardInterrupt:
            timer.join()
            print("interrupted", threading.active_count())
"""


@pytest.mark.parametrize("call", ["(nop)", "(drop (call $input_count (i32.const 0)))"])
def test_ctrl_c_ends_a_program_whatever_it_does(call):
    code = main(f"(loop {call} (br 0)) (unreachable)")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, code.hex()],
        capture_output=True, timeout=PATIENCE_S, check=False, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["interrupted 1", "interrupted 1"]


def test_memory_of_the_process_does_not_grow_with_the_number_of_runs(strategy):
    code = main(
        """(drop (memory.grow (i32.const 63)))
           (memory.fill (i32.const 0) (i32.const 1) (i32.const 4194304))
           (drop (call $write_output (i32.const 0) (i32.const 1048576)))
           (if (i32.eqz (call $has_previous_result (i32.const 0)))
             (then (if (i32.load (i32.const 0)) (then (unreachable)))))
           (i32.const 0)"""
    )

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    with Program.load(code, strategy=strategy, limits=EngineLimits()) as program:
        for turn in range(220):
            if turn == 20:
                before = resident()
            previous = b"" if turn % 2 else None
            try:
                program.run(RunInputs(previous_result=previous), random=CountingRandom())
            except TrapError:
                assert previous is not None
    assert resident() - before < 8 * 1024 * 1024


def traced_run(strategy, code, inputs=()):
    """What a trace was told of a run, and the run's outcome if it had one."""
    events = []
    with Program.load(code, strategy=strategy, limits=EngineLimits()) as program:
        try:
            outcome = program.run(
                RunInputs(inputs), random=CountingRandom(), wrap_call=traced(events.append)
            )
        except TrapError:
            outcome = None
    return [(event.name, event.arguments, event.status) for event in events], outcome


def test_a_trace_is_told_of_every_host_call_in_order(strategy):
    code = calling(
        ("input_count", 8), ("input_size", 5, 8), ("read_input", 0, -1, 2), ("write_output", 0, 2)
    )
    events, outcome = traced_run(strategy, code, [b"abc"])
    assert events == [
        ("input_count", (8,), 0),
        ("input_size", (5, 8), -4),
        ("read_input", (0, 2**32 - 1, 2), -3),
        ("write_output", (0, 2), 0),
    ]
    assert outcome.host_calls == {
        "input_count": 1, "input_size": 1, "read_input": 1, "write_output": 1,
    }  # fmt: skip


def test_a_trace_is_told_of_the_call_that_ends_the_program(strategy):
    events, outcome = traced_run(strategy, calling(("input_count", -1)))
    assert events == [("input_count", (2**32 - 1,), None)]
    assert outcome is None


def test_a_program_without_a_time_limit_is_compiled_without_checks_of_it(strategy):
    def compiled(seconds):
        settings = EngineSettings(strategy, interruptible=seconds is not None)
        with make_engine(settings) as engine, wasmtime.Module(engine, LOOP) as module:
            return module.serialize()

    limits = EngineLimits(run_seconds=None)
    with Program.load(main("(i32.const 3)"), strategy=strategy, limits=limits) as program:
        assert program.run(RunInputs(), random=CountingRandom()).return_code == 3
    assert len(compiled(None)) < len(compiled(1.0))


def test_fuel_ends_a_program_without_a_time_limit(run):
    assert limit(run, LOOP, run_seconds=None, fuel=10**6) is LimitCode.FUEL


@pytest.mark.parametrize("stack_bytes", [65536, 2**20, 64 * 2**20])
def test_the_stack_of_calls_is_as_large_as_its_limit(run, stack_bytes):
    code = main(
        """(drop (call $down)) (i32.const 0)""",
        fields="""(global $n (mut i32) (i32.const 0))
          (func $down (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (call $keep (global.get $n))
            (i32.add (i32.const 1) (call $down)))
          (func $keep (param i32) (i32.store (i32.const 0) (local.get 0)))""",
    )
    assert trap(run, code, stack_bytes=stack_bytes).code is TrapCode.STACK_OVERFLOW


@pytest.mark.parametrize("stack_bytes", [-1, 0, 1, 2**16 - 1, 2**26 + 1, 2**64])
def test_a_stack_too_small_or_too_large_is_refused(run, stack_bytes):
    with pytest.raises(EngineError, match="stack_bytes"):
        run(main("(i32.const 0)"), stack_bytes=stack_bytes)


def nested_calls(run, depth, stack_bytes):
    code = main(
        f"(call $down (i32.const {depth}))",
        fields="""(func $down (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))""",
    )
    return run(code, stack_bytes=stack_bytes).return_code


def test_a_larger_stack_takes_deeper_calls(run):
    assert nested_calls(run, 1000, 2**18) == 1000
    assert nested_calls(run, 500_000, 64 * 2**20) == 500_000
    with pytest.raises(TrapError, match="stack-overflow"):
        nested_calls(run, 500_000, 2**18)
