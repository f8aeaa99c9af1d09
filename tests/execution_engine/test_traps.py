"""What the engine says where it gives no code: held to the words of the locked version."""

import pytest
import wasmtime
from wasmtime import TrapCode as Cause

from execution_engine import _capi
from execution_engine.errors import LimitCode, LimitError, TrapCode, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.traps import engine_error

LIMITS = EngineLimits(fuel=1)


def test_each_cause_has_a_text_of_its_own():
    texts = [_capi.trap_text(cause) for cause in Cause]
    assert len(set(texts)) == len(texts)
    assert all(text.startswith("wasm trap: ") for text in texts)


@pytest.mark.parametrize("cause", list(Cause), ids=lambda cause: cause.name)
def test_a_cause_in_words_gives_the_error_of_its_code(cause):
    trap = wasmtime.Trap._from_ptr(_capi.bindings.wasmtime_trap_new_code(cause.value))
    for words in (_capi.trap_text(cause), f"error while executing\n  1: {_capi.trap_text(cause)}"):
        told = engine_error(wasmtime.WasmtimeError(words), LIMITS)
        assert (type(told), told.code) == (
            type(by_code := engine_error(trap, LIMITS)), by_code.code,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("(module (memory 2))", {"memory_size": 65536}),
        ("(module (table 2 funcref))", {"table_elements": 1}),
        ("(module (table 1 funcref) (table 1 funcref))", {"tables": 1}),
        ("(module (memory 1))", {"memories": 0}),
        ("(module)", {"instances": 0}),
    ],
)
def test_what_a_store_does_not_allow_is_a_limit(text, limits):
    with (
        wasmtime.Engine() as engine,
        wasmtime.Module(engine, text) as module,
        wasmtime.Store(engine) as store,
    ):
        store.set_limits(**limits)
        with pytest.raises(wasmtime.WasmtimeError) as caught:
            wasmtime.Instance(store, module, [])
    told = engine_error(caught.value, LIMITS)
    assert isinstance(told, LimitError)
    assert told.code is LimitCode.MEMORY


def test_anything_else_is_no_fault_of_the_programs():
    told = engine_error(wasmtime.WasmtimeError("mmap failed: limitless trouble"), LIMITS)
    assert isinstance(told, TrapError)
    assert told.code is TrapCode.HOST_FAILURE
