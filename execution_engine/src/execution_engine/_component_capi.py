"""The parts of wasmtime's C interface that components need and its Python package is slow at.

The rules of `_capi` hold here too: a callback returns 0 or the address of an error, always. A list
of bytes is an array of values of the engine's, one for each byte; it is read and filled as a whole.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from wasmtime import WasmtimeError
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi
from wasmtime.component import LinkerInstance

from execution_engine._capi import address_view

# A structure, pointer or function of ctypes: wasmtime gives them no static type.
_C: TypeAlias = Any
# What a call takes and gives: numbers, flags, bytes; an error's number comes as `Err`.
Value: TypeAlias = int | bool | bytes

_STRIDE: Final = ctypes.sizeof(bindings.wasmtime_component_val)
_AT: Final = bindings.wasmtime_component_val.of.offset
_MESSAGE: Final = b"host call"
_U8: Final = bytes(ffi.WASMTIME_COMPONENT_U8)

_, _, _, _Callback, _, _Finalizer = bindings._wasmtime_component_linker_instance_add_func.argtypes  # noqa: SLF001
_error_new = ffi.dll["wasmtime_error_new"]
_error_new.restype = ctypes.c_size_t
_error_new.argtypes = (ctypes.c_char_p,)


class Err(int):
    """The error's side of a result: a status."""


def host_function(
    result: str, body: Callable[..., Value | Err | None], failures: list[BaseException]
) -> _C:
    """A callback for `define`, of a function with this result in WIT.

    What `body` raises is appended to `failures`, and the guest traps. The callback must outlive
    every store it is defined for.
    """

    def enter(
        _environment: _C, _context: _C, _type: _C, arguments: _C, count: int, answers: _C, _one: int
    ) -> int:
        try:
            _lower(answers[0], result, body(*(_lift(arguments[at]) for at in range(count))))
        except BaseException as error:  # noqa: BLE001  an exception must not reach the C caller
            failures.append(error)
            return int(_error_new(_MESSAGE))
        return 0

    return _Callback(enter)


def define(place: LinkerInstance, name: str, callback: _C) -> None:
    """Offer a callback of `host_function` as a function of an interface."""
    text = name.encode()
    error: _C = bindings.wasmtime_component_linker_instance_add_func(
        place.ptr(), ctypes.create_string_buffer(text), len(text), callback, None, _Finalizer(0)
    )
    if error:
        raise WasmtimeError._from_ptr(error)  # noqa: SLF001


def _lift(value: _C) -> Value:
    kind = value.kind
    if kind == ffi.WASMTIME_COMPONENT_U32.value:
        return int(value.of.u32)
    if kind == ffi.WASMTIME_COMPONENT_BOOL.value:
        return bool(value.of.boolean)
    assert kind == ffi.WASMTIME_COMPONENT_LIST.value, "our interface has no other parameters"
    size = value.of.list.size
    if not size:
        return b""
    address = ctypes.addressof(value.of.list.data.contents)
    return address_view(address, size * _STRIDE)[_AT::_STRIDE].tobytes()


def _lower(place: _C, type_: str, value: Value | Err | None) -> None:
    """Put a value where the engine takes it from, which owns what it refers to."""
    if type_.startswith("result<"):
        place.kind = ffi.WASMTIME_COMPONENT_RESULT.value
        place.of.result.is_ok = not isinstance(value, Err)
        place.of.result.val = None if value is None else _boxed(value)
    else:
        _put(place, value)


def _boxed(value: Value | Err) -> _C:
    held = bindings.wasmtime_component_val()
    _put(held, value)
    return bindings.wasmtime_component_val_new(ctypes.byref(held))


def _put(place: _C, value: Value | Err | None) -> None:
    if isinstance(value, bool):
        place.kind = ffi.WASMTIME_COMPONENT_BOOL.value
        place.of.boolean = value
    elif isinstance(value, Err):
        place.kind = ffi.WASMTIME_COMPONENT_S32.value
        place.of.s32 = value
    elif isinstance(value, int):
        place.kind = ffi.WASMTIME_COMPONENT_U32.value
        place.of.u32 = value
    else:
        assert value is not None
        place.kind = ffi.WASMTIME_COMPONENT_LIST.value
        _put_bytes(place.of.list, value)


def _put_bytes(place: _C, content: bytes) -> None:
    bindings.wasmtime_component_vallist_new_uninit(ctypes.byref(place), len(content))
    if content:
        address = ctypes.addressof(place.data.contents)
        view = address_view(address, len(content) * _STRIDE)
        view[::_STRIDE] = _U8 * len(content)
        view[_AT::_STRIDE] = content
