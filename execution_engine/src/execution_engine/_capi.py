"""The parts of wasmtime's C interface that its Python package does not offer, or offers slowly.

Nothing else in this package touches wasmtime's private names. Three rules keep it safe:

* A callback returns an int, always: 0, or the address of a new trap. Anything else, an exception
  included, would be read as an address. `host_function` sees to it.
* Prototypes are taken with `dll["name"]`, which makes a function object of our own; setting them
  on the shared one would change wasmtime's.
* A view of linear memory is a bare address: valid until its store closes, and no longer.
"""

import ctypes
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from wasmtime import (
    Config,
    Engine,
    FuncType,
    Linker,
    Module,
    Store,
    Trap,
    TrapCode,
    ValType,
    WasmtimeError,
)
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi
from wasmtime.component import Component

from execution_engine.abi import FunctionType
from execution_engine.errors import StackFrame
from execution_engine.text import printable

_U32: Final = 0xFFFFFFFF
_U64: Final = 0xFFFFFFFF_FFFFFFFF
_WRITABLE: Final = 0x200  # PyBUF_WRITE
_MAX_FRAMES: Final = 20
_MAX_NAME_CHARS: Final = 1024  # of a name that a compiler mangled
# What wasmtime gives for a place that it does not know.
_NO_OFFSET: Final = 2**64 - 1
_TRAP_MESSAGE: Final = b"host call"
_FEATURE: Final = re.compile("wasmtime_config_wasm_(.+)_set")
_NUMBERS: Final = {
    "i32": ValType.i32(), "i64": ValType.i64(), "f32": ValType.f32(), "f64": ValType.f64(),
}  # fmt: skip

# A structure, pointer or function of ctypes: wasmtime gives them no static type.
_C: TypeAlias = Any

# environment, caller, slots, number of slots -> 0 or a trap
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
_Finalizer = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

_define = ffi.dll["wasmtime_linker_define_func_unchecked"]
_define.restype = ctypes.POINTER(bindings.wasmtime_error_t)
_define.argtypes = (
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
    ctypes.c_void_p, _Callback, ctypes.c_void_p, _Finalizer,
)  # fmt: skip
_trap_new = ffi.dll["wasmtime_trap_new"]
_trap_new.restype = ctypes.c_size_t
_trap_new.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_deserialize_module = ffi.dll["wasmtime_module_deserialize"]
_deserialize_component = ffi.dll["wasmtime_component_deserialize"]
for _deserialize in (_deserialize_module, _deserialize_component):
    _deserialize.restype = ctypes.POINTER(bindings.wasmtime_error_t)
    _deserialize.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_memory_view = ctypes.pythonapi["PyMemoryView_FromMemory"]
_get_buffer = ctypes.pythonapi["PyObject_GetBuffer"]
_get_buffer.argtypes = (ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
_release_buffer = ctypes.pythonapi["PyBuffer_Release"]
_release_buffer.restype = None
_release_buffer.argtypes = (ctypes.c_void_p,)
_memory_view.restype = ctypes.py_object
_memory_view.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)


# The features of WebAssembly that `set_feature` knows.
FEATURES: Final = frozenset(
    found[1] for name in dir(bindings) if (found := _FEATURE.fullmatch(name))
)


def set_feature(config: Config, name: str, *, on: bool) -> None:
    """Switch a feature of WebAssembly on or off; `Config` has names for some of them only."""
    getattr(bindings, f"wasmtime_config_wasm_{name}_set")(config.ptr(), on)


def set_wasm_stack(config: Config, size: int) -> None:
    """Let guests use `size` bytes of stack; the thread that runs one must have more.

    Above the size of its async stacks, which we do not use, the engine would abort the process.
    """
    bindings.wasmtime_config_async_stack_size_set(config.ptr(), size)
    config.max_wasm_stack = size


def reserve_callbacks(count: int) -> None:
    """Have memory for so many callbacks at a time, for when there is no more to be had for them.

    It is executable memory, which stays with the process when they go.
    """
    callbacks = [_Finalizer(lambda _: None) for _ in range(count)]
    del callbacks


def host_function(
    arity: int, body: Callable[..., int], failures: list[BaseException]
) -> "ctypes._FuncPointer":
    """A callback for `define`, of `arity` i32 parameters and one i32 result.

    `body` gets its arguments as unsigned numbers. What it raises is appended to `failures`, and
    the guest traps. The callback must outlive every store it is defined for.
    """
    # A slot has 16 bytes, its first four an i32; the result takes the place of the first argument.
    words_at = (ctypes.c_uint32 * (4 * arity)).from_address

    def enter(_environment: int, _caller: int, address: int, _count: int) -> int:
        try:
            words = words_at(address)
            words[0] = body(*words[::4]) & _U32
        except BaseException as error:  # noqa: BLE001  an exception must not reach the C caller
            failures.append(error)
            return int(_trap_new(_TRAP_MESSAGE, len(_TRAP_MESSAGE)))
        return 0

    return _Callback(enter)


def host_function_type(arity: int) -> FuncType:
    """The type of a host function; it belongs to the first engine that it is used with."""
    return FuncType([ValType.i32()] * arity, [ValType.i32()])


def define(
    linker: Linker, module: str, name: str, type_: FuncType, callback: "ctypes._FuncPointer"
) -> None:
    """Offer a callback of `host_function` under a name; `type_` is of its arity."""
    where, what = module.encode(), name.encode()
    error = _define(
        linker.ptr(), where, len(where), what, len(what), type_.ptr(), callback, None, _Finalizer()
    )
    _raise(error)


def function_type(type_: FuncType) -> FunctionType:
    """A function's type, with "other" for values that are no numbers.

    Values are compared, not asked for their kind: of a v128 that would abort the process.
    """
    return FunctionType(_names(type_.params), _names(type_.results))


def _names(values: list[ValType]) -> tuple[str, ...]:
    equal = bindings.wasmtime_wasm_valtype_equal
    return tuple(
        next((name for name, each in _NUMBERS.items() if equal(each.ptr(), one.ptr())), "other")
        for one in values
    )


class RawInstance:
    """An instance in a store, with what we use of it.

    Raises:
        Trap: a segment does not fit.
        WasmtimeError: an import is missing, or a limit of the store does not allow it.
    """

    def __init__(self, linker: Linker, store: Store, module: Module) -> None:
        self._context = store._context()  # noqa: SLF001  the package gives no other way to it
        self._instance = linker.instantiate(store, module)._instance  # noqa: SLF001

    def memory(self, name: str) -> Callable[[], memoryview]:
        """What gives all of an exported memory as it is now, writable.

        A later view may be longer, at the same address.

        Raises:
            KeyError: there is none of this name.
        """
        memory = ctypes.byref(self._export(name, ffi.WASMTIME_EXTERN_MEMORY).memory)

        def view() -> memoryview:
            data = bindings.wasmtime_memory_data(self._context, memory)
            size = bindings.wasmtime_memory_data_size(self._context, memory)
            return address_view(ctypes.cast(data, ctypes.c_void_p).value or 0, size)

        return view

    def i32(self, name: str) -> int | None:
        """The value now, unsigned, of the i32 global exported under this name; None without one."""
        return self.i32_reader(name)()

    def i32_reader(self, name: str) -> Callable[[], int | None]:
        """What gives that value, also to another thread while the module runs."""
        read = self._reader(name, ffi.WASMTIME_I32)

        def value() -> int | None:
            found = read()
            return None if found is None else found.i32 & _U32

        return value

    def i64(self, name: str) -> int | None:
        """The same of an i64 global."""
        value = self._reader(name, ffi.WASMTIME_I64)()
        return None if value is None else value.i64 & _U64

    def _reader(self, name: str, kind: ctypes.c_uint8) -> Callable[[], _C]:
        try:
            found = self._export(name, ffi.WASMTIME_EXTERN_GLOBAL)
        except KeyError:
            return lambda: None
        place = ctypes.byref(found.global_)

        def read() -> _C:
            value: _C = bindings.wasmtime_val_t()
            bindings.wasmtime_global_get(self._context, place, ctypes.byref(value))
            return value.of if value.kind == kind.value else None

        # A global of another type is asked here alone: a reference is given a place in the store,
        # which another thread must not do while the module runs.
        return (lambda: None) if read() is None else read

    def call(self, name: str, arguments: tuple[int, ...], *, results: int) -> tuple[int, ...]:
        """Call an exported function of i32 parameters and results; the results are signed.

        Raises:
            KeyError: there is none of this name.
            Trap: it did not return.
            WasmtimeError: it is of another type.
        """
        function = self._export(name, ffi.WASMTIME_EXTERN_FUNC).func
        given = (bindings.wasmtime_val_t * len(arguments))()
        for slot, argument in zip(given, arguments, strict=True):
            slot.kind = ffi.WASMTIME_I32.value
            slot.of.i32 = argument
        answers = (bindings.wasmtime_val_t * results)()
        trap = ctypes.POINTER(bindings.wasm_trap_t)()
        error = bindings.wasmtime_func_call(
            self._context, ctypes.byref(function), given, len(arguments), answers, results,
            ctypes.byref(trap),
        )  # fmt: skip
        _raise(error)
        if trap:  # type: ignore[truthy-bool]  # whether the pointer points anywhere
            raise Trap._from_ptr(trap)  # noqa: SLF001
        return tuple(answer.of.i32 for answer in answers)

    def _export(self, name: str, kind: ctypes.c_uint8) -> _C:
        item: _C = bindings.wasmtime_extern_t()
        text = ctypes.create_string_buffer(name.encode())
        found = bindings.wasmtime_instance_export_get(
            self._context, ctypes.byref(self._instance), text, len(text) - 1, ctypes.byref(item)
        )
        if not found or item.kind != kind.value:
            raise KeyError(name)
        return item.of


class _Buffer(ctypes.Structure):
    """A `Py_buffer`."""

    _fields_ = (
        ("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p),
    )  # fmt: skip


def deserialize_module(engine: Engine, code: bytes | memoryview) -> Module:
    """The module that this compiled code is of, which the package would copy first.

    Raises:
        WasmtimeError: it is not of this engine's version, settings or processor.
    """
    pointer = ctypes.POINTER(bindings.wasmtime_module_t)()
    _read(_deserialize_module, engine, code, pointer)
    return Module._from_ptr(pointer)  # noqa: SLF001


def deserialize_component(engine: Engine, code: bytes | memoryview) -> Component:
    """The component that this compiled code is of; see `deserialize_module`."""
    pointer = ctypes.POINTER(bindings.wasmtime_component_t)()
    _read(_deserialize_component, engine, code, pointer)
    return Component._from_ptr(pointer)  # noqa: SLF001


def _read(deserialize: _C, engine: Engine, code: bytes | memoryview, pointer: _C) -> None:
    buffer = _Buffer()
    _get_buffer(code, ctypes.byref(buffer), 0)
    try:
        _raise(deserialize(engine.ptr(), buffer.buf, buffer.len, ctypes.byref(pointer)))
    finally:
        _release_buffer(ctypes.byref(buffer))


def address_view(address: int, size: int) -> memoryview:
    """The `size` bytes at an address, writable; they must outlive the view."""
    view: memoryview = _memory_view(address, size, _WRITABLE)
    return view


def trap_cause(trap: Trap) -> TrapCode | None:
    """The cause of a trap, or None for one of our own and for one this version does not name."""
    try:
        return trap.trap_code
    except ValueError:
        return None


def trap_text(cause: TrapCode) -> str:
    """What the engine says for this cause where it does not give it as a code."""
    return str(Trap._from_ptr(bindings.wasmtime_trap_new_code(cause.value)).message)  # noqa: SLF001


def stack_frames(error: Trap | WasmtimeError) -> tuple[StackFrame, ...]:
    """The innermost calls of a trap, or of an error that reports one; at most 20."""
    trace = bindings.wasm_trap_trace
    if isinstance(error, WasmtimeError):
        trace = bindings.wasmtime_error_wasm_trace
    frames = bindings.wasm_frame_vec_t(0, None)
    trace(error.ptr(), ctypes.byref(frames))
    try:
        return tuple(_frame(frames.data[at]) for at in range(min(frames.size, _MAX_FRAMES)))
    finally:
        bindings.wasm_frame_vec_delete(ctypes.byref(frames))


def _frame(frame: _C) -> StackFrame:
    name: _C = bindings.wasmtime_frame_func_name(frame)
    offset = bindings.wasm_frame_module_offset(frame)
    return StackFrame(
        bindings.wasm_frame_func_index(frame),
        None if offset == _NO_OFFSET else offset,
        _name(name) if name else None,
    )


def _name(name: _C) -> str:
    return printable(ffi.to_bytes(name.contents).decode(errors="replace"), _MAX_NAME_CHARS)


def _raise(error: _C) -> None:
    if error:
        raise WasmtimeError._from_ptr(error)  # noqa: SLF001
