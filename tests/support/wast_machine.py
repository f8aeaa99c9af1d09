"""Runs a script of the WebAssembly specification's testsuite on an engine of ours.

What the engine has switched off is refused, and it says so: a script names such modules by what
stands in them (`OFF`), and what uses them is not counted. Everything else either holds or is a
failure with its line.
"""

import ctypes
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from wasmtime import Engine, Instance, Linker, Module, Store, Trap, WasmtimeError, wat2wasm
from wasmtime import _bindings as bindings

from support.wast import Form, Part, read_script
from support.wast_values import Raw, argument, matches

OFF = (b"externref", b"ref.extern", b"(ref.null extern)")
"""What only modules with a feature that is off have in them."""

_SPECTEST = """(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2)
  (func (export "print"))
  (func (export "print_i32") (param i32))
  (func (export "print_i64") (param i64))
  (func (export "print_f32") (param f32))
  (func (export "print_f64") (param f64))
  (func (export "print_i32_f32") (param i32 f32))
  (func (export "print_f64_f64") (param f64 f64)))"""

_MODULE_HEADS = frozenset(
    [
        "type",
        "import",
        "func",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "elem",
        "data",
        "rec",
        "tag",
    ]
)


class _OffError(Exception):
    """It needs a feature that is off."""


class _FailureError(Exception):
    """The engine does not do what the script says."""


@dataclass
class Score:
    """How a script went: what held, what was not counted, what failed."""

    held: int = 0
    off: int = 0
    failures: list[str] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)


class Machine:
    """One store with all the modules of a script."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = Store(engine)
        if _is_metered(self._store):
            self._store.set_fuel(2**62)
        self._store.set_epoch_deadline(2**32)
        self._linker = Linker(engine)
        self._linker.allow_shadowing = True
        self._named: dict[str, Instance | None] = {}
        self._current: Instance | None = None
        self._linker.define_instance(self._store, "spectest", self._instance(wat2wasm(_SPECTEST)))

    def close(self) -> None:
        """Free what the script made."""
        self._linker.close()
        self._store.close()

    def run(self, source: bytes) -> Score:
        """Every command of a script."""
        score = Score()
        forms = read_script(source)
        if forms and forms[0].head in _MODULE_HEADS:  # a file that is one module, without its name
            forms = [Form(("module", *forms), b"(module " + source + b"\n)", 1)]
        for form in forms:
            score.commands[form.head] += 1
            try:
                self._command(form)
                score.held += 1
            except _OffError:
                score.off += 1
            except (_FailureError, Trap, WasmtimeError, AssertionError, SyntaxError) as error:
                score.failures.append(f"line {form.line}: {form.head}: {str(error)[:300]}")
        return score

    def _command(self, form: Form) -> None:
        run = getattr(self, f"_{form.head}", None)
        if run is None:
            raise _FailureError("unknown")
        run(form)

    # The commands, by their names in scripts.

    def _module(self, form: Form) -> None:
        name = form.rest[0] if form.rest and str(form.rest[0]).startswith("$") else None
        self._current = None
        if name is not None:
            self._named[str(name)] = None
        try:
            self._current = self._instance(_binary(form))
        except WasmtimeError as error:
            raise _OffError if _uses_what_is_off(form) else error from error
        if name is not None:
            self._named[str(name)] = self._current

    def _register(self, form: Form) -> None:
        name = form.rest[0]
        assert isinstance(name, bytes)
        instance = self._named[str(form.rest[1])] if len(form.rest) > 1 else self._current
        if instance is None:
            raise _OffError
        self._linker.define_instance(self._store, name.decode(), instance)

    def _invoke(self, form: Form) -> None:
        self._act(form)

    def _assert_return(self, form: Form) -> None:
        found = self._act(_form(form.rest[0]))
        expected = [_form(one) for one in form.rest[1:]]
        if len(found) != len(expected) or not all(map(matches, found, expected)):
            raise _FailureError(f"{form.source.decode(errors='replace')}: {_told(found)}")

    def _assert_trap(self, form: Form) -> None:
        action = _form(form.rest[0])
        try:
            self._module(action) if action.head == "module" else self._act(action)
        except Trap:
            return
        raise _FailureError("no trap")

    _assert_exhaustion = _assert_trap
    _assert_uninstantiable = _assert_trap

    def _assert_invalid(self, form: Form) -> None:
        module = _form(form.rest[0])
        try:
            Module(self._engine, _binary(module)).close()
        except WasmtimeError:
            return
        raise _FailureError(f"{module.source.decode(errors='replace')} is accepted")

    _assert_malformed = _assert_invalid

    def _assert_unlinkable(self, form: Form) -> None:
        module = _form(form.rest[0])
        try:
            compiled = Module(self._engine, _binary(module))
        except WasmtimeError as error:
            raise _OffError if _uses_what_is_off(module) else error from error
        try:
            self._linker.instantiate(self._store, compiled)
        except WasmtimeError:
            return
        raise _FailureError("it links")

    # What they are made of.

    def _instance(self, code: bytes) -> Instance:
        return self._linker.instantiate(self._store, Module(self._engine, code))

    def _act(self, form: Form) -> list[Raw]:
        parts = list(form.rest)
        named = isinstance(parts[0], str)
        instance = self._named[str(parts.pop(0))] if named else self._current
        name, given = parts[0], [_form(one) for one in parts[1:]]
        assert isinstance(name, bytes)
        if instance is None or any(one.head.startswith("ref.extern") for one in given):
            raise _OffError
        export = instance.exports(self._store)[name.decode()]
        if form.head == "get":
            raw = bindings.wasmtime_val_t()
            bindings.wasmtime_global_get(
                self._store._context(), ctypes.byref(export._global), ctypes.byref(raw)
            )
            return [raw]
        return self._call(export, [argument(one) for one in given])

    def _call(self, function: Any, given: list[Raw]) -> list[Raw]:
        count = len(function.type(self._store).results)
        arguments = (bindings.wasmtime_val_t * len(given))(*given)
        results = (bindings.wasmtime_val_t * count)()
        trap = ctypes.POINTER(bindings.wasm_trap_t)()
        error = bindings.wasmtime_func_call(
            self._store._context(), ctypes.byref(function._func), arguments, len(given),
            results, count, ctypes.byref(trap),
        )  # fmt: skip
        if error:
            raise WasmtimeError._from_ptr(error)
        if trap:
            raise Trap._from_ptr(trap)
        return list(results)


def _binary(form: Form) -> bytes:
    """The module that a form is, whether as text, bytes, or quoted text."""
    parts = [one for one in form.rest if not (isinstance(one, str) and one.startswith("$"))]
    if parts and parts[0] in {"binary", "quote"}:
        data = b"".join(one for one in parts[1:] if isinstance(one, bytes))
        return data if parts[0] == "binary" else wat2wasm(b"(module " + data + b")")
    return wat2wasm(form.source)


def _form(part: Part) -> Form:
    assert isinstance(part, Form)
    return part


def _uses_what_is_off(form: Form) -> bool:
    return any(mark in form.source for mark in OFF)


def _told(values: list[Raw]) -> str:
    return " ".join(
        f"{one.kind}:{ctypes.string_at(ctypes.byref(one.of), 16).hex()}" for one in values
    )


def _is_metered(store: Store) -> bool:
    try:
        store.get_fuel()
    except WasmtimeError:
        return False
    return True
