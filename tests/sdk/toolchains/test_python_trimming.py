"""What is left out of CPython's code for programs: what is done by then, and SQLite."""

import re

import pytest
from wasmtime import Engine, Store, WasmtimeError, wat2wasm
from wasmtime.component import Component, Linker

from execution_engine.reader import BinaryError
from sdk.toolchains.python_trimming import trimmed

ANSWERS = """
  (func ${name} (export "{name}") (result i32) (local i32 i64)
    (local.set 0 (i32.const {number})) (local.get 0))"""


def component(*names):
    functions = "".join(
        ANSWERS.format(name=name, number=number) for number, name in enumerate(names)
    )
    lifted = "".join(
        f'(func (export "{_plain(name)}") (result s32) (canon lift (core func $i "{name}")))'
        for name in names
    )
    text = f"""(component (core module $m (type (func (param f64)))
                 (import "host" "first" (func $first)) {functions} (memory 1)
                 (data (i32.const 0) "data behind the code"))
               (core module $h (func (export "first")))
               (core instance $o (instantiate $h))
               (core instance $i (instantiate $m (with "host" (instance $o)))) {lifted})"""
    return bytes(wat2wasm(text))


def _plain(name):
    return re.sub("[^a-z0-9]+", "-", name.strip("_").lower())


def answer(code, name):
    with Engine() as engine, Store(engine) as store, Linker(engine) as linker:
        instance = linker.instantiate(store, Component(engine, code))
        return instance.get_func(store, _plain(name))(store)


def test_functions_that_have_done_their_work_and_the_last_library_end_the_run():
    names = [
        "sqlitely", "__wasm_apply_data_relocs", "PyList_New", "_PyUnicode_InitStaticStrings",
        "PyInit__sqlite3", "sqlite3_log", "helper", "sqlite3_open", "pcache1Init",
    ]  # fmt: skip
    code = component(*names)
    smaller = trimmed(code)
    assert len(smaller) < len(code)
    for number, name in enumerate(names):
        assert answer(code, name) == number
        if name in {"sqlitely", "PyList_New", "PyInit__sqlite3"}:
            assert answer(smaller, name) == number
        else:
            with pytest.raises(WasmtimeError, match="unreachable"):
                answer(smaller, name)
    assert trimmed(smaller) == smaller


def test_a_component_without_them_is_left_as_it_is():
    for code in (component("PyList_New", "main"), bytes(wat2wasm("(component)"))):
        assert trimmed(code) == code


@pytest.mark.parametrize("cut", [9, 40, 200])
def test_what_is_no_component_is_an_error(cut):
    with pytest.raises(BinaryError):
        trimmed(component("sqlite3_log")[:cut])
