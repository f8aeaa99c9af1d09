"""Programs that speak WASI 0.1, linked with the adapter, under both strategies."""

import pytest
from click.testing import CliRunner
from wasmtime import wat2wasm

import tlaxcala
from execution_engine import world
from sdk.adaptation import adapt
from sdk.adaptation.adapter import WASI, build_adapter, shipped_adapter, wasi_functions
from sdk.cli import main
from sdk.errors import AdaptationError
from support.components import component, component_of_wasi
from tlaxcala.advice import OF_WASI_COMPONENTS
from veracruz_utils.digest import Digest

# What a program does by hand here: text at an address, and where it puts vectors and numbers.
ECHO = """
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 100))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
      (br_if $more (i32.load (i32.const 8))))
    (call $exit (i32.const 0))
    unreachable))
"""


def test_what_is_read_from_standard_input_and_written_to_standard_output_is_the_result(run_module):
    text = bytes(range(256)) * 300
    outcome = run_module(adapt(wat2wasm(ECHO)), text)
    assert (outcome.return_code, outcome.output) == (0, text)


def test_an_adapted_program_is_certified_and_says_what_it_calls():
    report = tlaxcala.check(adapt(wat2wasm(ECHO)))
    assert report.certified
    assert "read_input" in report.host_calls


def test_the_same_program_gives_the_same_bytes():
    assert adapt(wat2wasm(ECHO)) == adapt(wat2wasm(ECHO))


@pytest.mark.parametrize("code", [1, 255, 0x7FFFFFFF, -1, -2147483648])
def test_the_status_of_a_program_that_leaves_is_its_code_and_it_has_no_result(run_module, code):
    module = adapt(wat2wasm(ECHO.replace("$exit (i32.const 0)", f"$exit (i32.const {code})")))
    outcome = run_module(module, b"some")
    assert (outcome.return_code, outcome.output) == (code, None)


def test_the_shipped_adapter_is_what_its_source_builds():
    assert Digest.of(build_adapter()) == Digest.of(shipped_adapter().code)


def test_the_adapter_has_all_of_wasi():
    assert len(wasi_functions()) == 46
    assert all(one.module in {"env", "link"} for one in shipped_adapter().imports)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (component_of_wasi(), f"imports 'wasi:io/error@0.2.6': {OF_WASI_COMPONENTS}"),
        (component("(i32.const 0)"), f"a component of Veracruz ({world.INTERFACE})"),
        (b"\0asm\x0d\0\1\0", "what is adapted is a module for WASI 0.1"),
    ],
)
def test_a_component_is_told_what_to_do_instead(code, words):
    with pytest.raises(AdaptationError) as refused:
        adapt(code)
    assert words in str(refused.value)


def test_what_is_imported_besides_wasi_is_named():
    with pytest.raises(AdaptationError, match=r"env\.abort.*compile with `--use abort=`"):
        adapt(wat2wasm('(module (import "env" "abort" (func)) (memory (export "memory") 1))'))


def test_the_command_adapts_a_file_and_prints_its_digest(tmp_path):
    program, target = tmp_path / "echo.wasm", tmp_path / "adapted.wasm"
    program.write_bytes(wat2wasm(ECHO))
    ran = CliRunner().invoke(main, ["adapt", str(program), str(target), "--arg", "a"])
    assert ran.exit_code == 0, ran.output
    assert ran.output.split()[0] == str(Digest.of(target.read_bytes()))
    assert target.read_bytes() == adapt(wat2wasm(ECHO), arguments=["a"])
    assert WASI.encode() not in target.read_bytes()


@pytest.mark.parametrize("clock", [-1, 7_258_118_401, 2**63])
def test_a_clock_that_does_not_count_so_far_is_refused(clock):
    with pytest.raises(AdaptationError, match="between 1970 and 2200"):
        adapt(wat2wasm(ECHO), clock=clock)


def test_clocks_begin_as_late_as_they_may():
    assert tlaxcala.check(adapt(wat2wasm(ECHO), clock=7_258_118_400)).certified


def test_texts_of_no_encoding_are_refused():
    with pytest.raises(AdaptationError, match="not UTF-8"):
        adapt(wat2wasm(ECHO), arguments=[b"\xff".decode(errors="surrogateescape")])


@pytest.mark.parametrize(
    ("valid", "broken"),
    [
        (b"\x10\x02\x0f", b"\x10\x7f\x0f"),  # a call of a function that is not there
        (b"\x09\x07\x01\x00\x41\x00\x0b\x01\x02", b"\x09\x07\x01\x00\x41\x00\x0b\x01\x63"),
        (b"\x06_start\x00\x02", b"\x06_start\x00\x63"),
    ],
    ids=["call", "element", "export"],
)
def test_numbers_of_what_is_not_there_are_refused(valid, broken):
    module = wat2wasm(
        """(module
          (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
          (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
          (memory 1) (table 1 funcref) (elem (i32.const 0) func 2)
          (func (export "_start") call 2 return))"""
    )
    assert adapt(module)
    assert module.count(valid) == 1
    with pytest.raises(AdaptationError, match="not valid"):
        adapt(module.replace(valid, broken))


def test_a_feature_that_is_switched_off_is_named():
    with pytest.raises(AdaptationError, match=r"memory64.*build for wasm32"):
        adapt(wat2wasm("(module (memory i64 1))"))


def test_more_elements_than_anybody_has_are_not_linked():
    many = " ".join(["$f"] * 100_001)
    module = wat2wasm(
        f"""(module
          (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
          (memory 1) (table 100001 funcref) (elem (i32.const 0) {many})
          (func $f (export "_start")))"""
    )
    with pytest.raises(AdaptationError, match="100001 entries, at most 100000"):
        adapt(module)


def test_what_is_adapted_already_is_not_adapted_again():
    with pytest.raises(AdaptationError, match="adapted already"):
        adapt(adapt(wat2wasm(ECHO)))
