"""Where a program spends its time: a look at its stack every millisecond, under either strategy.

The engine lets a host look where functions begin and loops turn, when its epoch has moved on. So a
profiled program is compiled with checks of the epoch, and the time of a host call or of a long
`memory.fill` counts for the next such place.
"""

import ctypes
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from wasmtime import Engine, Module, Store
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi

from execution_engine.errors import LimitCode, LimitError, TrapCode, TrapError
from execution_engine.observed_program import ObservedOutcome, ObservedProgram
from execution_engine.run import RunInputs
from platform_services import RandomSource
from sdk.freestanding.demangling import without_hashes
from sdk.freestanding.messages import Profiled

_INTERVAL_S: Final = 0.001
_INTERVAL_NS: Final = 1_000_000
_HOTTEST: Final = 20
_NAME_CHARS: Final = 64
_MODULE_NAME: Final = b"program"
_UNNAMED: Final = re.compile(r"<wasm function ([0-9]+)>")
_OVERDUE: Final = b"overdue"

_C: TypeAlias = Any  # a structure or function of ctypes: wasmtime gives them no static type
_, _Callback, _, _Finalizer = ffi.dll.wasmtime_store_epoch_deadline_callback.argtypes or ()
_error_new = ffi.dll["wasmtime_error_new"]
_error_new.restype = ctypes.c_size_t
_error_new.argtypes = (ctypes.c_char_p,)


class ProfiledProgram(ObservedProgram):
    """A program that is looked at while it runs; `profile` is of its last run.

    Its limits must set `run_seconds`.
    """

    profile: Profiled | None = None
    _profiler: "_Profiler"

    def run(self, inputs: RunInputs, *, random: RandomSource, **more: Any) -> ObservedOutcome:  # noqa: ANN401 - as of the base
        """Run `main`, as `ObservedProgram.run`."""
        seconds = self.limits.run_seconds
        assert seconds is not None
        if not isinstance(self._module, Module):
            raise TrapError(TrapCode.OTHER, "components are not profiled: run it without --profile")
        self._profiler = _Profiler(self._engine, self._module, seconds)
        try:
            with _ticking(self._engine.increment_epoch):
                return super().run(inputs, random=random, **more)
        except TrapError as trap:
            if self._profiler.overdue:
                error = LimitError(LimitCode.TIME, f"the limit is {seconds:g} s")
                error.message = trap.message
                raise error from None
            raise
        finally:
            self.profile = self._profiler.finish(imported=len(self.summary.imports))

    def _arm(self, store: Store) -> None:
        super()._arm(store)
        self._profiler.watch(store)


class _Profiler:
    """The engine's own profiler of guests, for one run."""

    def __init__(self, engine: Engine, module: Module, seconds: float) -> None:
        self.overdue = False
        self._until = time.monotonic() + seconds
        self._samples = 0
        text = (ctypes.c_uint8 * len(_MODULE_NAME))(*_MODULE_NAME)
        name = bindings.wasm_name_t(len(text), text)
        modules = (bindings.wasmtime_guestprofiler_modules * 1)()
        modules[0].name = ctypes.pointer(name)
        modules[0].mod = module.ptr()
        self._profiler: _C = bindings.wasmtime_guestprofiler_new(
            engine.ptr(), ctypes.byref(name), _INTERVAL_NS, modules, 1
        )
        # Both belong to the store, which does not keep them.
        self._callback: _C = None
        self._finalizer = _Finalizer(0)

    def watch(self, store: Store) -> None:
        """Look at what runs in this store whenever the epoch has moved on."""

        def look(_context: _C, _data: _C, next_look: _C, _kind: _C) -> int:
            next_look[0] = 1
            if time.monotonic() >= self._until:
                self.overdue = True
                return int(_error_new(_OVERDUE))
            self._samples += 1
            bindings.wasmtime_guestprofiler_sample(self._profiler, store.ptr(), _INTERVAL_NS)
            return 0

        self._callback = _Callback(look)
        bindings.wasmtime_store_epoch_deadline_callback(
            store.ptr(), self._callback, None, self._finalizer
        )

    def finish(self, *, imported: int) -> Profiled:
        """What was seen; the profiler is gone then.

        Args:
            imported: how many functions the program imports, which count in their numbers.
        """
        text = bindings.wasm_byte_vec_t()
        # Only writing could fail, and this writes to memory.
        bindings.wasmtime_guestprofiler_finish(self._profiler, ctypes.byref(text))
        try:
            found = json.loads(ctypes.string_at(text.data, text.size))
        finally:
            bindings.wasm_byte_vec_delete(ctypes.byref(text))
        return Profiled(self._samples, _hottest(found["threads"][0], imported))


def _hottest(thread: dict[str, Any], imported: int) -> list[tuple[str, int, int]]:
    """The functions that ran most often, from a profile in the processed form of Firefox."""
    itself: Counter[int] = Counter()
    on_stack: Counter[int] = Counter()
    for stack, count in Counter(thread["samples"]["stack"]).items():
        functions = list(_functions(thread, stack))
        if functions:
            itself[functions[0]] += count
            on_stack.update(dict.fromkeys(functions, count))
    names, texts = thread["funcTable"]["name"], thread["stringArray"]
    ranked = sorted(on_stack, key=lambda function: (-itself[function], -on_stack[function]))
    return [
        (_name(texts[names[each]], imported), itself[each], on_stack[each])
        for each in ranked[:_HOTTEST]
    ]


def _functions(thread: dict[str, Any], stack: int | None) -> Iterator[int]:
    """The functions on a stack, innermost first."""
    table, frames = thread["stackTable"], thread["frameTable"]
    while stack is not None:
        yield frames["func"][table["frame"][stack]]
        stack = table["prefix"][stack]


def _name(name: str, imported: int) -> str:
    """A function's name, or its number as traps tell it."""
    if unnamed := _UNNAMED.fullmatch(name):
        return f"function {int(unnamed[1]) + imported}"
    plain = without_hashes(name)[:_NAME_CHARS]  # the engine has demangled it
    return "".join(char if char.isprintable() else "?" for char in plain)


@contextmanager
def _ticking(tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` every interval, in a thread of its own."""
    done = threading.Event()

    def body() -> None:
        while not done.wait(_INTERVAL_S):
            tick()

    thread = threading.Thread(target=body, name="profiler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
