"""An adapted program in a real isolate: inputs of two, a result for a third, and leaving."""

from contextlib import ExitStack

from wasmtime import wat2wasm

from colima import runtime
from sdk.adaptation import adapt
from veracruz_utils.policy import Role

PI, DATA, READER = Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.RESULT_READER

# The second input in front of the first, then an end by `proc_exit`, as Go ends.
BOTH = """
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 512) "input/1")
  (func $pass (param $from i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 100))
    (drop (call $read (local.get $from) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))
  (func (export "_start")
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 7) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
    (call $pass (i32.load (i32.const 16)))
    (call $pass (i32.const 0))
    (call $exit (i32.load8_u (i32.const 1024)))
    unreachable))
"""


def result(isolates, strategy, *inputs):
    """What the reader is answered, and the result."""
    module = adapt(wat2wasm(BOTH))
    roles = [[PI], [DATA], [DATA], [READER]]
    with (
        isolates.computation(roles, program=module, strategy=strategy, data=[1, 2]) as rig,
        ExitStack() as sessions,
    ):
        author, first, second, reader = (
            sessions.enter_context(rig.session(who)) for who in range(4)
        )
        assert author.program(module) == runtime.Done()
        for place, (provider, content) in enumerate(zip((first, second), inputs, strict=True)):
            assert isinstance(provider.data(content, place), runtime.Accepted)
        return reader.result()


def test_inputs_of_two_become_a_result_for_a_third(isolates, strategy):
    answer, output = result(isolates, strategy, b"\0 of the first", b"of the second, ")
    assert isinstance(answer, runtime.ResultIs)
    assert output == b"of the second, \0 of the first"


def test_a_program_that_leaves_with_a_status_has_no_result(isolates, strategy):
    answer, output = result(isolates, strategy, b"\7 of the first", b"of the second, ")
    assert not output
    assert "7" in repr(answer)
